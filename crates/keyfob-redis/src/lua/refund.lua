-- Gives permits back that were taken a moment ago. KEYS: one for each. ARGV: when they were taken,
-- then for each key the units of all of them, and those that drain in a millisecond. What has
-- drained since is not given back: it may have been others' only thanks to these.
for i = 1, #K do
  local taken, drain = tonumber(A[i * 2]), tonumber(A[i * 2 + 1])
  local debt, at = owed(K[i], drain)
  local gone = (at - A[1]) * drain
  local back = taken - (gone > 0 and gone or 0)
  if back > 0 and debt > 0 then
    keep(K[i], debt > back and debt - back or 0, at, drain)
  end
end
return 1
