-- Raises the lowest key version that the lane accepts. It is never lowered, and the lane never expires: a
-- new lane would accept a retired key version again.
@include names@
@include clock@
@include namespace@
@include lane_state@
@include lane@
@include permissions@
if not read_lane() then
  if not may_create_lane() then return { @reply.lane_missing@ } end
  create_lane(now + EPOCH_RETENTION)
end
if tonumber(@arg.key_version@) > (min_key_version or 0) then
  call('HSET', @key.lane@, @lane.min_key_version@, @arg.key_version@)
end
call('PERSIST', @key.lane@)
return { @reply.stored@ }
