-- The debt of a rate limit's key, in whole units, and when it was measured: the rule of `Meter`. All
-- numbers are below 2^53, so they are exact here too.

-- Stores the debt of a key until it has drained.
local function store_debt(key, units, measured_at, permit, drain)
  local ends_at = string.format('%.0f', measured_at + math.ceil(units / drain) + 1)
  call('SET', key, pack('>I8I8I8I8', units, measured_at, permit, drain), 'PXAT', ends_at)
end

-- Returns the present debt of a key, when it was measured, and the units that it is in. A clock that was
-- set back by more than a second drains from its new time on; that time is stored here.
local function read_debt(key)
  local stored = call('GET', key)
  if not stored or #stored ~= @debt.drain.last@ then return 0, now, 1 end
  local units, measured_at = @debt[stored].units@, @debt[stored].measured_at@
  local permit, drain = @debt[stored].permit@, @debt[stored].drain@
  if measured_at <= now then
    units = units - (now - measured_at) * drain
    return units > 0 and units or 0, now, permit, drain
  end
  if measured_at - now > 1000 then
    measured_at = now
    store_debt(key, units, measured_at, permit, drain)
  end
  return units, measured_at, permit, drain
end

-- Returns a debt in the units of another permit, rounded up. All permits that were used stay used, and a
-- debt above the burst counts as the burst.
local function convert_debt(units, permit, new_permit, burst)
  if units == 0 or permit == new_permit then return units end
  local used = floor(units / permit)
  -- The quotient may have been rounded up.
  if used * permit > units then used = used - 1 end
  local rest = units - used * permit
  local part = rest == 0 and 0 or math.min(new_permit, floor(rest * new_permit / permit) + 1)
  return math.min(burst, used * new_permit + part)
end
