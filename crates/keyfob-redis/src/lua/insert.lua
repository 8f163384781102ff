-- Stores new records in one step.
--
-- The records themselves remember the operation. Only if none of them outlives the deadline is the answer
-- kept beside them: until the deadline, or until the records have been gone for a while. An attempt that
-- comes later than that stores nothing.
@include names@
@include clock@
@include namespace@
@include lane@
@include append_entries@
@include attempt@
@include index@
@include count_bucket@
@include new_records@
@include permissions@
local deadline, count = tonumber(@arg.deadline@), tonumber(@arg.record_count@)
local first_key, first_arg = @first_key.records@, @first_arg.records@
local remember_answer, last_keep_until = @arg.remember_answer@ == '1', 0

if remember_answer then
  local answer = call('GET', @key.answer@)
  if answer then return { @reply.stored@, answer } end
  for i = 0, count - 1 do
    local at = first_arg + @new_record.stride@ * i
    last_keep_until = math.max(last_keep_until, tonumber(@new_record[at].keep_until@))
  end
end

-- The common case reads nothing: SET with NX tells whether the id is free.
local is_plain = count == 1 and @new_record[first_arg].seen_stamp@ == '' and now <= deadline
if is_plain then
  local id = sub(KEYS[first_key], -@ID_BYTES@)
  local ahead = @local_id[id].tick@ * @TICK_MS@ - now
  if ahead > @MAX_ID_AHEAD_MS@ then return { @reply.id_ahead@, ahead } end
else
  local refusal = create_refusal()(first_key, first_arg, count)
  if refusal then return refusal end
  if now > deadline then return { @reply.deadline_passed@ } end
end

if not read_lane() then
  if not may_create_lane() then return { @reply.lane_missing@ } end
  create_lane(math.max(tonumber(@new_record[first_arg].index_expires_at@), now + 1000))
end
if min_key_version > 0 then
  for i = 0, count - 1 do
    local at = first_arg + @new_record.stride@ * i
    local after_stamp = @new_record[at].after_stamp@
    local key_version = @after_stamp[after_stamp].key_version@
    if key_version < min_key_version then
      -- An earlier attempt may have stored the records before the minimum was raised.
      local earlier = create_refusal()(first_key, first_arg, count)
      if earlier and earlier[1] == @reply.stored@ then return earlier end
      return { @reply.key_retired@, key_version, min_key_version }
    end
  end
end

local has_answered = false
local function write()
  local stamp = store_records(first_key, first_arg, count)
  if not stamp then return create_refusal()(first_key, first_arg, count) end
  -- The answer of an earlier attempt may have expired. No event is better than two; one second is margin.
  if not remember_answer or now <= last_keep_until + @ANSWER_GRACE_MS@ - 1000 then
    if remember_answer then
      local expires_at = math.min(deadline, math.max(last_keep_until, now) + @ANSWER_GRACE_MS@)
      call('SET', @key.answer@, string.format('%.0f', stamp), 'PXAT', string.format('%.0f', expires_at))
      has_answered = true
    end
    append_entries()
  end
  count_records(first_key, first_arg, count)
  return { @reply.stored@, stamp }
end

return attempt(write, function()
  remove_stored()
  if has_answered then call('DEL', @key.answer@) end
  return true
end)
