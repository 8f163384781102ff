-- Returns from when to when the lane has lost its writes, or nothing if it was not rolled back, or that was
-- accepted.
@include names@
return call('HMGET', @key.lane@, @lane.lost_since@, @lane.noticed_at@)
