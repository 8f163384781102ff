-- Counts the record as revoked. What few records need is done by a function.
local kind = @header[record].counted_kind@
if kind ~= 0 then
  local client = ''
  if @flags[flags].has_client@ == 1 then client = fields[1 + @flags[flags].has_subject@] end
  if @flags[flags].counts_uses@ == 1 or byte(record, @header.start_bucket.first@) ~= 0 then
    pcall(rarely().count_out, @key.count_directory@, record)
  else
    local bucket_key = @key.count_directory@ .. @header[record].end_bucket@
    local field = @counts.revoked@ .. string.char(@DIGIT_ZERO@ - 1 + kind) .. client
    if redis.pcall('HINCRBY', bucket_key, field, 1) == 1 and redis.pcall('PTTL', bucket_key) == -1 then
      pcall(rarely().on_new_field, bucket_key, field)
    end
  end
end
