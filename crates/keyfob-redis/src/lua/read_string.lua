-- Returns the string at a key, or nil.
@include names@
return call('GET', @key.key@)
