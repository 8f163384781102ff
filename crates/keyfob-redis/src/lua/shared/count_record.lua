-- Counting a record by its header.

-- Adds to a field of a count bucket.
local function add_to_field(bucket_key, field, n, id)
  if call('HINCRBY', bucket_key, field, n) == n then on_new_field(bucket_key, field, id) end
end

-- Returns the name, without its column, of the fields that a record with this header is counted in:
-- the kind and the client. Returns nil if the record is not counted or is revoked.
local function counted_as(header)
  local kind = @header[header].counted_kind@
  if kind == 0 or @header[header].tombstone@ ~= 0 then return end
  local flags, client = @header[header].flags@, ''
  if @flags[flags].has_client@ == 1 then
    local at = @header.uses_left.first@ + @flags[flags].counts_uses@ * @header.uses_left.size@
      + @flags[flags].has_subject@ * @EPOCH_FIELD_BYTES@
    client = sub(header, at, at + @EPOCH_FIELD_BYTES@ - 1)
  end
  return string.char(@DIGIT_ZERO@ - 1 + kind) .. client
end

-- Returns whether the uses of a record with this header are counted and none is left.
local function is_exhausted(header)
  local flags = @header[header].flags@
  return @flags[flags].counts_uses@ == 1 and @header[header].uses_left@ == 0
end

-- Adds to a column in every bucket that a record with this header is counted in.
local function add_to_column(directory, header, column, n)
  local kind_and_client = counted_as(header)
  if not kind_and_client then return end
  add_to_field(directory .. @header[header].end_bucket@, column .. kind_and_client, n)
  if byte(header, @header.start_bucket.first@) ~= 0 then
    add_to_field(directory .. @header[header].start_bucket@, column .. kind_and_client, n)
  end
end

-- Counts a record as revoked.
local function count_out(directory, header)
  add_to_column(directory, header, @counts.revoked@, 1)
  if is_exhausted(header) then add_to_column(directory, header, @counts.exhausted@, -1) end
end
