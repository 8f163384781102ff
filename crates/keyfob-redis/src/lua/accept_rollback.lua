#!lua flags=allow-oom
-- Accepts the tokens again that are refused since the lane was rolled back. Returns whether there were any.
-- Appends the entries, whether there were any or not: the entries of one acceptance are in one lane.
@include names@
@include permissions@
@include append_entries@
local former_birth = call('HGET', @key.lane@, @lane.former_birth@)
if not former_birth then return 0 end
call('HSET', @key.lane@, @lane.birth@, former_birth)
call('HDEL', @key.lane@, @lane.former_birth@, @lane.lost_since@, @lane.noticed_at@)
return 1
