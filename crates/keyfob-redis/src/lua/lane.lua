-- The lane hash, always K[1]: `b` where its sequence began, `n` where it is, `r` the tick of the
-- highest bound of any index head in the lane, `x` a time up to which it is kept at least, `k` the
-- lowest key that is accepted, `*` and eight-byte fields for epochs. A lane with a `k` never expires.
--
-- An epoch is: stamp (8), when (6), until when it covers anything (6), operation (8), note.

-- How long a lane that nothing lives in is kept, and an epoch at least: longer than a login that
-- read its stamp may take.
local IDLE = @IDLE@

-- The sequence and the boundary of the lane, when it ends at the earliest, and the lowest key that
-- it accepts, once read.
local sequence, boundary, ends, key_floor

-- Makes the lane if it is not there. A sequence begins at the time in microseconds, so that stamps
-- from before a loss lie outside what follows it. No boundary that an older index may still have
-- lies beyond the present, so that is the first value of `r`.
local function born(expire)
  local n = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', n)
  local r = floor(now / 16)
  c('HSET', K[1], 'b', digits, 'n', digits, 'r', r)
  c('PEXPIREAT', K[1], string.format('%.0f', expire))
  sequence, boundary, ends, key_floor = n, r, 0, 0
  return digits
end

-- Reads the lane; whether it is there.
local function present()
  local lane = c('HMGET', K[1], 'n', 'r', 'x', 'k')
  sequence, boundary, ends = tonumber(lane[1]), tonumber(lane[2]), tonumber(lane[3] or 0)
  key_floor = tonumber(lane[4] or 0)
  return sequence
end
