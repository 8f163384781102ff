#!lua flags=allow-oom
local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
for _, command in ipairs({ 'del', 'hmget', 'hset', 'set', 'time' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local lane = call('HMGET', KEYS[1], 'n', 'b', 'p', 'f', 't')
local sequence, birth, namespace = tonumber(lane[1]), tonumber(lane[2]), lane[5]
if not sequence or (namespace and namespace ~= ARGV[1]) then return { 0, 0, 0 } end
local pulse, known = tonumber(lane[3] or 0), tonumber(ARGV[2])
local is_rolled_back = pulse + tonumber(ARGV[4]) < known and birth < known * 1000
if is_rolled_back then
  local digits = string.format('%.0f', math.max(sequence + 1, time[1] * 1000000 + time[2]))
  if not lane[4] then
    call('HSET', KEYS[1], 'f', lane[2], 's', pulse)
  end
  call('HSET', KEYS[1], 'b', digits, 'n', digits, 'o', now)
  call('SET', KEYS[2], '')
  call('DEL', KEYS[2])
end
if is_rolled_back or now - pulse >= tonumber(ARGV[3]) then
  pulse = math.max(pulse, known, now)
  call('HSET', KEYS[1], 'p', string.format('%.0f', pulse), 'w', string.rep('-', 65))
end
return { pulse, is_rolled_back and 1 or 0, (is_rolled_back or lane[4]) and 1 or 0 }
