-- The records with these ids, each with what a verdict needs. Their keys are not declared: they
-- follow from what the index holds, and lie in the lane's slot.
local function loaded(ids, records, uses, notes)
  local out = {}
  if #ids == 0 then return out end
  local keys = {}
  for i = 1, #ids do
    keys[i] = records .. ids[i]
    keys[#ids + i] = uses .. ids[i]
  end
  local found = {}
  for from = 1, #keys, 2000 do
    local part = c('MGET', unpack(keys, from, math.min(from + 1999, #keys)))
    for i = 1, #part do found[from - 1 + i] = part[i] end
  end
  for i = 1, #ids do
    local record = found[i]
    if record then
      local parts = { record }
      if sound(record) then
        local note = string.byte(record, 37) > 1 and c('GET', notes .. ids[i])
        parts = { record, found[#ids + i], note, epochs((fields(record))) }
      end
      out[#out + 1] = { ids[i], parts }
    end
  end
  return out
end
