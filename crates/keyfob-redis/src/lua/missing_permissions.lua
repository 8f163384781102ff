-- Returns which of the commands the user may not run with a key of the namespace.
@include names@
local missing = {}
for i = @first_arg.commands@, #ARGV do
  local command, subcommand = string.match(ARGV[i], '^([^|]+)|?(.*)$')
  local words = subcommand == '' and { command, @key.any@ } or { command, subcommand, @key.any@ }
  local is_known, is_allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not is_known or not is_allowed then missing[#missing + 1] = ARGV[i] end
end
return missing
