-- Loads one record with what decides whether it is revoked. Returns nil if there is no record, else the
-- record, its last use, the note of its revocation and its epochs.
@include names@
local found = call('MGET', @key.record@, @key.last_use@)
local record, last_use = found[1], found[2]
if not record then return false end
if #record < @FIXED_HEADER_BYTES@ or @header[record].format@ ~= @RECORD_FORMAT@ then return { record } end
local note = @header[record].tombstone@ > 1 and call('GET', @key.note@)
@include header_fields@
@include lane_epochs@
return { record, last_use, note, epochs }
