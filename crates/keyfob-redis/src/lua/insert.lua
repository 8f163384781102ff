-- KEYS: lane, events, answer, records as in records.lua.
-- ARGV: deadline, 1 if the answer is to be remembered, cap, expiry of the events, their number, the
-- events, the number of records, records as in records.lua.
--
-- The records themselves remember the operation. Only where none of them outlives the deadline is
-- its answer kept beside them.
local events = tonumber(A[5])
local k, a = 4, 7 + events
local count = tonumber(A[a - 1])
local remember = A[2] == '1'

if remember then
  local answer = c('GET', K[3])
  if answer then return { 'stored', answer } end
end

-- The common case asks for nothing: SET NX tells whether the id is free.
local plain = count == 1 and A[a + 5] == '' and now <= tonumber(A[1])
if plain then
  local ahead = unpack_('>I5', sub(K[k], -10)) * 16 - now
  if ahead > AHEAD then return { 'ahead', ahead } end
else
  local refused = refusal(k, a, count)
  if refused then return refused end
  if now > tonumber(A[1]) then return { 'late' } end
end

if not present() then born(math.max(A[a + 4], now + 1000)) end

local stamp = store(k, a, count)
if not stamp then return refusal(k, a, count) end
append(K[2], 6, events, A[3], A[4])
if remember then c('SET', K[3], string.format('%.0f', stamp), 'PXAT', A[1]) end
return { 'stored', stamp }
