-- Removes a few sampled epochs that no longer cover anything. Everything that such an epoch covered has
-- expired, so it makes no difference whether the epoch is there, nor whether removing it fails. One advance
-- in @ADVANCES_PER_CLEANING@ looks, and looks again while a quarter of what it finds is
-- spent. So about three epochs in ten are.
local function remove_spent_epochs()
  for _ = 1, @ADVANCES_PER_CLEANING@ do
    local sample, removed = call('HRANDFIELD', @key.lane@, 8, 'WITHVALUES'), 0
    for i = 1, #sample, 2 do
      local name, epoch = sample[i], sample[i + 1]
      if (name == @lane.everything@ or #name == @EPOCH_FIELD_BYTES@)
        and @epoch[epoch].covers_until@ < now then
        removed = removed + call('HDEL', @key.lane@, name)
      end
    end
    if removed < 2 then break end
  end
end
