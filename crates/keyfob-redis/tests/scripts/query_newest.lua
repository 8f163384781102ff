local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local function id_numbers(ids)
  local numbers = {}
  for from = 1, #ids, 500 do
    local to = math.min(from + 499, #ids)
    local batch = { unpack_bytes('>' .. string.rep('I5I5', to - from + 1), table.concat(ids, '', from, to)) }
    for i = 1, (to - from + 1) * 2 do numbers[(from - 1) * 2 + i] = batch[i] end
  end
  return numbers
end
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
local function is_readable(record)
  return #record >= 51 and byte(record, 1) == 1
end
local function epoch_fields(record)
  local flags, fields = byte(record, 2), {}
  local body_at = 52 + flags % 2 * 4
  for i = 1, floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16) do
    local after = body_at + 8
    fields[i] = sub(record, body_at, after - 1)
    body_at = after
  end
  return fields, body_at
end
local function read_epochs(fields)
  local epochs = call('HMGET', KEYS[1], 't', 'b', 'n', '*',
    unpack(fields))
  return epochs
end
local function load_records(ids, record_prefix, last_use_prefix, note_prefix)
  local records = {}
  if #ids == 0 then return records end
  local keys = {}
  for i = 1, #ids do
    keys[i] = record_prefix .. ids[i]
    keys[#ids + i] = last_use_prefix .. ids[i]
  end
  local found = {}
  for from = 1, #keys, 2000 do
    local batch = call('MGET', unpack(keys, from, math.min(from + 1999, #keys)))
    for i = 1, #batch do found[from - 1 + i] = batch[i] end
  end
  for i = 1, #ids do
    local record = found[i]
    if record then
      local parts = { record }
      if is_readable(record) then
        local note = byte(record, 37) > 1 and call('GET', note_prefix .. ids[i])
        parts = { record, found[#ids + i], note, read_epochs((epoch_fields(record))) }
      end
      records[#records + 1] = { ids[i], parts }
    end
  end
  return records
end
local limit, leaf_budget, below = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local below_tick, below_random = math.huge, 0
if below ~= '' then below_tick, below_random = unpack_bytes('>I5I5', below) end
local unread_tick, unread_random = -1, 0
local function chunk_before(directory, id)
  return call('ZREVRANGEBYLEX', directory, id == '' and '+' or '(' .. id, '-', 'LIMIT', 0, 1)[1]
end
local function each_newest_leaf(head, visit)
  local last = call('ZRANGE', head, -1, -1)[1]
  if not last then return end
  local directory, leaf, leaves_left, is_first = head .. 'd', head, leaf_budget, true
  local bound = #last == 11 and sub(last, -10)
  if bound then
    local tick, random = unpack_bytes('>I5I5', bound)
    if tick > below_tick or (tick == below_tick and random >= below_random) then
      bound = chunk_before(directory, below)
      leaf = bound and head .. bound
    end
  end
  while leaf do
    local members = call('ZRANGE', leaf, 0, -1)
    if #members > 0 and #members[#members] == 11 then members[#members] = nil end
    local are_enough = visit(members, is_first)
    leaves_left, is_first = leaves_left - 1, false
    local next_bound = bound and chunk_before(directory, bound)
    if not next_bound then return end
    if are_enough or leaves_left == 0 then
      local tick, random = unpack_bytes('>I5I5', bound)
      if tick > unread_tick or (tick == unread_tick and random > unread_random) then
        unread_tick, unread_random = tick, random
      end
      return
    end
    bound, leaf = next_bound, head .. next_bound
  end
end
local ids, order, count = {}, {}, 0
for i = 2, #KEYS do
  local before = count
  each_newest_leaf(KEYS[i], function(members)
    local numbers = id_numbers(members)
    for j = 1, #members do
      local tick, random = numbers[2 * j - 1], numbers[2 * j]
      if tick < below_tick or (tick == below_tick and random < below_random) then
        count = count + 1
        ids[count], order[count] = members[j], tick * 8192 + floor(random / 134217728)
      end
    end
    return count - before >= limit
  end)
end
local highest, highest_count, lowest = {}, 0, -1
if limit < 64 then
  for i = 1, count do
    local number = order[i]
    if number > lowest then
      local at = highest_count + 1
      while at > 1 and highest[at - 1] < number do at = at - 1 end
      if highest[at - 1] ~= number then
        table.insert(highest, at, number)
        highest[limit + 2] = nil
        highest_count = math.min(highest_count + 1, limit + 1)
        if highest_count > limit then lowest = highest[highest_count] end
      end
    end
  end
end
local candidates, is_listed = {}, {}
for i = 1, count do
  if order[i] >= lowest and not is_listed[ids[i]] then
    is_listed[ids[i]] = true
    candidates[#candidates + 1] = ids[i]
  end
end
local sorted, page, resume_below = oldest_first(candidates), {}, nil
for i = #sorted, 1, -1 do
  local tick, random = unpack_bytes('>I5I5', sorted[i])
  if tick < unread_tick or (tick == unread_tick and random < unread_random) then break end
  if #page == limit then
    resume_below = page[limit]
    break
  end
  page[#page + 1] = sorted[i]
end
if not resume_below and unread_tick >= 0 then
  resume_below = pack('>I5I5', unread_tick, unread_random)
end
local records = load_records(page, ARGV[4], ARGV[5], ARGV[6])
return { resume_below or false, records }
