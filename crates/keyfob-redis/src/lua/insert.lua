-- Stores new records in one step.
--
-- The records themselves remember the operation. Only if none of them outlives the deadline is the answer
-- kept beside them: until the deadline, or until the records have been gone for a while. An attempt that
-- comes later than that stores nothing.
@include names@
@include clock@
@include lane_state@
@include count_bucket@

-- A script creates its functions again in each call. Few calls need these, so they are created on demand.
local rare_functions
local function rarely()
  if rare_functions then return rare_functions end
  @include rare_permissions@
  @include namespace@
  @include lane@
  @include record_header@
  @include verdict@
  @include index@
  @include refusal@
  rare_functions = {
    may_create_lane = may_create_lane, create_lane = create_lane, read_lane = read_lane, refusal = refusal,
    split_head = split_head, is_below = is_below, list_in_chunk = list_in_chunk,
  }
  return rare_functions
end
@include undo_permissions@
local deadline, record_count = tonumber(@arg.deadline@), tonumber(@arg.record_count@)
local records_key, records_arg = @first_key.records@, @first_arg.records@
local remember_answer, last_keep_until = @arg.remember_answer@ == '1', 0

if remember_answer then
  local answer = call('GET', @key.answer@)
  if answer then return { @reply.stored@, answer } end
  for i = 0, record_count - 1 do
    local at = records_arg + @new_record.stride@ * i
    last_keep_until = math.max(last_keep_until, tonumber(@new_record[at].keep_until@))
  end
end

-- The common case reads nothing: SET with NX tells whether the id is free.
local is_plain = record_count == 1 and @new_record[records_arg].seen_stamp@ == '' and now <= deadline
if is_plain then
  local id = sub(KEYS[records_key], -@ID_BYTES@)
  local ahead = @local_id[id].tick@ * @TICK_MS@ - now
  if ahead > @MAX_ID_AHEAD_MS@ then return { @reply.id_ahead@, ahead } end
else
  local refusal = rarely().refusal(records_key, records_arg, record_count)
  if refusal then return refusal end
  if now > deadline then return { @reply.deadline_passed@ } end
end

@include read_lane@
if (lane[2] ~= @arg.namespace@ or not sequence) and not rarely().read_lane() then
  if not rarely().may_create_lane() then return { @reply.lane_missing@ } end
  rarely().create_lane(math.max(tonumber(@new_record[records_arg].index_expires_at@), now + 1000))
end
if min_key_version > 0 then
  for i = 0, record_count - 1 do
    local at = records_arg + @new_record.stride@ * i
    local after_stamp = @new_record[at].after_stamp@
    local key_version = @after_stamp[after_stamp].key_version@
    if key_version < min_key_version then
      -- An earlier attempt may have stored the records before the minimum was raised.
      local earlier = rarely().refusal(records_key, records_arg, record_count)
      if earlier and earlier[1] == @reply.stored@ then return earlier end
      return { @reply.key_retired@, key_version, min_key_version }
    end
  end
end

local stored_ids, stored_stamp, has_answered = {}, nil, false
local function write()
  @include store_records@
  if not stored_stamp then return rarely().refusal(records_key, records_arg, record_count) end
  -- The answer of an earlier attempt may have expired. No event is better than two; one second is margin.
  if not remember_answer or now <= last_keep_until + @ANSWER_GRACE_MS@ - 1000 then
    if remember_answer then
      local expires_at = math.min(deadline, math.max(last_keep_until, now) + @ANSWER_GRACE_MS@)
      call('SET', @key.answer@, string.format('%.0f', stored_stamp), 'PXAT', string.format('%.0f', expires_at))
      has_answered = true
    end
    @include append_entries@
  end
  @include count_records@
  return { @reply.stored@, stored_stamp }
end

local is_done, answer = pcall(write)
if is_done then return answer end
local function recover()
  @include remove_stored@
  if has_answered then call('DEL', @key.answer@) end
  return true
end
@include recovery@
