local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local first_entry = #ARGV - ARGV[3] + 1
if first_entry <= #ARGV then
  for i = first_entry, #ARGV do
    if not call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i]) then
      call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i])
      redis.pcall('PEXPIREAT', KEYS[1], ARGV[2])
    end
  end
  redis.pcall('PEXPIREAT', KEYS[1], ARGV[2], 'GT')
end
return 1
