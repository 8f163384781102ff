-- Returns the fields of a hash and their values.
@include names@
return call('HGETALL', @key.hash@)
