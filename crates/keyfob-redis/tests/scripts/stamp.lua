local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local function is_foreign(tag) return tag and tag ~= ARGV[1] end
local function may_create_lane() return now <= tonumber(ARGV[2]) end
local sequence, highest_bound, kept_until, min_key_version
local EPOCH_RETENTION = 3600000
local function create_lane(expires_at)
  local birth = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', birth)
  local tick = floor(now / 16)
  call('DEL', KEYS[1])
  call('HSET', KEYS[1], 'b', digits, 'n', digits, 'r', tick,
    't', ARGV[1], 'w', string.rep('-', 65))
  call('PEXPIREAT', KEYS[1], string.format('%.0f', expires_at))
  sequence, highest_bound, kept_until, min_key_version = birth, tick, 0, 0
  return digits
end
local function read_lane()
  local lane = call('HMGET', KEYS[1], 'n', 't', 'r', 'x',
    'k')
  sequence, highest_bound = tonumber(lane[1]), tonumber(lane[3])
  kept_until, min_key_version = tonumber(lane[4] or 0), tonumber(lane[5] or 0)
  if is_foreign(lane[2]) then return nil end
  if sequence and not lane[2] then call('HSET', KEYS[1], 't', ARGV[1]) end
  return sequence
end
for _, command in ipairs({ 'del', 'hmget', 'hset', 'pexpireat', 'pttl', 'time' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local stamp, retained_until = read_lane(), now + EPOCH_RETENTION
if not stamp then
  if not may_create_lane() then return { 'no_lane' } end
  stamp = create_lane(retained_until)
elseif call('PTTL', KEYS[1]) < EPOCH_RETENTION / 2 then
  call('PEXPIREAT', KEYS[1], string.format('%.0f', retained_until), 'GT')
end
return { 'stored', string.format('%.0f', stamp) }
