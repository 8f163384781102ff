-- Returns nil, or the answer that says why the records may not be stored. A record with the same
-- operation shows that an earlier attempt stored them.
local function refusal(first_key_at, first_arg_at, count)
  local stored_stamp = nil
  local key_at, arg_at = first_key_at, first_arg_at
  for _ = 1, count do
    local found = call('GETRANGE', KEYS[key_at], @header.format:id_suffix.range@)
    if found ~= '' then
      local after_stamp = @new_record[arg_at].after_stamp@
      if @header[found].inserted_by:id_suffix@ ~= @after_stamp[after_stamp].inserted_by:id_suffix@ then
        return { @reply.id_taken@ }
      end
      stored_stamp = stored_stamp or string.format('%.0f', @header[found].stamp@)
    end
    key_at = key_at + 1 + @new_record[arg_at].term_count@ + @new_record[arg_at].bucket_count@
    arg_at = arg_at + @new_record.stride@
  end
  if stored_stamp then return { @reply.stored@, stored_stamp } end
  key_at, arg_at = first_key_at, first_arg_at
  for _ = 1, count do
    local seen_stamp = tonumber(@new_record[arg_at].seen_stamp@)
    if seen_stamp then
      local packed, fields = @new_record[arg_at].epoch_fields@, {}
      for i = 1, #packed, @EPOCH_FIELD_BYTES@ do
        fields[#fields + 1] = sub(packed, i, i + @EPOCH_FIELD_BYTES@ - 1)
      end
      local epochs = read_epochs(fields)
      local is_overtaken, is_in_sequence = judge(seen_stamp, epochs)
      if is_overtaken or not is_in_sequence then return { @reply.superseded@ } end
    end
    local id = sub(KEYS[key_at], -@ID_BYTES@)
    local ahead = @local_id[id].tick@ * @TICK_MS@ - now
    if ahead > @MAX_ID_AHEAD_MS@ then return { @reply.id_ahead@, ahead } end
    key_at = key_at + 1 + @new_record[arg_at].term_count@ + @new_record[arg_at].bucket_count@
    arg_at = arg_at + @new_record.stride@
  end
end
