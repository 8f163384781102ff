-- Appends `count` entries, from A[a] on, to a capped stream. The stream's time to live is raised in
-- coarse steps, so that most of the raises change nothing and are not replicated. GT alone never
-- sets a first one: that is what NOMKSTREAM tells.
local function append(stream, a, count, cap, expire)
  if count == 0 then return end
  for i = a, a + count - 1 do
    if not c('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', cap, '*', 'e', A[i]) then
      c('XADD', stream, 'MAXLEN', '~', cap, '*', 'e', A[i])
      c('PEXPIREAT', stream, expire)
    end
  end
  c('PEXPIREAT', stream, expire, 'GT')
end
