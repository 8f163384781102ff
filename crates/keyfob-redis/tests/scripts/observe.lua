local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local function append_entries()
  local count = tonumber(ARGV[3])
  if count == 0 then return end
  for i = #ARGV - count + 1, #ARGV do
    if not call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i]) then
      call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i])
      redis.pcall('PEXPIREAT', KEYS[1], ARGV[2])
    end
  end
  redis.pcall('PEXPIREAT', KEYS[1], ARGV[2], 'GT')
end
append_entries()
return 1
