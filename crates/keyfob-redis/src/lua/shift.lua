-- Counts a record that is clear by another end; whether that is another cell.
local function shift(cells, header, span, id)
  local rest = counted(header)
  if not rest or exhausted(header) or sub(header, 39, 44) == span then return false end
  add(cells .. sub(header, 39, 44), 'i' .. rest, -1)
  add(cells .. span, 'i' .. rest, 1, id)
  return true
end
