-- KEYS: lane. ARGV: the lowest key to accept. It is never lowered, and never forgotten: a lane that
-- expired would take in again what was retired.
if not present() then born(now + IDLE) end
if tonumber(A[1]) > (key_floor or 0) then c('HSET', K[1], 'k', A[1]) end
c('PERSIST', K[1])
return 1
