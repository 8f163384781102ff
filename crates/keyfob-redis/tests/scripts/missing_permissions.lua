local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local missing = {}
for i = 1, #ARGV do
  local command, subcommand = string.match(ARGV[i], '^([^|]+)|?(.*)$')
  local words = subcommand == '' and { command, KEYS[1] } or { command, subcommand, KEYS[1] }
  local is_known, is_allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not is_known or not is_allowed then missing[#missing + 1] = ARGV[i] end
end
return missing
