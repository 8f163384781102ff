local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local found = call('MGET', KEYS[2], KEYS[3])
local record, last_use = found[1], found[2]
if not record then return false end
if #record < 51 or byte(record, 1) ~= 1 then return { record } end
local note = byte(record, 37) > 1 and call('GET', KEYS[4])
local flags, fields = byte(record, 2), {}
local body_at = 52 + flags % 2 * 4
for i = 1, floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16) do
  local after = body_at + 8
  fields[i] = sub(record, body_at, after - 1)
  body_at = after
end
local epochs = call('HMGET', KEYS[1], 't', 'b', 'n', '*',
  unpack(fields))
return { record, last_use, note, epochs }
