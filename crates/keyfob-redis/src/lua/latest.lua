-- Returns the time and the position of the newest entry.
@include names@
@include clock@
local last = call('XREVRANGE', @key.stream@, '+', '-', 'COUNT', 1)[1]
return { string.format('%.0f', now), last and last[1] or false }
