-- KEYS: a stream. ARGV: entries after this id, how many, 1 if it matters what was trimmed.
--
-- Answers the time, the entries, the id of the first that is kept, and whether any ever gave way.
local entries = c('XRANGE', K[1], '(' .. A[1], '+', 'COUNT', A[2])
local first = c('XRANGE', K[1], '-', '+', 'COUNT', 1)[1]
local trimmed = 0
if first and A[3] == '1' then
  local info, said = c('XINFO', 'STREAM', K[1]), {}
  for i = 1, #info, 2 do said[info[i]] = info[i + 1] end
  if said['entries-added'] ~= said['length'] then trimmed = 1 end
end
local out = {}
for i, entry in ipairs(entries) do out[i] = { entry[1], entry[2][2] } end
return { string.format('%.0f', now), out, first and first[1] or false, trimmed }
