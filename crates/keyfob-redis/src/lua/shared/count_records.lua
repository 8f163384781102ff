-- Counts the records that were stored. It is the last step and does not fail, so what is counted is stored.
key_at, arg_at = records_key, records_arg
for n = 1, record_count do
  local last_head = key_at + @new_record[arg_at].term_count@
  local next_key_at = last_head + 1 + @new_record[arg_at].bucket_count@
  if stored_ids[n] then
    local field, exhausted_field = @new_record[arg_at].stored_field@, @new_record[arg_at].exhausted_field@
    for i = last_head + 1, next_key_at - 1 do
      if exhausted_field ~= '' then redis.pcall('HINCRBY', KEYS[i], exhausted_field, 1) end
      if redis.pcall('HINCRBY', KEYS[i], field, 1) == 1 then
        local after_stamp = @new_record[arg_at].after_stamp@
        pcall(on_new_field, KEYS[i], field, stored_ids[n] .. @after_stamp[after_stamp].id_suffix@)
      end
    end
  end
  key_at, arg_at = next_key_at, arg_at + @new_record.stride@
end
