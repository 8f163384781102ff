-- Returns the records with these ids, each with what decides whether it is revoked. Their keys are
-- not declared. They follow from what the index holds, and are in the slot of the lane.
local function load_records(ids, record_prefix, last_use_prefix, note_prefix)
  local records = {}
  if #ids == 0 then return records end
  local keys = {}
  for i = 1, #ids do
    keys[i] = record_prefix .. ids[i]
    keys[#ids + i] = last_use_prefix .. ids[i]
  end
  local found = {}
  for from = 1, #keys, 2000 do
    local batch = call('MGET', unpack(keys, from, math.min(from + 1999, #keys)))
    for i = 1, #batch do found[from - 1 + i] = batch[i] end
  end
  for i = 1, #ids do
    local record = found[i]
    if record then
      local parts = { record }
      if is_readable(record) then
        local note = @header[record].tombstone@ > 1 and call('GET', note_prefix .. ids[i])
        parts = { record, found[#ids + i], note, read_epochs((epoch_fields(record))) }
      end
      records[#records + 1] = { ids[i], parts }
    end
  end
  return records
end
