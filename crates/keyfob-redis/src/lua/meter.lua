-- The meter of a limit, as the core has it: a debt in whole units, and when it was so. All numbers
-- are below 2^53, so that they are exact here too.

-- What a key owes now. A clock that was set back by more than a second drains from its new time on.
local function owed(key, drain)
  local kept = c('GET', key)
  if not kept or #kept ~= 16 then return 0, now, false end
  local debt, at = unpack_('>I8I8', kept)
  if at > now then
    local back = at - now > 1000
    return debt, back and now or at, back
  end
  debt = debt - (now - at) * drain
  return debt > 0 and debt or 0, now, false
end

-- Keeps what a key owes until it owes nothing.
local function keep(key, debt, at, drain)
  local ends = string.format('%.0f', at + math.ceil(debt / drain) + 1)
  c('SET', key, pack('>I8I8', debt, at), 'PXAT', ends)
end
