#!lua flags=allow-oom
-- Revokes one record, and what descends from it. A server whose memory is full still takes revocations.
@include names@
@include clock@
@include namespace@
@include lane@
@include advance_epoch@
@include record_header@
@include verdict@
@include append_entries@
@include attempt@
@include signal@
@include count_bucket@
@include count_record@
@include count_out_listed@
@include permissions@
local operation, cascade_field = @arg.operation@, @arg.cascade_field@

local header = call('GETRANGE', @key.record@, 0, @LAST_HEADER_OFFSET@)
if header ~= '' and not is_readable(header) then return { @reply.damaged@ } end
local is_found = header ~= '' and @header[header].id_suffix@ == @arg.id_suffix@
local was_revoked, earlier_answer, epochs = false, nil, nil
if is_found then
  local has_tombstone = @header[header].tombstone@ ~= 0
  local is_own = has_tombstone and @header[header].revoked_by@ == operation
  epochs = read_epochs((epoch_fields(header)))
  local is_lane_missing = is_foreign(epochs[1]) or not epochs[3]
  if is_lane_missing and not may_create_lane() then return { @reply.lane_missing@ } end
  if is_foreign(epochs[1]) then
    call('DEL', @key.lane@)
    epochs = read_epochs((epoch_fields(header)))
  end
  was_revoked = not is_own and (has_tombstone or is_overtaken(@header[header].stamp@, epochs))
  -- The tombstone remembers only the operation that wrote it.
  earlier_answer = (is_own or was_revoked) and call('GET', @key.answer@)
  if earlier_answer ~= @answer.half_done@ then
    if is_own then return { @reply.applied@ } end
    if earlier_answer then return cmsgpack.unpack(earlier_answer) end
  end
end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end
if not is_found then return { @reply.missing@ } end

local function write()
  -- The epoch advances even if the record is revoked already, because what descends from it may still be
  -- valid. No descendant is kept longer than the record.
  if cascade_field ~= '' then
    local record_prefix, id = sub(@key.record@, 1, -@ID_BYTES@ - 1), sub(@key.record@, -@ID_BYTES@)
    pcall(count_out_listed, @key.count_directory@, record_prefix, @first_key.listed_heads@, cascade_field, id)
    advance_epoch(cascade_field, @arg.revoked_at@, @arg.revocation_note@, operation, @header[header].keep_until@)
  end
  if cascade_field ~= '' or not was_revoked then signal() end
  if was_revoked then
    local note_before = @header[header].tombstone@ > 1 and call('GET', @key.note@)
    local answer = { @reply.revoked_before@, header, note_before, epochs }
    call('SET', @key.answer@, cmsgpack.pack(answer), 'PXAT', @arg.deadline@)
    return answer
  end
  -- One write in place: the record keeps its size and its expiry.
  call('SETRANGE', @key.record@, @header.tombstone.offset@, @arg.tombstone@)
  if is_in_sequence(@header[header].stamp@, epochs) then
    pcall(count_out, @key.count_directory@, header)
  end
  if @arg.revocation_note@ ~= '' then
    local expires_at = string.format('%.0f', call('PEXPIRETIME', @key.record@))
    call('SET', @key.note@, @arg.revocation_note@, 'PXAT', expires_at)
  end
  append_entries()
  if earlier_answer then redis.pcall('DEL', @key.answer@) end
  return { @reply.applied@ }
end

-- What is revoked stays revoked. A repetition completes it.
return attempt(write, function()
  call('SET', @key.answer@, @answer.half_done@, 'PXAT', @arg.deadline@)
end)
