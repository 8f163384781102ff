local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local function store_debt(key, units, measured_at, permit, drain)
  local ends_at = string.format('%.0f', measured_at + math.ceil(units / drain) + 1)
  call('SET', key, pack('>I8I8I8I8', units, measured_at, permit, drain), 'PXAT', ends_at)
end
local function read_debt(key)
  local stored = call('GET', key)
  if not stored or #stored ~= 32 then return 0, now, 1 end
  local units, measured_at = (unpack_bytes('>I8', stored, 1)), (unpack_bytes('>I8', stored, 9))
  local permit, drain = (unpack_bytes('>I8', stored, 17)), (unpack_bytes('>I8', stored, 25))
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
local function convert_debt(units, permit, new_permit, burst)
  if units == 0 or permit == new_permit then return units end
  local used = floor(units / permit)
  if used * permit > units then used = used - 1 end
  local rest = units - used * permit
  local part = rest == 0 and 0 or math.min(new_permit, floor(rest * new_permit / permit) + 1)
  return math.min(burst, used * new_permit + part)
end
local is_admitted, limits = true, {}
for i = 1, #KEYS do
  local at = 1 + (i - 1) * 5
  local limit = {
    permit = tonumber(ARGV[at]),
    drain = tonumber(ARGV[at + 1]),
    burst = tonumber(ARGV[at + 2]),
  }
  local min_permits, max_permits = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local units, measured_at, permit = read_debt(KEYS[i])
  limit.units, limit.measured_at = convert_debt(units, permit, limit.permit, limit.burst), measured_at
  if min_permits > 0 and limit.units + min_permits * limit.permit > limit.burst then
    is_admitted = false
  elseif limit.units + max_permits * limit.permit <= limit.burst then
    limit.taken = max_permits
  else
    limit.taken = floor((limit.burst - limit.units) / limit.permit)
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
