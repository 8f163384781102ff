local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local last = call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return { string.format('%.0f', now), last and last[1] or false }
