local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
if call('GET', KEYS[1]) == ARGV[1] then return 1 end
if now > tonumber(ARGV[2]) then return 0 end
call('SET', KEYS[1], ARGV[1])
return 1
