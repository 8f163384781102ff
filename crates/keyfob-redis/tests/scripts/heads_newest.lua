local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local limit, leaf_budget, below = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
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
local ids, count, head_count = {}, 0, 0
local function is_below(id, bound_tick, bound_random)
  local tick, random = unpack_bytes('>I5I5', id)
  return tick < bound_tick or (tick == bound_tick and random < bound_random)
end
for i = 2, #KEYS do
  local before = count
  each_newest_leaf(KEYS[i], function(members, is_first)
    if is_first and below ~= '' then
      for _, id in ipairs(members) do
        if is_below(id, below_tick, below_random) then ids[count + 1], count = id, count + 1 end
      end
    else
      for j = 1, #members do ids[count + j] = members[j] end
      count = count + #members
    end
    return count - before >= limit
  end)
  if count > before then head_count = head_count + 1 end
end
if head_count > 1 then
  local kept, kept_count, is_kept = {}, 0, {}
  for i = 1, count do
    local id = ids[i]
    if not is_kept[id] and not is_below(id, unread_tick, unread_random) then
      kept_count = kept_count + 1
      kept[kept_count], is_kept[id] = id, true
    end
  end
  ids, count = kept, kept_count
end
local first_stamp, last_stamp, everything_below, stamp_of = 1, 0, 0, {}
local function read_epochs(fields)
  local epochs = call('HMGET', KEYS[1], 't', 'b', 'n', '*',
    unpack(fields))
  if (not epochs[1] or epochs[1] == ARGV[1]) and epochs[2] and epochs[3] then
    first_stamp, last_stamp = tonumber(epochs[2]), tonumber(epochs[3])
  end
  local everything = epochs[4]
  if everything then everything_below = (unpack_bytes('>I8', everything, 1)) end
  for i = 1, #fields do
    local epoch = epochs[4 + i]
    if epoch then stamp_of[fields[i]] = (unpack_bytes('>I8', epoch, 1)) end
  end
end
local lane_size = redis.pcall('HLEN', KEYS[1])
local knows_all = type(lane_size) == 'number' and lane_size <= 1000
if knows_all then
  read_epochs({})
  local lane = call('HGETALL', KEYS[1])
  for i = 1, #lane, 2 do
    if #lane[i] == 8 then
      local epoch = lane[i + 1]
      stamp_of[lane[i]] = (unpack_bytes('>I8', epoch, 1))
    end
  end
end
local parts, part_count, unreadable = {}, 0, false
local prefix = ARGV[5]
for from = 1, count, 500 do
  local last, keys = math.min(from + 499, count), {}
  for i = from, last do keys[i - from + 1] = prefix .. ids[i] end
  local records, fields = call('MGET', unpack(keys)), {}
  for i = 1, #keys do
    local record = records[i]
    local is_readable = record and #record >= 51 and byte(record, 1) == 1
    if is_readable then
      local flags = byte(record, 2)
      local field_count = floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16)
      local at = 52 + flags % 2 * 4
      local body_at = at + field_count * 8
      if not knows_all then
        for field_at = at, body_at - 1, 8 do
          local field = sub(record, field_at, field_at + 8 - 1)
          if not stamp_of[field] then
            stamp_of[field] = 0
            fields[#fields + 1] = field
          end
        end
      end
      is_readable = #record >= body_at - 1
    end
    if record and not is_readable then
      unreadable, records[i] = { ids[from + i - 1], record }, false
    end
  end
  if not knows_all then read_epochs(fields) end
  for i = 1, #keys do
    local record = records[i]
    if record then
      local flags, stamp, is_refused = byte(record, 2), (unpack_bytes('>I8', record, 7)), '0'
      local field_count = floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16)
      local at = 52 + flags % 2 * 4
      if byte(record, 37) ~= 0 or stamp < everything_below or stamp < first_stamp or stamp > last_stamp then
        is_refused = '1'
      else
        for field_at = at, at + (field_count - 1) * 8, 8 do
          local epoch_stamp = stamp_of[sub(record, field_at, field_at + 8 - 1)]
          if epoch_stamp and stamp < epoch_stamp then is_refused = '1' end
        end
      end
      parts[part_count + 1], parts[part_count + 2] = is_refused, ids[from + i - 1]
      parts[part_count + 3] = sub(record, 1, at - 1)
      part_count = part_count + 3
    end
  end
end
local resume_below = unread_tick >= 0 and pack('>I5I5', unread_tick, unread_random)
return { resume_below, table.concat(parts), unreadable }
