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
local stamp = call('HGET', KEYS[1], 'n')
local retained_until = now + EPOCH_RETENTION
if not stamp then
  stamp = create_lane(retained_until)
elseif call('PTTL', KEYS[1]) < EPOCH_RETENTION / 2 then
  call('PEXPIREAT', KEYS[1], string.format('%.0f', retained_until), 'GT')
end
return stamp
