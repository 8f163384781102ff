-- KEYS: lane, answer, record, directory of the cells. ARGV: deadline, rest of the id.
local header = c('GETRANGE', K[3], 0, 135)
local before = c('GET', K[2])
if before then return cmsgpack.unpack(before) end
if now > tonumber(A[1]) then return { 'late' } end

if header ~= '' and not sound(header) then return { 'damaged' } end
local outcome = { 'refused' }
if header ~= '' and sub(header, 31, 36) == A[2] and string.byte(header, 2) % 2 == 1
  and clear(header) then
  local left = unpack_('>I4', header, 52)
  if left == 0 then
    outcome = { 'exhausted' }
  else
    c('SETRANGE', K[3], 51, pack('>I4', left - 1))
    outcome = { 'left', left - 1 }
    if left == 1 then pcall(count, K[4], header, 'x', 1) end
  end
end
c('SET', K[2], cmsgpack.pack(outcome), 'PXAT', A[1])
return outcome
