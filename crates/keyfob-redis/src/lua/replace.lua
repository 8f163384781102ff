-- Replaces the body of a record if its version is the one that was read, and stores what is minted from it
-- in the same step.
--
-- The first minted record remembers the operation. The answer is kept beside it only if nothing is minted
-- or the minted record may be gone before the deadline, and whenever nothing was done.
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
  @include record_header@
  @include verdict@
  @include index@
  @include refusal@
  @include lifetime_class@
  @include count_record@
  @include move_count@
  @include list_id_function@
  local function remember(answer)
    call('SET', @key.answer@, cmsgpack.pack(answer), 'PXAT', @arg.deadline@)
    return answer
  end
  -- Returns the answer that says why the record cannot be replaced, unless an earlier attempt replaced it.
  local function refuse(code)
    local minted_key, minted_arg = @first_key.added_heads@ + @arg.added_count@, @first_arg.minted@
    if KEYS[minted_key] then
      local after_stamp = @new_record[minted_arg].after_stamp@
      if call('GETRANGE', KEYS[minted_key], @header.inserted_by:id_suffix.range@)
        == @after_stamp[after_stamp].inserted_by:id_suffix@ then
        return { @reply.stored@, @arg.version@ + 1 }
      end
    end
    return remember({ code })
  end
  rare_functions = {
    may_create_lane = may_create_lane, refusal = refusal, split_head = split_head, is_below = is_below,
    list_in_chunk = list_in_chunk, head_with_class = head_with_class, list_id = list_id, move_count = move_count,
    remember = remember, refuse = refuse,
  }
  return rare_functions
end
@include undo_permissions@
local version, key_version = tonumber(@arg.version@), tonumber(@arg.key_version@)
local added_count, record_count = tonumber(@arg.added_count@), tonumber(@arg.minted_count@)
local first_added, moved_end_bucket = @first_key.added_heads@, @arg.moved_end_bucket@
local records_key, records_arg = first_added + added_count, @first_arg.minted@

local found = call('MGET', @key.record@, @key.answer@)
local record, earlier_answer = found[1], found[2]
if earlier_answer then return cmsgpack.unpack(earlier_answer) end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end

if not record or @header[record].id_suffix@ ~= @arg.id_suffix@ then return rarely().refuse(@reply.missing@) end
if #record < @FIXED_HEADER_BYTES@ or @header[record].format@ ~= @RECORD_FORMAT@ then return { @reply.damaged@ } end

-- One read of the lane, for the record and for what is minted from it.
@include header_fields@
local field_count = #fields
fields[field_count + 1] = @lane.highest_bound@
fields[field_count + 2] = @lane.kept_until@
fields[field_count + 3] = @lane.min_key_version@
@include lane_epochs@
-- The tag, birth, sequence and the epoch of everything come before the fields.
local after_epochs = 4 + field_count
sequence, highest_bound = tonumber(epochs[3]), tonumber(epochs[after_epochs + 1])
kept_until, min_key_version = tonumber(epochs[after_epochs + 2] or 0), tonumber(epochs[after_epochs + 3] or 0)
epochs[after_epochs + 3], epochs[after_epochs + 2], epochs[after_epochs + 1] = nil, nil, nil
if epochs[1] and epochs[1] ~= @arg.namespace@ and not rarely().may_create_lane() then
  return { @reply.lane_missing@ }
end

@include stamp_bounds@
local function is_valid(stamp)
  return stamp >= overtaken_below and first_stamp <= stamp and stamp <= last_stamp
end

if @header[record].tombstone@ ~= 0 or not is_valid(@header[record].stamp@) then
  return rarely().refuse(@reply.ended@)
end
if @header[record].version@ ~= version then return rarely().refuse(@reply.stale@) end

if min_key_version > 0 then
  local lowest = key_version
  for i = 0, record_count - 1 do
    local at = records_arg + @new_record.stride@ * i
    local after_stamp = @new_record[at].after_stamp@
    lowest = math.min(lowest, @after_stamp[after_stamp].key_version@)
  end
  if lowest < min_key_version then return { @reply.key_retired@, lowest, min_key_version } end
end

-- A single minted record that has the epoch fields of the replaced one needs no more reads: SET with NX
-- tells whether its id is free.
local is_plain = record_count == 1 and @new_record[records_arg].epoch_fields@
  == sub(record, body_at - @EPOCH_FIELD_BYTES@ * field_count, body_at - 1)
if is_plain then
  local seen_stamp = tonumber(@new_record[records_arg].seen_stamp@)
  if seen_stamp and not is_valid(seen_stamp) then return rarely().remember({ @reply.ended@ }) end
  local id = sub(KEYS[records_key], -@ID_BYTES@)
  local ahead = @local_id[id].tick@ * @TICK_MS@ - now
  if ahead > @MAX_ID_AHEAD_MS@ then return { @reply.id_ahead@, ahead } end
elseif record_count > 0 then
  local refusal = rarely().refusal(records_key, records_arg, record_count)
  if refusal then
    local code = refusal[1]
    if code == @reply.id_ahead@ then return refusal end
    return rarely().remember({ code == @reply.superseded@ and @reply.ended@ or @reply.id_taken@ })
  end
end

local stored_ids, stored_stamp, is_replaced = {}, nil, false
local function write()
  @include store_records@
  if record_count > 0 and not stored_stamp then return rarely().remember({ @reply.id_taken@ }) end
  local moved_record = record
  -- Each rotation of a refresh token says when it ends, and most ends are in the time bucket of the end before.
  if moved_end_bucket ~= '' and moved_end_bucket ~= @header[record].end_bucket@ then
    local id = sub(@key.record@, -@ID_BYTES@) .. @arg.id_suffix@
    local _, moved = pcall(rarely().move_count, @key.count_directory@, record, moved_end_bucket, id)
    if moved == true then
      moved_record = @header[record].format:counted_kind@ .. moved_end_bucket
        .. sub(record, @header.start_bucket.first@)
    end
  end
  local replaced = @header[record].format:flags@ .. pack('>I4', version + 1) .. @header[record].stamp:keep_until@
    .. pack('>I2', key_version) .. sub(moved_record, @header.inserted_by.first@, body_at - 1) .. @arg.body@
  call('SET', @key.record@, replaced, 'XX', 'KEEPTTL')
  is_replaced = true
  @include signal@

  if added_count > 0 then
    local keep_until, id = @header[record].keep_until@, sub(@key.record@, -@ID_BYTES@)
    local score = string.format('%.0f', math.ceil(keep_until / 1000) - @SCORE_EPOCH_SECS@)
    for i = 1, added_count do
      local head = KEYS[first_added + i - 1]
      if sub(@arg.are_broad@, i, i) == '1' then head = rarely().head_with_class(head, keep_until) end
      rarely().list_id(head, id, score, keep_until, true)
    end
  end
  local answer = { @reply.stored@, version + 1 }
  if @arg.remember_answer@ == '1' then rarely().remember(answer) end
  @include append_entries@
  @include count_records@
  return answer
end

local is_done, answer = pcall(write)
if is_done then return answer end
local function recover()
  @include remove_stored@
  if is_replaced then
    call('SET', @key.record@, record, 'XX', 'KEEPTTL')
    @include signal@
    call('DEL', @key.answer@)
  end
  return true
end
@include recovery@
