-- Lists `id` under `head` with `score`. The head is kept until `expires_at`, which is `expires_text` in digits.
--
-- `may_be_old` says that the tick of the id is not above the lane's highest bound. An id above that
-- is below no head's bound, so the common case does not have to read the marker.
--
-- Nor does each call read the size of the head. One in four does, chosen by the last random byte of the
-- id. That is often enough to split a head well below the size at which the server changes its form.
-- Expired members are looked for in a head that is a quarter full.
local head_expires_at, lower_bound = call('PEXPIRETIME', head), nil
if head_expires_at ~= -2 then
  if may_be_old then
    local marker = call('ZRANGE', head, -1, -1)[1]
    lower_bound = #marker == @MARKER_BYTES@ and sub(marker, -@ID_BYTES@)
  end
  if byte(id, @ID_BYTES@) % 4 == 0 then
    local size = call('ZCARD', head)
    if size * 4 >= @LEAF_CAPACITY@ then
      -- Scores are rounded up, so a record has gone when the second of its score begins.
      local expired = call('ZCOUNT', head, '-inf', floor(now / 1000) - @SCORE_EPOCH_SECS@)
      if expired > 0 then
        size = size - call('ZREMRANGEBYRANK', head, 0, math.min(expired, @MAX_REMOVED@) - 1)
      end
      if size >= @LEAF_CAPACITY@ then lower_bound = rarely().split_head(head) or lower_bound end
      if size == 0 then head_expires_at = -2 end
    end
  end
end
if lower_bound and rarely().is_below(id, lower_bound) then
  rarely().list_in_chunk(head, id, score, expires_at)
else
  call('ZADD', head, score, id)
  if head_expires_at < expires_at then call('PEXPIREAT', head, expires_text) end
end
