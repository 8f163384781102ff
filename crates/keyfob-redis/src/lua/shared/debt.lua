-- The debt of a rate limit's key, in whole units, and when it was measured: the rule of `Meter`. All
-- numbers are below 2^53, so they are exact here too.

-- Returns the present debt of a key, when it was measured, and whether that time had to be corrected. A
-- clock that was set back by more than a second drains from its new time on.
local function read_debt(key, drain)
  local stored = call('GET', key)
  if not stored or #stored ~= @debt.measured_at.last@ then return 0, now, false end
  local units, measured_at = @debt[stored].units@, @debt[stored].measured_at@
  if measured_at > now then
    local was_set_back = measured_at - now > 1000
    return units, was_set_back and now or measured_at, was_set_back
  end
  units = units - (now - measured_at) * drain
  return units > 0 and units or 0, now, false
end

-- Stores the debt of a key until it has drained.
local function store_debt(key, units, measured_at, drain)
  local ends_at = string.format('%.0f', measured_at + math.ceil(units / drain) + 1)
  call('SET', key, pack('>I8I8', units, measured_at), 'PXAT', ends_at)
end
