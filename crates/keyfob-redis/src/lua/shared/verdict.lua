-- Whether a record is revoked: the rule of `Verdict::of`. The scripts need only the answers "clear" and
-- "overtaken by an epoch". `epochs` is what read_epochs() returned.

-- Returns whether an epoch lies above the stamp.
local function is_overtaken(stamp, epochs)
  for i = 4, #epochs do
    local epoch = epochs[i]
    if epoch and @epoch[epoch].stamp@ > stamp then return true end
  end
  return false
end

-- Returns whether the stamp lies between the birth of the lane and its sequence.
local function is_in_sequence(stamp, epochs)
  local birth, sequence = epochs[2], epochs[3]
  return not is_foreign(epochs[1]) and birth and sequence and tonumber(birth) <= stamp and stamp <= tonumber(sequence)
end

-- Returns whether nothing revokes a record with this header. `epochs` may be left out.
local function is_clear(header, epochs)
  if @header[header].tombstone@ ~= 0 then return false end
  local stamp = @header[header].stamp@
  epochs = epochs or read_epochs((epoch_fields(header)))
  return not is_overtaken(stamp, epochs) and is_in_sequence(stamp, epochs)
end
