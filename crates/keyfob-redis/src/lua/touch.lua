-- KEYS: for each use, the record and its last use. ARGV: for each, the rest of the id and when.
-- The note of the last use goes with the record.
for i = 1, #K, 2 do
  if c('GETRANGE', K[i], 30, 35) == A[i] then
    local known = c('GET', K[i + 1])
    if not known or tonumber(known) < tonumber(A[i + 1]) then
      c('SET', K[i + 1], A[i + 1], 'PXAT', string.format('%.0f', c('PEXPIRETIME', K[i])))
    end
  end
end
return 1
