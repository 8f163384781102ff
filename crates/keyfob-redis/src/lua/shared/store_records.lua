-- Stores new records, from KEYS[records_key] and ARGV[records_arg] on. In KEYS each has its own key, then the
-- heads of its terms, then its count buckets. In ARGV each is a group; see `NewRecordArgs` in
-- `signatures.rs`. A record whose time is over is not stored. `stored_ids` gets the ids of the others.
--
-- `stored_stamp` becomes the stamp of the first, or stays nil if the id of a record is taken. Only
-- a single record may turn out to be there already.
local key_at, arg_at = records_key, records_arg
for n = 1, record_count do
  local last_head = key_at + @new_record[arg_at].term_count@
  local keep_until, record_key = @new_record[arg_at].keep_until@, KEYS[key_at]
  local stamp = tonumber(@new_record[arg_at].seen_stamp@) or sequence
  if tonumber(keep_until) > now then
    local new = @new_record[arg_at].before_stamp@ .. pack('>I8', stamp) .. @new_record[arg_at].after_stamp@
    if not call('SET', record_key, new, 'PXAT', keep_until, 'NX') then break end
    local id, score = sub(record_key, -@ID_BYTES@), @new_record[arg_at].score@
    stored_ids[n] = id
    local expires_text = @new_record[arg_at].index_expires_at@
    local expires_at, may_be_old = tonumber(expires_text), @local_id[id].tick@ <= highest_bound
    for i = key_at + 1, last_head do
      local head = KEYS[i]
      @include list_id@
    end
    if expires_at > kept_until then
      kept_until = expires_at
      call('PEXPIREAT', @key.lane@, expires_text, 'GT')
      call('HSET', @key.lane@, @lane.kept_until@, expires_text)
    end
  end
  stored_stamp = stored_stamp or stamp
  key_at = last_head + 1 + @new_record[arg_at].bucket_count@
  arg_at = arg_at + @new_record.stride@
end
