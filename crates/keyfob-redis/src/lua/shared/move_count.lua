-- Counts a record that is clear in the bucket of another end. Returns whether that is another bucket than
-- before.
local function move_count(directory, header, bucket, id)
  local kind_and_client = counted_as(header)
  local before = @header[header].end_bucket@
  if not kind_and_client or is_exhausted(header) or before == bucket then return false end
  add_to_field(directory .. before, @counts.stored@ .. kind_and_client, -1)
  add_to_field(directory .. bucket, @counts.stored@ .. kind_and_client, 1, id)
  return true
end
