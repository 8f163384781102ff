-- Reads what decides about a write, and the tag of the lane's namespace, `lane[2]`.
local lane = call('HMGET', @key.lane@, @lane.sequence@, @lane.namespace@, @lane.highest_bound@, @lane.kept_until@,
  @lane.min_key_version@)
sequence, highest_bound = tonumber(lane[1]), tonumber(lane[3])
kept_until, min_key_version = tonumber(lane[4] or 0), tonumber(lane[5] or 0)
