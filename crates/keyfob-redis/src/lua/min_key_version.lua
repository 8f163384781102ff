-- Returns the lowest key version that the lane accepts.
@include names@
return tonumber(call('HGET', @key.lane@, @lane.min_key_version@) or 0)
