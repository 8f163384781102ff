-- Returns a few of the advances over all lanes that are unfinished.
@include names@
return call('HRANDFIELD', @key.unfinished@, 16, 'WITHVALUES')
