-- The server's clock, in milliseconds. Only this clock decides on deadlines and expiry, so a node
-- whose clock is wrong cannot write too late or keep anything too long.
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
