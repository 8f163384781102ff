-- Loads one record as `load` does, without its last use and its note. Reads only keys that exist: while a
-- slot is moved, a server refuses a script that also names keys that it does not have.
@include names@
local record = call('GET', @key.record@)
if not record then return false end
if #record < @FIXED_HEADER_BYTES@ or @header[record].format@ ~= @RECORD_FORMAT@ then return { record } end
@include header_fields@
@include lane_epochs@
return { record, false, false, epochs }
