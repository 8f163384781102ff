-- Returns names and documents from one name up to another, in the order of their bytes.
@include names@
local found = {}
local names = call('ZRANGEBYLEX', @key.document_names@, '[' .. @arg.first@, '(' .. @arg.before@, 'LIMIT', 0, @arg.limit@)
for _, name in ipairs(names) do
  found[#found + 1] = name
  found[#found + 1] = call('HGET', @key.documents@, name)
end
return found
