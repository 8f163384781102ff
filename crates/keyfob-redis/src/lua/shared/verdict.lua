-- Whether a record is revoked. The scripts need only the answers "clear" and "overtaken by an epoch".

-- Returns whether an epoch lies above the stamp, and whether the lane knows the stamp. `epochs` is what
-- read_epochs() returned.
local function judge(stamp, epochs)
  @include stamp_bounds@
  return stamp < overtaken_below, first_stamp <= stamp and stamp <= last_stamp
end

-- Returns whether nothing revokes a record with this header. `epochs` may be left out.
local function is_clear(header, epochs)
  if @header[header].tombstone@ ~= 0 then return false end
  local is_overtaken, is_in_sequence = judge(@header[header].stamp@, epochs or read_epochs((epoch_fields(header))))
  return not is_overtaken and is_in_sequence
end
