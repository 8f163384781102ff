-- What every script calls things. K and A are the keys and the arguments; k and a, where a function
-- takes them, are the places in them to read on from.
local K, A, c = KEYS, ARGV, redis.call
local pack, unpack_ = struct.pack, struct.unpack
local sub, floor = string.sub, math.floor
