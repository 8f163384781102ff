-- Advances one epoch of the lane. It covers what is kept until `covers`; nothing that the lane holds
-- is kept longer than the lane, where that is not known better. Each call also drops a few sampled
-- epochs that can no longer cover anything: what they covered has expired, so that absent is as good
-- as present.
local function advance(field, at, note, op, covers)
  local idle = now + IDLE
  if c('EXISTS', K[1]) == 0 then born(idle) end
  if not covers then
    -- A login may still have to insert what it read the stamp for.
    c('PEXPIREAT', K[1], string.format('%.0f', idle), 'GT')
    covers = c('PEXPIRETIME', K[1])
    -- A lane that never expires says otherwise how long it holds anything.
    if covers == -1 then covers = math.max(idle, tonumber(c('HGET', K[1], 'x') or 0)) end
  end
  local n = c('HINCRBY', K[1], 'n', 1)
  c('HSET', K[1], field, pack('>I8I6I6', n, at, covers) .. op .. note)
  local sample = c('HRANDFIELD', K[1], 8, 'WITHVALUES')
  for i = 1, #sample, 2 do
    local name = sample[i]
    if (name == '*' or #name == 8) and unpack_('>I6', sample[i + 1], 15) < now then
      c('HDEL', K[1], name)
    end
  end
end
