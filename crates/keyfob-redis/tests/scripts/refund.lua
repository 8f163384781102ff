local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local function read_debt(key, drain)
  local stored = call('GET', key)
  if not stored or #stored ~= 16 then return 0, now, false end
  local units, measured_at = (unpack_bytes('>I8', stored, 1)), (unpack_bytes('>I8', stored, 9))
  if measured_at > now then
    local was_set_back = measured_at - now > 1000
    return units, was_set_back and now or measured_at, was_set_back
  end
  units = units - (now - measured_at) * drain
  return units > 0 and units or 0, now, false
end
local function store_debt(key, units, measured_at, drain)
  local ends_at = string.format('%.0f', measured_at + math.ceil(units / drain) + 1)
  call('SET', key, pack('>I8I8', units, measured_at), 'PXAT', ends_at)
end
for i = 1, #KEYS do
  local at = 2 + (i - 1) * 2
  local taken, drain = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local units, measured_at = read_debt(KEYS[i], drain)
  local drained = (measured_at - ARGV[1]) * drain
  local to_give_back = taken - (drained > 0 and drained or 0)
  if to_give_back > 0 and units > 0 then
    store_debt(KEYS[i], units > to_give_back and units - to_give_back or 0, measured_at, drain)
  end
end
return 1
