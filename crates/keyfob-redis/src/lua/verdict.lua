-- Whether an epoch lies above the stamp.
local function overtaken(stamp, values)
  for i = 3, #values do
    if values[i] and unpack_('>I8', values[i]) > stamp then return true end
  end
  return false
end

-- Whether the stamp lies within what the lane remembers.
local function known(stamp, values)
  return values[1] and values[2] and tonumber(values[1]) <= stamp and stamp <= tonumber(values[2])
end

-- Whether nothing is against a record with this header.
local function clear(record)
  if string.byte(record, 37) ~= 0 then return false end
  local stamp = unpack_('>I8', record, 7)
  local values = epochs((fields(record)))
  return not overtaken(stamp, values) and known(stamp, values)
end
