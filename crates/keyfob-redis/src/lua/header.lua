-- What the header of a record and the lane say about it. The same rule as Verdict::of, of which
-- only "is it clear" and "is it revoked" are wanted here.
--
-- Stamps are compared as numbers: Lua compares strings by the locale of the server.

-- Whether it is a record of the one format there is.
local function sound(record)
  return #record >= 51 and string.byte(record) == 1
end

-- The epoch fields in a record's header, in the order of the header: subject, client, ancestors.
local function fields(record)
  local flags = string.byte(record, 2)
  local place = flags % 2 == 1 and 56 or 52
  local count = floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16)
  local names = {}
  for i = 1, count do
    names[i] = sub(record, place, place + 7)
    place = place + 8
  end
  return names, place
end

-- The lane's `b`, `n`, `*` and then the epochs of the fields.
local function epochs(names)
  return c('HMGET', K[1], 'b', 'n', '*', unpack(names))
end
