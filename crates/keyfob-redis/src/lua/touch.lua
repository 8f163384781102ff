-- Stores when tokens were last used. The key of a last use expires with its record. A token whose end has
-- moved is counted in the time bucket of its new end.
@include names@
@include clock@
@include namespace@
@include record_header@
@include verdict@
@include count_bucket@
@include count_record@
@include move_count@
@include permissions@
if is_foreign(call('HGET', @key.lane@, @lane.namespace@)) then
  return { may_create_lane() and @reply.stored@ or @reply.lane_missing@ }
end
local at = @first_arg.touched@
for key_at = @first_key.touched@, #KEYS, @touched_keys.stride@ do
  local id_suffix, used_at = @touched[at].id_suffix@, @touched[at].used_at@
  local moved_end_bucket = @touched[at].moved_end_bucket@
  local record_key = @touched_keys[key_at].record@
  if call('GETRANGE', record_key, @header.id_suffix.range@) == id_suffix then
    local last_use_key = @touched_keys[key_at].last_use@
    local known = call('GET', last_use_key)
    if not known or tonumber(known) < tonumber(used_at) then
      call('SET', last_use_key, used_at, 'PXAT', string.format('%.0f', call('PEXPIRETIME', record_key)))
      local header = moved_end_bucket ~= '' and call('GETRANGE', record_key, 0, @LAST_HEADER_OFFSET@)
      if header and is_readable(header) and @header[header].end_bucket@ ~= moved_end_bucket
        and is_clear(header) then
        local id = sub(record_key, -@ID_BYTES@) .. id_suffix
        local _, moved = pcall(move_count, @key.count_directory@, header, moved_end_bucket, id)
        if moved == true then
          call('SETRANGE', record_key, @header.end_bucket.offset@, moved_end_bucket)
        end
      end
    end
  end
  at = at + @touched.stride@
end
return { @reply.stored@ }
