-- Reading the header of a record; its layout is in `layout.rs`.
--
-- Stamps are compared as numbers, because Lua compares strings by the server's locale.

-- Returns whether this is a record of the one format that this version writes.
local function is_readable(record)
  return #record >= @FIXED_HEADER_BYTES@ and @header[record].format@ == @RECORD_FORMAT@
end

-- Returns the epoch fields of a record in the order of the header (subject, client, ancestors), and the
-- position where the body begins.
local function epoch_fields(record)
  local flags = @header[record].flags@
  local at = @header.uses_left.first@
  if @flags[flags].counts_uses@ == 1 then at = at + @header.uses_left.size@ end
  local count = @flags[flags].has_subject@ + @flags[flags].has_client@ + @flags[flags].ancestors@
  local fields = {}
  for i = 1, count do
    local after = at + @EPOCH_FIELD_BYTES@
    fields[i] = sub(record, at, after - 1)
    at = after
  end
  return fields, at
end

-- Reads the tag of the lane's namespace, the lane's birth, its sequence, the epoch of everything, then the
-- epochs of the fields.
local function read_epochs(fields)
  return call('HMGET', @key.lane@, @lane.namespace@, @lane.birth@, @lane.sequence@, @lane.everything@,
    unpack(fields))
end
