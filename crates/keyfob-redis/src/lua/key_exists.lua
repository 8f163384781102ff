-- Returns 1 if the key exists, else 0.
@include names@
return call('EXISTS', @key.key@)
