-- Advances the epoch of a field of the lane, which exists. The epoch covers what is kept until `covers_until`.
local stamp = call('HINCRBY', @key.lane@, @lane.sequence@, 1)
call('HSET', @key.lane@, epoch_field, pack('>I8I6I6', stamp, @arg.revoked_at@, covers_until) .. advanced_by
  .. @arg.revocation_note@)
if stamp % @ADVANCES_PER_CLEANING@ == 0 then pcall(remove_spent_epochs) end
