-- Returns the time, the entries after a position, the position of the first entry that is kept, and
-- whether an entry was ever trimmed (only if `reports_trimming` is 1).
@include names@
@include clock@
local found = call('XRANGE', @key.stream@, '(' .. @arg.after@, '+', 'COUNT', @arg.limit@)
local first = call('XRANGE', @key.stream@, '-', '+', 'COUNT', 1)[1]
local was_trimmed = 0
if first and @arg.reports_trimming@ == '1' then
  local info, value_of = call('XINFO', 'STREAM', @key.stream@), {}
  for i = 1, #info, 2 do value_of[info[i]] = info[i + 1] end
  if value_of['entries-added'] ~= value_of['length'] then was_trimmed = 1 end
end
local entries = {}
for i, entry in ipairs(found) do entries[i] = { entry[1], entry[2][2] } end
return { string.format('%.0f', now), entries, first and first[1] or false, was_trimmed }
