-- Takes the permits of all keys, or none of any. KEYS: one for each charge. ARGV: for each, the
-- units of a permit, those that drain in a millisecond, those of the burst, the least and the most
-- permits. Answers whether all were admitted, the time, and for each key what it owes, when, and how
-- much was taken.
local admitted, all = true, {}
for i = 1, #K do
  local o = i * 5 - 5
  local x = { permit = tonumber(A[o + 1]), drain = tonumber(A[o + 2]), whole = tonumber(A[o + 3]) }
  local least, most = tonumber(A[o + 4]), tonumber(A[o + 5])
  local back
  x.debt, x.at, back = owed(K[i], x.drain)
  if back then keep(K[i], x.debt, x.at, x.drain) end
  if least > 0 and x.debt + least * x.permit > x.whole then
    admitted = false
  elseif x.debt + most * x.permit <= x.whole then
    x.taken = most
  else
    x.taken = floor((x.whole - x.debt) / x.permit)
    -- A quotient that was rounded up.
    if x.debt + x.taken * x.permit > x.whole then x.taken = x.taken - 1 end
    if x.taken < 0 then x.taken = 0 end
  end
  all[i] = x
end
local answer = { admitted and 1 or 0, now }
for i = 1, #K do
  local x = all[i]
  if not admitted then
    x.taken = 0
  elseif x.taken > 0 then
    x.debt = x.debt + x.taken * x.permit
    keep(K[i], x.debt, x.at, x.drain)
  end
  answer[i * 3] = x.debt
  answer[i * 3 + 1] = x.at
  answer[i * 3 + 2] = x.taken
end
return answer
