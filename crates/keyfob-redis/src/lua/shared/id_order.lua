-- Ids in order. The part of an id that an index holds has ten bytes: a tick and a random number, five
-- bytes each. They are compared as pairs of numbers, because Lua compares strings by the server's
-- locale.

-- Returns the ids as numbers: tick, random number, tick, random number, and so on. The table is read in
-- batches that fit the Lua stack.
local function id_numbers(ids)
  local numbers = {}
  for from = 1, #ids, 500 do
    local to = math.min(from + 499, #ids)
    local batch = { unpack_bytes('>' .. string.rep('I5I5', to - from + 1), table.concat(ids, '', from, to)) }
    for i = 1, (to - from + 1) * 2 do numbers[(from - 1) * 2 + i] = batch[i] end
  end
  return numbers
end

-- Returns the ids, the oldest first. They are sorted by one number: the tick and the upper 13 bits of the
-- random number. That number is exact, and four times as fast as a comparison function. Only if two ids
-- have the same number is the function needed.
local function oldest_first(ids)
  local numbers = id_numbers(ids)
  local sort_keys, id_of_key, has_clash = {}, {}, false
  for i = 1, #ids do
    local key = numbers[2 * i - 1] * 8192 + floor(numbers[2 * i] / 134217728)
    if id_of_key[key] then has_clash = true break end
    id_of_key[key] = ids[i]
    sort_keys[i] = key
  end
  local sorted = {}
  if not has_clash then
    table.sort(sort_keys)
    for i = 1, #sort_keys do sorted[i] = id_of_key[sort_keys[i]] end
    return sorted
  end
  for i = 1, #ids do sorted[i] = i end
  table.sort(sorted, function(x, y)
    local tick_x, tick_y = numbers[2 * x - 1], numbers[2 * y - 1]
    if tick_x ~= tick_y then return tick_x < tick_y end
    return numbers[2 * x] < numbers[2 * y]
  end)
  for i = 1, #ids do sorted[i] = ids[sorted[i]] end
  return sorted
end
