-- The server's clock, in milliseconds. Deadlines and expiries are measured by this one alone, so
-- that a node whose clock is wrong cannot write late or keep anything too long.
local time = c('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
