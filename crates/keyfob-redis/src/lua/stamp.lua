-- Returns the stamp of the lane. The lane is kept for a while, so that a login can insert with the stamp.
@include names@
@include clock@
@include namespace@
@include lane_state@
@include lane@
@include permissions@
local stamp, retained_until = read_lane(), now + EPOCH_RETENTION
if not stamp then
  if not may_create_lane() then return { @reply.lane_missing@ } end
  stamp = create_lane(retained_until)
elseif call('PTTL', @key.lane@) < EPOCH_RETENTION / 2 then
  call('PEXPIREAT', @key.lane@, string.format('%.0f', retained_until), 'GT')
end
return { @reply.stored@, string.format('%.0f', stamp) }
