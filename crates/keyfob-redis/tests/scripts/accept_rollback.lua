local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
for _, command in ipairs({ 'hdel', 'hget', 'hset' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local former_birth = call('HGET', KEYS[1], 'f')
if not former_birth then return 0 end
call('HSET', KEYS[1], 'b', former_birth)
call('HDEL', KEYS[1], 'f', 's', 'o')
return 1
