-- Removes a few sampled epochs that no longer cover anything. Everything that such an epoch covered has
-- expired, so it makes no difference whether the epoch is there, nor whether removing it fails.
local function remove_spent_epochs()
  local sample = call('HRANDFIELD', @key.lane@, 8, 'WITHVALUES')
  for i = 1, #sample, 2 do
    local name, epoch = sample[i], sample[i + 1]
    if (name == @lane.everything@ or #name == @EPOCH_FIELD_BYTES@)
      and @epoch[epoch].covers_until@ < now then
      call('HDEL', @key.lane@, name)
    end
  end
end

-- Advances one epoch of the lane. The epoch covers what is kept until `covers_until`. Without that
-- argument the lane says how long: nothing in a lane is kept longer than the lane itself.
local function advance_epoch(field, revoked_at, note, advanced_by, covers_until)
  local retained_until = now + EPOCH_RETENTION
  if call('EXISTS', @key.lane@) == 0 then create_lane(retained_until) end
  if not covers_until then
    -- A login may still insert with a stamp that it read before.
    call('PEXPIREAT', @key.lane@, string.format('%.0f', retained_until), 'GT')
    covers_until = call('PEXPIRETIME', @key.lane@)
    -- A lane that never expires has a field that says how long it holds anything.
    if covers_until == -1 then
      covers_until = math.max(retained_until, tonumber(call('HGET', @key.lane@, @lane.kept_until@) or 0))
    end
  end
  local stamp = call('HINCRBY', @key.lane@, @lane.sequence@, 1)
  call('HSET', @key.lane@, field, pack('>I8I6I6', stamp, revoked_at, covers_until) .. advanced_by .. note)
  pcall(remove_spent_epochs)
end
