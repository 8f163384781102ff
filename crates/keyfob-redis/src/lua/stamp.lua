-- KEYS: lane. The lane is kept for a while, so that what was read here can be inserted with.
local n = c('HGET', K[1], 'n')
local idle = now + IDLE
if not n then
  n = born(idle)
elseif c('PTTL', K[1]) < IDLE / 2 then
  c('PEXPIREAT', K[1], string.format('%.0f', idle), 'GT')
end
return n
