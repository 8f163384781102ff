-- Accepts the tokens again that are refused since the lane was rolled back. Returns whether there were any.
@include names@
@include permissions@
local former_birth = call('HGET', @key.lane@, @lane.former_birth@)
if not former_birth then return 0 end
call('HSET', @key.lane@, @lane.birth@, former_birth)
call('HDEL', @key.lane@, @lane.former_birth@, @lane.lost_since@, @lane.noticed_at@)
return 1
