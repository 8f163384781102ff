-- The lane hash, always K[1]: `b` where its sequence began, `n` where it is, `r` the highest
-- boundary of any index head in the lane, `*` and eight-byte fields for epochs.
--
-- An epoch is: stamp (8), when (6), until when it covers anything (6), operation (8), note.

-- How long a lane that nothing lives in is kept, and an epoch at least: longer than a login that
-- read its stamp may take.
local IDLE = @IDLE@

-- The sequence and the boundary of the lane, once read.
local sequence, boundary

-- Makes the lane if it is not there. A sequence begins at the time in microseconds, so that stamps
-- from before a loss lie outside what follows it. No boundary that an older index may still have
-- lies beyond the present, so that is the first value of `r`.
local function born(expire)
  local n = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', n)
  local r = pack('>I5I5', floor(now / 16), 0)
  c('HSET', K[1], 'b', digits, 'n', digits, 'r', r)
  c('PEXPIREAT', K[1], string.format('%.0f', expire))
  return n, r
end
