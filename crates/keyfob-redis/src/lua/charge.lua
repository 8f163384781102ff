-- Takes the permits of all keys, or of none. Answers whether all were admitted, the time, and for each key
-- its debt, when that was measured, and how many permits were taken.
@include names@
@include clock@
@include debt@
local is_admitted, limits = true, {}
for i = 1, #KEYS do
  local at = @first_arg.charges@ + (i - 1) * @charge.stride@
  local limit = {
    permit = tonumber(@charge[at].permit@),
    drain = tonumber(@charge[at].drain@),
    burst = tonumber(@charge[at].burst@),
  }
  local min_permits, max_permits = tonumber(@charge[at].min_permits@), tonumber(@charge[at].max_permits@)
  local units, measured_at, permit = read_debt(KEYS[i])
  limit.units, limit.measured_at = convert_debt(units, permit, limit.permit, limit.burst), measured_at
  if min_permits > 0 and limit.units + min_permits * limit.permit > limit.burst then
    is_admitted = false
  elseif limit.units + max_permits * limit.permit <= limit.burst then
    limit.taken = max_permits
  else
    limit.taken = floor((limit.burst - limit.units) / limit.permit)
    -- The quotient may have been rounded up.
    if limit.units + limit.taken * limit.permit > limit.burst then limit.taken = limit.taken - 1 end
    if limit.taken < 0 then limit.taken = 0 end
  end
  limits[i] = limit
end
local answer = { is_admitted and 1 or 0, now }
for i = 1, #KEYS do
  local limit = limits[i]
  if not is_admitted then
    limit.taken = 0
  elseif limit.taken > 0 then
    limit.units = limit.units + limit.taken * limit.permit
    store_debt(KEYS[i], limit.units, limit.measured_at, limit.permit, limit.drain)
  end
  answer[i * 3] = limit.units
  answer[i * 3 + 1] = limit.measured_at
  answer[i * 3 + 2] = limit.taken
end
return answer
