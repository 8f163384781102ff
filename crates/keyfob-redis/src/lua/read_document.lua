-- Returns a document, or nil.
@include names@
return call('HGET', @key.documents@, @arg.name@)
