-- Loads one record as `load` does, without its last use and its note. Reads only keys that exist: while a
-- slot is moved, a server refuses a script that also names keys that it does not have.
@include names@
@include record_header@
local record = call('GET', @key.record@)
if not record then return false end
if not is_readable(record) then return { record } end
return { record, false, false, read_epochs((epoch_fields(record))) }
