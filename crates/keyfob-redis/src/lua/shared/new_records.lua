-- Storing new records. In KEYS each has its own key, then the heads of its terms, then its count buckets.
-- In ARGV each is a group; see `NewRecordArgs` in `signatures.rs`. `key_at` and `arg_at` are the positions
-- of the first.

-- A script creates its functions anew in each call. The common case does not need these, so they are
-- created on demand.
local function create_refusal()
@include record_header@
@include verdict@
  -- Returns nil, or the answer that says why the records may not be stored. A record with the same
  -- operation shows that an earlier attempt stored them.
  return function(first_key_at, first_arg_at, count)
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
        if is_overtaken(seen_stamp, epochs) or not is_in_sequence(seen_stamp, epochs) then
          return { @reply.superseded@ }
        end
      end
      local id = sub(KEYS[key_at], -@ID_BYTES@)
      local ahead = @local_id[id].tick@ * @TICK_MS@ - now
      if ahead > @MAX_ID_AHEAD_MS@ then return { @reply.id_ahead@, ahead } end
      key_at = key_at + 1 + @new_record[arg_at].term_count@ + @new_record[arg_at].bucket_count@
      arg_at = arg_at + @new_record.stride@
    end
  end
end

-- The keys of the records that this call has stored.
local stored_keys = {}

-- Removes the records that this call has stored. What lists them is skipped by readers.
local function remove_stored()
  for _, key in ipairs(stored_keys) do call('DEL', key) end
end

-- Stores the records and returns the stamp of the first. A record whose time is over is not stored. Only
-- a single record may turn out to be there already: then returns nil.
local function store_records(key_at, arg_at, count)
  local first_stamp
  for _ = 1, count do
    local term_count = tonumber(@new_record[arg_at].term_count@)
    local key_count = term_count + @new_record[arg_at].bucket_count@
    local keep_until = @new_record[arg_at].keep_until@
    local index_expires_at = tonumber(@new_record[arg_at].index_expires_at@)
    local stamp = tonumber(@new_record[arg_at].seen_stamp@) or sequence
    first_stamp = first_stamp or stamp
    if tonumber(keep_until) > now then
      local record_key, after_stamp = KEYS[key_at], @new_record[arg_at].after_stamp@
      local record = @new_record[arg_at].before_stamp@ .. pack('>I8', stamp) .. after_stamp
      if not call('SET', record_key, record, 'PXAT', keep_until, 'NX') then return nil end
      stored_keys[#stored_keys + 1] = record_key
      local id, score = sub(record_key, -@ID_BYTES@), @new_record[arg_at].score@
      local may_be_old = @local_id[id].tick@ <= highest_bound
      for i = key_at + 1, key_at + term_count do
        list_id(KEYS[i], id, score, index_expires_at, may_be_old)
      end
      if index_expires_at > kept_until then
        kept_until = index_expires_at
        call('PEXPIREAT', @key.lane@, index_expires_at, 'GT')
        call('HSET', @key.lane@, @lane.kept_until@, @new_record[arg_at].index_expires_at@)
      end
    end
    key_at = key_at + 1 + key_count
    arg_at = arg_at + @new_record.stride@
  end
  return first_stamp
end

-- Counts the records. It is the last step and does not fail, so what is counted is stored.
local function count_records(key_at, arg_at, count)
  for _ = 1, count do
    local term_count = tonumber(@new_record[arg_at].term_count@)
    local key_count = term_count + @new_record[arg_at].bucket_count@
    if tonumber(@new_record[arg_at].keep_until@) > now then
      local id, after_stamp = sub(KEYS[key_at], -@ID_BYTES@), @new_record[arg_at].after_stamp@
      for i = key_at + term_count + 1, key_at + key_count do
        local bucket_key, field = KEYS[i], @new_record[arg_at].stored_field@
        local exhausted_field = @new_record[arg_at].exhausted_field@
        if exhausted_field ~= '' then redis.pcall('HINCRBY', bucket_key, exhausted_field, 1) end
        if redis.pcall('HINCRBY', bucket_key, field, 1) == 1 then
          pcall(on_new_field, bucket_key, field, id .. @after_stamp[after_stamp].id_suffix@)
        end
      end
    end
    key_at = key_at + 1 + key_count
    arg_at = arg_at + @new_record.stride@
  end
end
