-- Returns the stamp of the lane. The lane is kept for a while, so that a login can insert with the stamp.
@include names@
@include clock@
@include lane@
local stamp = call('HGET', @key.lane@, @lane.sequence@)
local retained_until = now + EPOCH_RETENTION
if not stamp then
  stamp = create_lane(retained_until)
elseif call('PTTL', @key.lane@) < EPOCH_RETENTION / 2 then
  call('PEXPIREAT', @key.lane@, string.format('%.0f', retained_until), 'GT')
end
return stamp
