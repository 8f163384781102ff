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
for i = 1, #KEYS do
  local at = 2 + (i - 1) * 3
  local taken, drain = tonumber(ARGV[at]), tonumber(ARGV[at + 2])
  local permit = tonumber(ARGV[at + 1])
  local units, measured_at, stored_permit, stored_drain = read_debt(KEYS[i])
  local drained = (measured_at - ARGV[1]) * drain
  local to_give_back = taken - (drained > 0 and drained or 0)
  local is_same_rate = permit == stored_permit and drain == stored_drain
  if to_give_back > 0 and units > 0 and is_same_rate then
    local left = units > to_give_back and units - to_give_back or 0
    store_debt(KEYS[i], left, measured_at, permit, drain)
  end
end
return 1
