-- Returns the sequence of a lane and the tag of its namespace, each false if there is none.
@include names@
return call('HMGET', @key.lane@, @lane.sequence@, @lane.namespace@)
