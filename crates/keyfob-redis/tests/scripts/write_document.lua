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
for _, command in ipairs({ 'hdel', 'hset', 'set', 'zadd', 'zrem' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local key_version = tonumber(ARGV[6])
local earlier_answer = call('GET', KEYS[2])
if earlier_answer then return { earlier_answer } end
if now > tonumber(ARGV[3]) then return { 'late' } end
local has_lane = read_lane()
if not has_lane and not may_create_lane() then return { 'no_lane' } end
if has_lane and ARGV[7] ~= '' and key_version < min_key_version then
  return { 'retired', key_version, min_key_version }
end
local former = call('HGET', KEYS[3], ARGV[4]) or ''
local answer = 'stale'
if sub(former, 1, 16) == ARGV[5] then answer = 'stored' end
local function write()
  if answer == 'stored' and ARGV[7] ~= '' then
    call('ZADD', KEYS[4], 0, ARGV[4])
    call('HSET', KEYS[3], ARGV[4], ARGV[7])
  elseif answer == 'stored' then
    call('HDEL', KEYS[3], ARGV[4])
    call('ZREM', KEYS[4], ARGV[4])
  end
  call('SET', KEYS[2], answer, 'PXAT', ARGV[3])
  return { answer }
end
local is_done, answered = pcall(write)
if is_done then return answered end
local function recover()
  if former ~= '' then
    call('ZADD', KEYS[4], 0, ARGV[4])
    call('HSET', KEYS[3], ARGV[4], former)
  else
    call('HDEL', KEYS[3], ARGV[4])
    call('ZREM', KEYS[4], ARGV[4])
  end
  return true
end
answer = answered
local detail = type(answer) == 'table' and answer.err or tostring(answer)
if not string.find(detail, '^%u+ ') then detail = 'ERR ' .. detail end
for _, command in ipairs({ 'get', 'hdel', 'hget', 'hmget', 'hset', 'set', 'time', 'zadd', 'zrem' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    detail = "NOPERM this user has no permissions to run the '" .. command .. "' command"
  end
end
local _, is_undone = pcall(recover)
if is_undone == true then return redis.error_reply(detail) end
return { 'half', detail }
