local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local function is_readable(record)
  return #record >= 51 and byte(record, 1) == 1
end
local function epoch_fields(record)
  local flags = byte(record, 2)
  local at = 52
  if flags % 2 == 1 then at = at + 4 end
  local count = floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16)
  local fields = {}
  for i = 1, count do
    local after = at + 8
    fields[i] = sub(record, at, after - 1)
    at = after
  end
  return fields, at
end
local function read_epochs(fields)
  return call('HMGET', KEYS[1], 't', 'b', 'n', '*',
    unpack(fields))
end
local record = call('GET', KEYS[2])
if not record then return false end
if not is_readable(record) then return { record } end
return { record, false, false, read_epochs((epoch_fields(record))) }
