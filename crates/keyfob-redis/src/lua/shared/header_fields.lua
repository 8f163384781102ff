-- Reads the epoch fields of a record in the order of the header (subject, client, ancestors), and the
-- position where the body begins.
local flags, fields = @header[record].flags@, {}
local body_at = @header.uses_left.first@ + @flags[flags].counts_uses@ * @header.uses_left.size@
for i = 1, @flags[flags].has_subject@ + @flags[flags].has_client@ + @flags[flags].ancestors@ do
  local after = body_at + @EPOCH_FIELD_BYTES@
  fields[i] = sub(record, body_at, after - 1)
  body_at = after
end
