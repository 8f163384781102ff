#!lua flags=allow-oom
local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local function is_foreign(tag) return tag and tag ~= ARGV[1] end
local function may_create_lane() return now <= tonumber(ARGV[2]) end
local sequence, highest_bound, kept_until, min_key_version
local EPOCH_RETENTION = 3600000
local function create_lane(expires_at)
  local birth = time[1] * 1000000 + time[2]
  local digits = string.format('%.0f', birth)
  local tick = floor(now / 16)
  call('DEL', KEYS[1])
  call('HSET', KEYS[1], 'b', digits, 'n', digits, 'r', tick,
    't', ARGV[1], 'w', string.rep('-', 65))
  call('PEXPIREAT', KEYS[1], string.format('%.0f', expires_at))
  sequence, highest_bound, kept_until, min_key_version = birth, tick, 0, 0
  return digits
end
local function read_lane()
  local lane = call('HMGET', KEYS[1], 'n', 't', 'r', 'x',
    'k')
  sequence, highest_bound = tonumber(lane[1]), tonumber(lane[3])
  kept_until, min_key_version = tonumber(lane[4] or 0), tonumber(lane[5] or 0)
  if is_foreign(lane[2]) then return nil end
  if sequence and not lane[2] then call('HSET', KEYS[1], 't', ARGV[1]) end
  return sequence
end
local function remove_spent_epochs()
  for _ = 1, 8 do
    local sample, removed = call('HRANDFIELD', KEYS[1], 8, 'WITHVALUES'), 0
    for i = 1, #sample, 2 do
      local name, epoch = sample[i], sample[i + 1]
      if (name == '*' or #name == 8)
        and (unpack_bytes('>I6', epoch, 15)) < now then
        removed = removed + call('HDEL', KEYS[1], name)
      end
    end
    if removed < 2 then break end
  end
end
local function is_readable(record)
  return #record >= 51 and byte(record, 1) == 1
end
local function epoch_fields(record)
  local flags, fields = byte(record, 2), {}
  local body_at = 52 + flags % 2 * 4
  for i = 1, floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16) do
    local after = body_at + 8
    fields[i] = sub(record, body_at, after - 1)
    body_at = after
  end
  return fields, body_at
end
local function read_epochs(fields)
  local epochs = call('HMGET', KEYS[1], 't', 'b', 'n', '*',
    unpack(fields))
  return epochs
end
local function judge(stamp, epochs)
  local overtaken_below, first_stamp, last_stamp = 0, 1, 0
  for i = 4, #epochs do
    local epoch = epochs[i]
    if epoch then overtaken_below = math.max(overtaken_below, (unpack_bytes('>I8', epoch, 1))) end
  end
  if (not epochs[1] or epochs[1] == ARGV[1]) and epochs[2] and epochs[3] then
    first_stamp, last_stamp = tonumber(epochs[2]), tonumber(epochs[3])
  end
  return stamp < overtaken_below, first_stamp <= stamp and stamp <= last_stamp
end
local function is_clear(header, epochs)
  if byte(header, 37) ~= 0 then return false end
  local is_overtaken, is_in_sequence = judge((unpack_bytes('>I8', header, 7)), epochs or read_epochs((epoch_fields(header))))
  return not is_overtaken and is_in_sequence
end
local function on_new_field(bucket_key, field, id)
  local bucket = sub(bucket_key, -6)
  local directory = sub(bucket_key, 1, -6 - 1)
  local length = 2 ^ (byte(bucket, 1) % 128)
  local ends_at_secs = ((unpack_bytes('>I5', bucket, 2)) + 1) * length
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
  local client = sub(field, 3)
  if not id or client == '' then return end
  local samples = directory .. 's'
  local known = call('HGET', samples, client)
  if not known or (unpack_bytes('>I5', known, 17)) <= ends_at_secs then
    call('HSET', samples, client, id .. pack('>I5', ends_at_secs))
    raise_expiry(samples)
    local some = call('HRANDFIELD', samples, 2, 'WITHVALUES')
    for i = 1, #some, 2 do
      local sample = some[i + 1]
      if (unpack_bytes('>I5', sample, 17)) * 1000 <= now then call('HDEL', samples, some[i]) end
    end
  end
end
local function add_to_field(bucket_key, field, n, id)
  if call('HINCRBY', bucket_key, field, n) == n then on_new_field(bucket_key, field, id) end
end
local function counted_as(header)
  local kind = byte(header, 38)
  if kind == 0 or byte(header, 37) ~= 0 then return end
  local flags, client = byte(header, 2), ''
  if floor(flags / 4) % 2 == 1 then
    local at = 52 + flags % 2 * 4
      + floor(flags / 2) % 2 * 8
    client = sub(header, at, at + 8 - 1)
  end
  return string.char(48 - 1 + kind) .. client
end
local function is_exhausted(header)
  local flags = byte(header, 2)
  return flags % 2 == 1 and (unpack_bytes('>I4', header, 52)) == 0
end
local function add_to_column(directory, header, column, n)
  local kind_and_client = counted_as(header)
  if not kind_and_client then return end
  add_to_field(directory .. sub(header, 39, 44), column .. kind_and_client, n)
  if byte(header, 45) ~= 0 then
    add_to_field(directory .. sub(header, 45, 50), column .. kind_and_client, n)
  end
end
local function count_out(directory, header)
  add_to_column(directory, header, 'r', 1)
  if is_exhausted(header) then add_to_column(directory, header, 'x', -1) end
end
local function create_count_out_listed()
  local function newest_ids(head, limit)
    local ids = call('ZRANGE', head, 0, -1)
    if #ids == 0 or #ids[#ids] ~= 11 then return ids end
    ids[#ids] = nil
    local bounds = call('ZREVRANGEBYLEX', head .. 'd', '+', '-', 'LIMIT', 0, limit)
    for _, bound in ipairs(bounds) do
      if #ids >= limit then break end
      for _, id in ipairs(call('ZRANGE', head .. bound, 0, -1)) do ids[#ids + 1] = id end
    end
    return ids
  end
  local function has_epoch_field(header, field)
    for _, known in ipairs((epoch_fields(header))) do
      if known == field then return true end
    end
    return false
  end
  return function(directory, record_prefix, head, field, except, seen)
    for _, id in ipairs(newest_ids(head, 500)) do
      if id ~= except and not seen[id] then
        seen[id] = true
        local header = call('GETRANGE', record_prefix .. id, 0, 134)
        if is_readable(header) and counted_as(header) and has_epoch_field(header, field)
          and is_clear(header) then
          count_out(directory, header)
        end
      end
    end
  end
end
local function count_out_listed(directory, record_prefix, first_head, field, except)
  local seen, count_out_head = {}, nil
  for i = first_head, #KEYS do
    if call('EXISTS', KEYS[i]) == 1 then
      count_out_head = count_out_head or create_count_out_listed()
      count_out_head(directory, record_prefix, KEYS[i], field, except, seen)
    end
  end
end
local function open_buckets(directory)
  local found = call('ZRANGEBYSCORE', directory, '(' .. floor(now / 1000), '+inf', 'WITHSCORES')
  local open = {}
  for i = 1, #found, 2 do
    if #found[i] == 6 then open[#open + 1] = { found[i], found[i + 1] } end
  end
  return open
end
local function count_out_client(directory, client)
  for _, open in ipairs(open_buckets(directory)) do
    local bucket_key = directory .. open[1]
    for kind = 0, 3 do
      local kind_and_client = kind .. client
      local stored_field = 'i' .. kind_and_client
      local exhausted_field = 'x' .. kind_and_client
      local found = call('HMGET', bucket_key, stored_field, exhausted_field)
      if found[1] then call('HSET', bucket_key, 'r' .. kind_and_client, found[1]) end
      if found[2] then call('HSET', bucket_key, exhausted_field, 0) end
    end
  end
end
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
for _, command in ipairs({ 'del', 'hget', 'hincrby', 'hset', 'pexpireat', 'pexpiretime', 'set', 'xadd' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local operation, field, unfinished_advance = ARGV[8], ARGV[11], ARGV[12]
local first_head = 6
local advanced_by = sub(operation, 1, 8)
local records_advance = unfinished_advance ~= ''
local is_unfinished = records_advance and call('HEXISTS', KEYS[first_head], operation) == 1
local lane, earlier_answer = call('HMGET', KEYS[1], field, 't', 'n'), call('GET', KEYS[3])
local is_lane_missing = is_foreign(lane[2]) or not lane[3]
local known = not is_lane_missing and lane[1]
local is_advanced = known and sub(known, 21, 28) == advanced_by
if earlier_answer ~= 'half' and (is_unfinished or is_advanced or earlier_answer) then
  return { 'now' }
end
if now > tonumber(ARGV[3]) then return { 'late' } end
if is_lane_missing then
  if not may_create_lane() then return { 'no_lane' } end
  call('DEL', KEYS[1])
elseif not lane[2] then
  call('HSET', KEYS[1], 't', ARGV[1])
end
local function write()
  if not is_advanced then
    if ARGV[14] == 'all' then
      pcall(count_out_all, KEYS[5], advanced_by)
    elseif ARGV[14] == 'client' then
      pcall(count_out_client, KEYS[5], field)
    else
      pcall(count_out_listed, KEYS[5], ARGV[13], first_head, field)
    end
    local retained_until = now + EPOCH_RETENTION
    if is_lane_missing then create_lane(retained_until) end
    call('PEXPIREAT', KEYS[1], string.format('%.0f', retained_until), 'GT')
    local covers_until, epoch_field = call('PEXPIRETIME', KEYS[1]), field
    if covers_until == -1 then
      covers_until = math.max(retained_until, tonumber(call('HGET', KEYS[1], 'x') or 0))
    end
    local stamp = call('HINCRBY', KEYS[1], 'n', 1)
    call('HSET', KEYS[1], epoch_field, pack('>I8I6I6', stamp, ARGV[9], covers_until) .. advanced_by
      .. ARGV[10])
    if stamp % 8 == 0 then pcall(remove_spent_epochs) end
  end
  if records_advance then call('HSET', KEYS[first_head], operation, unfinished_advance) end
  call('SET', KEYS[4], '')
  call('DEL', KEYS[4])
  local first_entry = #ARGV - ARGV[7] + 1
  if first_entry <= #ARGV then
    for i = first_entry, #ARGV do
      if not call('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[5], '*', 'e', ARGV[i]) then
        call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'e', ARGV[i])
        redis.pcall('PEXPIREAT', KEYS[2], ARGV[6])
      end
    end
    redis.pcall('PEXPIREAT', KEYS[2], ARGV[6], 'GT')
  end
  call('SET', KEYS[3], '1', 'PXAT', ARGV[4])
  return { 'now' }
end
local is_done, answer = pcall(write)
if is_done then return answer end
local function recover()
  call('SET', KEYS[3], 'half', 'PXAT', ARGV[4])
end
local detail = type(answer) == 'table' and answer.err or tostring(answer)
if not string.find(detail, '^%u+ ') then detail = 'ERR ' .. detail end
for _, command in ipairs({ 'del', 'get', 'hexists', 'hget', 'hincrby', 'hmget', 'hset', 'pexpireat', 'pexpiretime', 'set', 'time', 'xadd' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    detail = "NOPERM this user has no permissions to run the '" .. command .. "' command"
  end
end
local _, is_undone = pcall(recover)
if is_undone == true then return redis.error_reply(detail) end
return { 'half', detail }
