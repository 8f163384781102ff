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
  @include header_fields@
  return fields, body_at
end

local function read_epochs(fields)
  @include lane_epochs@
  return epochs
end
