local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local EPOCH_RETENTION = 3600000
local sequence, highest_bound, kept_until, min_key_version
local function create_lane(expires_at)
  local birth = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', birth)
  local tick = floor(now / 16)
  call('HSET', KEYS[1], 'b', digits, 'n', digits, 'r', tick)
  call('PEXPIREAT', KEYS[1], string.format('%.0f', expires_at))
  sequence, highest_bound, kept_until, min_key_version = birth, tick, 0, 0
  return digits
end
local function read_lane()
  local lane = call('HMGET', KEYS[1], 'n', 'r', 'x',
    'k')
  sequence, highest_bound = tonumber(lane[1]), tonumber(lane[2])
  kept_until, min_key_version = tonumber(lane[3] or 0), tonumber(lane[4] or 0)
  return sequence
end
if not read_lane() then create_lane(now + EPOCH_RETENTION) end
if tonumber(ARGV[1]) > (min_key_version or 0) then
  call('HSET', KEYS[1], 'k', ARGV[1])
end
call('PERSIST', KEYS[1])
return 1
