-- Loads one record with what decides whether it is revoked. Returns nil if there is no record, else the
-- record, its last use, the note of its revocation and its epochs.
@include names@
@include record_header@
local found = call('MGET', @key.record@, @key.last_use@)
local record, last_use = found[1], found[2]
if not record then return false end
if not is_readable(record) then return { record } end
local note = @header[record].tombstone@ > 1 and call('GET', @key.note@)
return { record, last_use, note, read_epochs((epoch_fields(record))) }
