-- Returns the heads of the newest records under a term, in no order. Reads about `limit` ids, and at most
-- `leaf_budget` leaves, of each head of the index (one for each lifetime class), and only ids below `below`,
-- unless that is ''.
--
-- Answers the id to resume below (nil at the end), the heads in one string, and a record that cannot be read
-- with its id, if there is one. All ids that are not below the id to resume at have been read. Each head is
-- 1 if the record must be refused and 0 if not, then the id, then the header up to the epoch fields.
@include names@
@include newest_leaves@
-- The ids that were read, and the number of heads that they are from.
local ids, count, head_count = {}, 0, 0

local function is_below(id, bound_tick, bound_random)
  local tick, random = unpack_bytes('>I5I5', id)
  return tick < bound_tick or (tick == bound_tick and random < bound_random)
end

for i = @first_key.heads@, #KEYS do
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
-- The leaves of one head never overlap. Several heads were read to different ids, and a term that was added
-- again may list one id under two.
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

-- The stamps of the lane's sequence, the stamp of the epoch of everything, and those of other epochs by field.
local first_stamp, last_stamp, everything_below, stamp_of = 1, 0, 0, {}

-- Reads what these fields say, and the lane.
local function read_epochs(fields)
  @include lane_epochs@
  if (not epochs[1] or epochs[1] == @arg.namespace@) and epochs[2] and epochs[3] then
    first_stamp, last_stamp = tonumber(epochs[2]), tonumber(epochs[3])
  end
  local everything = epochs[4]
  if everything then everything_below = @epoch[everything].stamp@ end
  for i = 1, #fields do
    local epoch = epochs[4 + i]
    if epoch then stamp_of[fields[i]] = @epoch[epoch].stamp@ end
  end
end

-- If the lane has few fields, all are read at once: most records have fields without an epoch, and to ask for
-- those takes longer.
local lane_size = redis.pcall('HLEN', @key.lane@)
local knows_all = type(lane_size) == 'number' and lane_size <= 1000
if knows_all then
  read_epochs({})
  local lane = call('HGETALL', @key.lane@)
  for i = 1, #lane, 2 do
    if #lane[i] == @EPOCH_FIELD_BYTES@ then
      local epoch = lane[i + 1]
      stamp_of[lane[i]] = @epoch[epoch].stamp@
    end
  end
end

-- What the answer consists of, and a record that cannot be read.
local parts, part_count, unreadable = {}, 0, false
local prefix = @arg.record_prefix@
for from = 1, count, 500 do
  local last, keys = math.min(from + 499, count), {}
  for i = from, last do keys[i - from + 1] = prefix .. ids[i] end
  local records, fields = call('MGET', unpack(keys)), {}
  for i = 1, #keys do
    local record = records[i]
    local is_readable = record and #record >= @FIXED_HEADER_BYTES@ and @header[record].format@ == @RECORD_FORMAT@
    if is_readable then
      local flags = @header[record].flags@
      local field_count = @flags[flags].has_subject@ + @flags[flags].has_client@ + @flags[flags].ancestors@
      local at = @header.uses_left.first@ + @flags[flags].counts_uses@ * @header.uses_left.size@
      local body_at = at + field_count * @EPOCH_FIELD_BYTES@
      if not knows_all then
        for field_at = at, body_at - 1, @EPOCH_FIELD_BYTES@ do
          local field = sub(record, field_at, field_at + @EPOCH_FIELD_BYTES@ - 1)
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
      local flags, stamp, is_refused = @header[record].flags@, @header[record].stamp@, '0'
      local field_count = @flags[flags].has_subject@ + @flags[flags].has_client@ + @flags[flags].ancestors@
      local at = @header.uses_left.first@ + @flags[flags].counts_uses@ * @header.uses_left.size@
      if @header[record].tombstone@ ~= 0 or stamp < everything_below or stamp < first_stamp or stamp > last_stamp then
        is_refused = '1'
      else
        for field_at = at, at + (field_count - 1) * @EPOCH_FIELD_BYTES@, @EPOCH_FIELD_BYTES@ do
          local epoch_stamp = stamp_of[sub(record, field_at, field_at + @EPOCH_FIELD_BYTES@ - 1)]
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
