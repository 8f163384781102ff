-- Counting whole buckets as revoked.

-- Returns the buckets of the lane whose time is not over and that are not closed: time bucket and second
-- of its end for each.
local function open_buckets(directory)
  local found = call('ZRANGEBYSCORE', directory, '(' .. floor(now / 1000), '+inf', 'WITHSCORES')
  local open = {}
  for i = 1, #found, 2 do
    if #found[i] == @TIME_BUCKET_BYTES@ then open[#open + 1] = { found[i], found[i + 1] } end
  end
  return open
end

-- Counts all tokens of a client as revoked.
local function count_out_client(directory, client)
  for _, open in ipairs(open_buckets(directory)) do
    local bucket_key = directory .. open[1]
    for kind = 0, @MAX_KIND@ do
      local kind_and_client = kind .. client
      local stored_field = @counts.stored@ .. kind_and_client
      local exhausted_field = @counts.exhausted@ .. kind_and_client
      local found = call('HMGET', bucket_key, stored_field, exhausted_field)
      if found[1] then call('HSET', bucket_key, @counts.revoked@ .. kind_and_client, found[1]) end
      if found[2] then call('HSET', bucket_key, exhausted_field, 0) end
    end
  end
end

-- Counts all tokens as revoked. Each bucket is closed: the first bytes of the operation are added to its
-- name, which says that everything in it is revoked. Later tokens are counted in a new bucket.
local function count_out_all(directory, advanced_by)
  for _, open in ipairs(open_buckets(directory)) do
    local bucket, ends_at_secs = open[1], open[2]
    local bucket_key = directory .. bucket
    if call('EXISTS', bucket_key) == 1 then
      call('RENAME', bucket_key, bucket_key .. advanced_by)
      call('ZADD', directory, ends_at_secs, bucket .. advanced_by)
    end
    call('ZREM', directory, bucket)
  end
end
