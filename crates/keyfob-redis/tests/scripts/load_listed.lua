local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
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
local ids = {}
for i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end
return load_records(ids, ARGV[1], ARGV[2], ARGV[3])
