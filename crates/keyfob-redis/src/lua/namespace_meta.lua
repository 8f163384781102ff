-- Returns the description of the namespace. Creates it first if there is none and `created` is not ''.
@include names@
if @arg.created@ ~= '' then call('SET', @key.meta@, @arg.created@, 'NX') end
return call('GET', @key.meta@)
