#!lua flags=allow-oom
-- Renews the pulse of a lane: the server's time, as of the last renewal by any node. It never decreases. So a
-- pulse that is lower than one that the caller has seen shows that the store has lost what was written since
-- that pulse: it was rolled back.
--
-- Then the sequence begins again, with a birth that is greater than every stamp. So all tokens of the lane are
-- refused, as if their epochs were lost. The former birth is kept, for the case that they are accepted again.
@include names@
@include clock@
@include permissions@
local lane = call('HMGET', @key.lane@, @lane.sequence@, @lane.birth@, @lane.pulse@, @lane.former_birth@, @lane.namespace@)
local sequence, birth, namespace = tonumber(lane[1]), tonumber(lane[2]), lane[5]
if not sequence or (namespace and namespace ~= @arg.namespace@) then return { 0, 0, 0 } end

local pulse, known = tonumber(lane[3] or 0), tonumber(@arg.known_pulse@)
-- A lane that was created after the known pulse holds nothing that is older.
local is_rolled_back = pulse + tonumber(@arg.tolerance@) < known and birth < known * 1000
if is_rolled_back then
  local digits = string.format('%.0f', math.max(sequence + 1, time[1] * 1000000 + time[2]))
  if not lane[4] then
    call('HSET', @key.lane@, @lane.former_birth@, lane[2], @lane.lost_since@, pulse)
  end
  call('HSET', @key.lane@, @lane.birth@, digits, @lane.sequence@, digits, @lane.noticed_at@, now)
  @include signal@
end
if is_rolled_back or now - pulse >= tonumber(@arg.interval@) then
  pulse = math.max(pulse, known, now)
  call('HSET', @key.lane@, @lane.pulse@, string.format('%.0f', pulse), @lane.wide@, string.rep('-', @WIDE_BYTES@))
end
return { pulse, is_rolled_back and 1 or 0, (is_rolled_back or lane[4]) and 1 or 0 }
