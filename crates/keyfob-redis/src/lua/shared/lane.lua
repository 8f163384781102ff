-- The hash of the lane. Its fields are listed in `constants.rs`; every other field is an epoch.

-- How long a lane is kept that holds nothing, and the minimum for an epoch. A login that read a stamp
-- takes less time than this.
local EPOCH_RETENTION = @EPOCH_RETENTION_MS@

-- What is known of the lane after it was read or created: its sequence, the tick of the highest lower
-- bound of its index heads, the time up to which it is kept, the lowest key version that it accepts.
local sequence, highest_bound, kept_until, min_key_version

-- Creates the lane, in the place of a lane of another namespace if there is one. Its sequence begins at
-- the time in microseconds. Stamps from before a loss are smaller, so they lie outside the sequence. No
-- bound of an older index lies beyond the present, so the present is the first highest bound.
local function create_lane(expires_at)
  local birth = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', birth)
  local tick = floor(now / @TICK_MS@)
  call('DEL', @key.lane@)
  call('HSET', @key.lane@, @lane.birth@, digits, @lane.sequence@, digits, @lane.highest_bound@, tick,
    @lane.namespace@, @arg.namespace@)
  call('PEXPIREAT', @key.lane@, string.format('%.0f', expires_at))
  sequence, highest_bound, kept_until, min_key_version = birth, tick, 0, 0
  return digits
end

-- Reads the lane. Returns its sequence, or nil if the namespace has no lane here.
local function read_lane()
  local lane = call('HMGET', @key.lane@, @lane.sequence@, @lane.highest_bound@, @lane.kept_until@,
    @lane.min_key_version@, @lane.namespace@)
  sequence, highest_bound = tonumber(lane[1]), tonumber(lane[2])
  kept_until, min_key_version = tonumber(lane[3] or 0), tonumber(lane[4] or 0)
  if is_foreign(lane[5]) then return nil end
  if sequence and not lane[5] then call('HSET', @key.lane@, @lane.namespace@, @arg.namespace@) end
  return sequence
end
