local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
if ARGV[1] ~= '' then call('SET', KEYS[1], ARGV[1], 'NX') end
return call('GET', KEYS[1])
