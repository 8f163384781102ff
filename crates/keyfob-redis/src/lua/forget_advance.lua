-- Removes an advance that is finished.
@include names@
return call('HDEL', @key.unfinished@, @arg.operation@)
