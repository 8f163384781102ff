-- KEYS: lane, directory of the cells, then for each use, the record and its last use. ARGV: for each,
-- the rest of the id, when, the span of the end that it has moved or ''.
-- The note of the last use goes with the record.
local a = 1
for i = 3, #K, 2 do
  local rest, at, span = A[a], A[a + 1], A[a + 2]
  if c('GETRANGE', K[i], 30, 35) == rest then
    local known = c('GET', K[i + 1])
    if not known or tonumber(known) < tonumber(at) then
      c('SET', K[i + 1], at, 'PXAT', string.format('%.0f', c('PEXPIRETIME', K[i])))
      local header = span ~= '' and c('GETRANGE', K[i], 0, 135)
      if header and sound(header) and sub(header, 39, 44) ~= span and clear(header) then
        local _, moved = pcall(shift, K[2], header, span, sub(K[i], -10) .. rest)
        if moved == true then c('SETRANGE', K[i], 38, span) end
      end
    end
  end
  a = a + 3
end
return 1
