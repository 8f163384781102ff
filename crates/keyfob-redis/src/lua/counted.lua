-- Adds to a field of a cell.
local function add(cell, field, n, id)
  if c('HINCRBY', cell, field, n) == n then new_field(cell, field, id) end
end

-- The rest of the names of the fields that a record with this header is counted by; nothing if it is
-- not counted, or revoked.
local function counted(header)
  local kind = string.byte(header, 38)
  if kind == 0 or string.byte(header, 37) ~= 0 then return end
  local flags, client = string.byte(header, 2), ''
  if floor(flags / 4) % 2 == 1 then
    local place = 52 + flags % 2 * 4 + floor(flags / 2) % 2 * 8
    client = sub(header, place, place + 7)
  end
  return string.char(47 + kind) .. client
end

-- Whether the uses of a record with this header are counted and spent.
local function exhausted(header)
  return string.byte(header, 2) % 2 == 1 and unpack_('>I4', header, 52) == 0
end

-- Adds to a column wherever a record with this header is counted. `cells` is what they all start with.
local function count(cells, header, column, n)
  local rest = counted(header)
  if not rest then return end
  add(cells .. sub(header, 39, 44), column .. rest, n)
  if string.byte(header, 45) ~= 0 then add(cells .. sub(header, 45, 50), column .. rest, n) end
end

-- Counts a record out that is ending.
local function count_out(cells, header)
  count(cells, header, 'r', 1)
  if exhausted(header) then count(cells, header, 'x', -1) end
end
