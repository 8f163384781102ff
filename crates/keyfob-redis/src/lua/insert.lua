-- KEYS: lane, events, answer, records as in records.lua.
-- ARGV: deadline, 1 if the answer is to be remembered, cap, expiry of the events, their number, the
-- events, the number of records, records as in records.lua.
--
-- The records themselves remember the operation. Only where none of them outlives the deadline is
-- its answer kept beside them: until the deadline, or until they have been gone for a while. What is
-- sent again later than that is over, and stores nothing.
local GRACE = 8000
local events = tonumber(A[5])
local k, a = 4, 7 + events
local count = tonumber(A[a - 1])
local remember, over = A[2] == '1', 0

if remember then
  local answer = c('GET', K[3])
  if answer then return { 'stored', answer } end
  for i = 0, count - 1 do over = math.max(over, tonumber(A[a + 2 + STRIDE * i])) end
end

-- The common case asks for nothing: SET NX tells whether the id is free.
local plain = count == 1 and A[a + 5] == '' and now <= tonumber(A[1])
if plain then
  local ahead = unpack_('>I5', sub(K[k], -10)) * 16 - now
  if ahead > AHEAD then return { 'ahead', ahead } end
else
  local refused = refusing()(k, a, count)
  if refused then return refused end
  if now > tonumber(A[1]) then return { 'late' } end
end

if not present() then born(math.max(A[a + 4], now + 1000)) end
if key_floor > 0 then
  for i = 0, count - 1 do
    local key = unpack_('>I2', A[a + 1 + STRIDE * i], 7)
    if key < key_floor then
      -- Unless an earlier sending was done before the floor was raised.
      local again = refusing()(k, a, count)
      return again and again[1] == 'stored' and again or { 'retired', key, key_floor }
    end
  end
end

local stamp = store(k, a, count)
if not stamp then return refusing()(k, a, count) end
if remember then
  -- An answer may have been there and gone: rather no event than two. A second is to spare.
  if now > over + GRACE - 1000 then return { 'stored', stamp } end
  local kept = math.min(tonumber(A[1]), math.max(over, now) + GRACE)
  c('SET', K[3], string.format('%.0f', stamp), 'PXAT', string.format('%.0f', kept))
end
append(K[2], 6, events, A[3], A[4])
return { 'stored', stamp }
