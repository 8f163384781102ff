-- Counts of tokens.
--
-- A count bucket is a hash. Its key ends in a time bucket: the stretch of time in which its tokens
-- end or, with the highest bit of the first byte, start. The key without a time bucket is the
-- directory: the time buckets of the lane, by the second at which each is over. A bucket expires
-- when it is over.
--
-- The fields of a count bucket are a column (stored, revoked or exhausted), a digit for the kind, and the
-- client's epoch field if there is a client. The key of the directory with the suffix for samples is a
-- hash: for each client the id of one of its tokens, and when that token's time bucket is over.
--
-- No step fails because it cannot count. Every error here is caught, such as a bucket that another
-- program has overwritten, and the counts are then wrong by that much.
--
-- Where a record is counted is in its header, in the room of the tombstone that it does not have yet.

-- Does what a new field of a bucket needs: sets the expiry of a new bucket, lists it in the directory,
-- and keeps a sample of the client. `id` is the whole id of the token, or nil. A bucket whose time is
-- over is removed, so that nothing creates it again.
local function on_new_field(bucket_key, field, id)
  local bucket = sub(bucket_key, -@TIME_BUCKET_BYTES@)
  local directory = sub(bucket_key, 1, -@TIME_BUCKET_BYTES@ - 1)
  local length = 2 ^ (@time_bucket[bucket].power@ % 128)
  local ends_at_secs = (@time_bucket[bucket].number@ + 1) * length
  local digits = string.format('%.0f', ends_at_secs)
  local function raise_expiry(key)
    if call('PEXPIREAT', key, digits .. '000', 'GT') == 0 and call('PTTL', key) == -1 then
      call('PEXPIREAT', key, digits .. '000')
    end
  end
  if call('PTTL', bucket_key) == -1 then
    if ends_at_secs * 1000 <= now then return call('DEL', bucket_key) end
    call('PEXPIREAT', bucket_key, digits .. '000')
    local over = call('ZCOUNT', directory, '-inf', floor(now / 1000))
    if over > 0 then call('ZREMRANGEBYRANK', directory, 0, over - 1) end
    call('ZADD', directory, digits, bucket)
    raise_expiry(directory)
  end
  local client = sub(field, @count_field.client.first@)
  if not id or client == '' then return end
  -- The sample of a client is its token that ends last. A few samples that are over are removed.
  local samples = directory .. @counts.samples@
  local known = call('HGET', samples, client)
  if not known or @sample[known].ends_at_secs@ <= ends_at_secs then
    call('HSET', samples, client, id .. pack('>I5', ends_at_secs))
    raise_expiry(samples)
    local some = call('HRANDFIELD', samples, 2, 'WITHVALUES')
    for i = 1, #some, 2 do
      local sample = some[i + 1]
      if @sample[sample].ends_at_secs@ * 1000 <= now then call('HDEL', samples, some[i]) end
    end
  end
end
