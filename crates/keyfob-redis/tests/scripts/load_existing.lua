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
local record = call('GET', KEYS[2])
if not record then return false end
if not is_readable(record) then return { record } end
return { record, false, false, read_epochs((epoch_fields(record))) }
