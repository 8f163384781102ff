-- Writes the copy of the description of the namespace in the slot of a lane, where it is missing or different.
-- The caller has seen the meta key a moment before. Returns whether the copy is the description now.
@include names@
@include clock@
if call('GET', @key.copy@) == @arg.meta@ then return 1 end
if now > tonumber(@arg.write_until@) then return 0 end
call('SET', @key.copy@, @arg.meta@)
return 1
