-- Appends the entries at the end of the arguments to the capped stream.
--
-- The expiry of the stream is raised in coarse steps, so most calls change nothing and replicate
-- nothing. PEXPIREAT with GT never sets a first expiry. XADD with NOMKSTREAM tells whether there was no
-- stream before, which then needs a first expiry. After the last entry nothing can fail, so an operation
-- that failed has no entry and can be repeated.
local first_entry = #ARGV - @arg.entry_count@ + 1
if first_entry <= #ARGV then
  for i = first_entry, #ARGV do
    if not call('XADD', @key.stream@, 'NOMKSTREAM', 'MAXLEN', '~', @arg.entry_cap@, '*', 'e', ARGV[i]) then
      call('XADD', @key.stream@, 'MAXLEN', '~', @arg.entry_cap@, '*', 'e', ARGV[i])
      redis.pcall('PEXPIREAT', @key.stream@, @arg.stream_expires_at@)
    end
  end
  redis.pcall('PEXPIREAT', @key.stream@, @arg.stream_expires_at@, 'GT')
end
