-- Ids in order. An id is ten bytes: 40 bits of 16 ms, 40 random ones. They are compared as pairs of
-- numbers, since Lua compares strings by the locale of the server.

-- The ids as numbers: high, low, high, low, ... A table is read in batches, for the Lua stack.
local function numbers(ids)
  local all = {}
  for from = 1, #ids, 500 do
    local to = math.min(from + 499, #ids)
    local part = { unpack_('>' .. string.rep('I5I5', to - from + 1), table.concat(ids, '', from, to)) }
    for i = 1, (to - from + 1) * 2 do all[(from - 1) * 2 + i] = part[i] end
  end
  return all
end

-- The ids, the oldest first. The sort is by one number, of the high part and 13 bits of the low
-- one, which is exact and four times as quick as a comparison function; only where two ids agree
-- in it must the function be used.
local function ascending(ids)
  local w = numbers(ids)
  local keys, at, clash = {}, {}, false
  for i = 1, #ids do
    local key = w[2 * i - 1] * 8192 + floor(w[2 * i] / 134217728)
    if at[key] then clash = true break end
    at[key] = ids[i]
    keys[i] = key
  end
  local sorted = {}
  if not clash then
    table.sort(keys)
    for i = 1, #keys do sorted[i] = at[keys[i]] end
    return sorted
  end
  for i = 1, #ids do sorted[i] = i end
  table.sort(sorted, function(x, y)
    local hx, hy = w[2 * x - 1], w[2 * y - 1]
    if hx ~= hy then return hx < hy end
    return w[2 * x] < w[2 * y]
  end)
  for i = 1, #ids do sorted[i] = ids[sorted[i]] end
  return sorted
end
