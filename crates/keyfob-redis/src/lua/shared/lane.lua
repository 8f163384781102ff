-- The hash of the lane. Its fields are listed in `constants.rs`; every other field is an epoch.
--
-- A small hash is a list to the server: a field that is missing, as most epochs are, is found to be missing
-- only at its end. One value that is longer than the server allows in such a list makes it a table.

-- How long a lane is kept that holds nothing, and the minimum for an epoch. A login that read a stamp
-- takes less time than this.
local EPOCH_RETENTION = @EPOCH_RETENTION_MS@

-- Creates the lane, in the place of a lane of another namespace if there is one. Its sequence
-- begins at the time in microseconds. Stamps from before a loss are smaller, so they are outside
-- the sequence. No bound of an older index lies beyond the present, so the present is the first
-- highest bound.
local function create_lane(expires_at)
  local birth = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', birth)
  local tick = floor(now / @TICK_MS@)
  call('DEL', @key.lane@)
  call('HSET', @key.lane@, @lane.birth@, digits, @lane.sequence@, digits, @lane.highest_bound@, tick,
    @lane.namespace@, @arg.namespace@, @lane.wide@, string.rep('-', @WIDE_BYTES@))
  call('PEXPIREAT', @key.lane@, string.format('%.0f', expires_at))
  sequence, highest_bound, kept_until, min_key_version = birth, tick, 0, 0
  return digits
end

-- Reads the lane. Returns its sequence, or nil if the namespace has no lane here.
local function read_lane()
  @include read_lane@
  if is_foreign(lane[2]) then return nil end
  if sequence and not lane[2] then call('HSET', @key.lane@, @lane.namespace@, @arg.namespace@) end
  return sequence
end
