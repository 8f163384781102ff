#!lua flags=allow-oom
-- Revokes one record, and what descends from it. A server whose memory is full still takes revocations.
@include names@
@include clock@
@include spent_epochs@

-- A script creates its functions again in each call. Few calls need these, so they are created on demand.
local rare_functions
local function rarely()
  if rare_functions then return rare_functions end
  @include namespace@
  @include lane_state@
  @include lane@
  @include record_header@
  @include verdict@
  @include count_bucket@
  @include count_record@
  @include count_out_listed@
  rare_functions = {
    may_create_lane = may_create_lane, create_lane = create_lane, on_new_field = on_new_field, count_out = count_out,
    count_out_listed = count_out_listed,
  }
  return rare_functions
end
@include permissions@
local operation, epoch_field = @arg.operation@, @arg.cascade_field@

local record = call('GETRANGE', @key.record@, 0, @LAST_HEADER_OFFSET@)
if record ~= '' and (#record < @FIXED_HEADER_BYTES@ or @header[record].format@ ~= @RECORD_FORMAT@) then
  return { @reply.damaged@ }
end
if @header[record].id_suffix@ ~= @arg.id_suffix@ then
  return { now > tonumber(@arg.deadline@) and @reply.deadline_passed@ or @reply.missing@ }
end

@include header_fields@
@include lane_epochs@
local is_lane_missing = epochs[1] and epochs[1] ~= @arg.namespace@ or not epochs[3]
if is_lane_missing then
  if not rarely().may_create_lane() then return { @reply.lane_missing@ } end
  -- Epochs of another namespace say nothing about this record.
  call('DEL', @key.lane@)
  for i = 1, #epochs do epochs[i] = false end
end
@include stamp_bounds@
local tombstone, record_stamp = @header[record].tombstone@, @header[record].stamp@
local is_own = tombstone ~= 0 and @header[record].revoked_by@ == operation
local was_revoked = not is_own and (tombstone ~= 0 or record_stamp < overtaken_below)
-- The tombstone remembers only the operation that wrote it.
local earlier_answer = (is_own or was_revoked) and call('GET', @key.answer@)
if earlier_answer ~= @answer.half_done@ then
  if is_own then return { @reply.applied@ } end
  if earlier_answer then return cmsgpack.unpack(earlier_answer) end
end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end

-- Everything is read before the first write.
local note_before = was_revoked and tombstone > 1 and call('GET', @key.note@)
local note_expires_at = @arg.revocation_note@ ~= '' and string.format('%.0f', call('PEXPIRETIME', @key.record@))
local function write()
  -- The epoch advances even if the record is revoked already, because what descends from it may still be
  -- valid. No descendant is kept longer than the record.
  if epoch_field ~= '' then
    for i = @first_key.listed_heads@, #KEYS do
      if redis.pcall('EXISTS', KEYS[i]) == 1 then
        local prefix, id = sub(@key.record@, 1, -@ID_BYTES@ - 1), sub(@key.record@, -@ID_BYTES@)
        pcall(rarely().count_out_listed, @key.count_directory@, prefix, i, epoch_field, id)
        break
      end
    end
    if is_lane_missing then rarely().create_lane(now + @EPOCH_RETENTION_MS@) end
    local covers_until, advanced_by = @header[record].keep_until@, operation
    @include advance_epoch@
  end
  if epoch_field ~= '' or not was_revoked then
    @include signal@
  end
  if was_revoked then
    local answer = { @reply.revoked_before@, record, note_before, epochs }
    call('SET', @key.answer@, cmsgpack.pack(answer), 'PXAT', @arg.deadline@)
    return answer
  end
  -- One write in place: the record keeps its size and its expiry.
  call('SETRANGE', @key.record@, @header.tombstone.offset@, @arg.tombstone@)
  if tombstone == 0 and first_stamp <= record_stamp and record_stamp <= last_stamp then
    @include count_out@
  end
  if @arg.revocation_note@ ~= '' then
    call('SET', @key.note@, @arg.revocation_note@, 'PXAT', note_expires_at)
  end
  @include append_entries@
  if earlier_answer then redis.pcall('DEL', @key.answer@) end
  return { @reply.applied@ }
end

local is_done, answer = pcall(write)
if is_done then return answer end
-- What is revoked stays revoked. A repetition completes it.
local function recover()
  call('SET', @key.answer@, @answer.half_done@, 'PXAT', @arg.deadline@)
end
@include recovery@
