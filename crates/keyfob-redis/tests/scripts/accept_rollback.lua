#!lua flags=allow-oom
local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
for _, command in ipairs({ 'hdel', 'hget', 'hset', 'xadd' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local first_entry = #ARGV - ARGV[3] + 1
if first_entry <= #ARGV then
  for i = first_entry, #ARGV do
    if not call('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i]) then
      call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i])
      redis.pcall('PEXPIREAT', KEYS[2], ARGV[2])
    end
  end
  redis.pcall('PEXPIREAT', KEYS[2], ARGV[2], 'GT')
end
local former_birth = call('HGET', KEYS[1], 'f')
if not former_birth then return 0 end
call('HSET', KEYS[1], 'b', former_birth)
call('HDEL', KEYS[1], 'f', 's', 'o')
return 1
