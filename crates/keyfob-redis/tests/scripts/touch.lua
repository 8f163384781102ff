local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local function is_foreign(tag) return tag and tag ~= ARGV[1] end
local function may_create_lane() return now <= tonumber(ARGV[2]) end
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
local function move_count(directory, header, bucket, id)
  local kind_and_client = counted_as(header)
  local before = sub(header, 39, 44)
  if not kind_and_client or is_exhausted(header) or before == bucket then return false end
  add_to_field(directory .. before, 'i' .. kind_and_client, -1)
  add_to_field(directory .. bucket, 'i' .. kind_and_client, 1, id)
  return true
end
for _, command in ipairs({ 'get', 'getrange', 'hget', 'hmget', 'pexpiretime', 'set', 'setrange', 'time' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
if is_foreign(call('HGET', KEYS[1], 't')) then
  return { may_create_lane() and 'stored' or 'no_lane' }
end
local at = 3
for key_at = 3, #KEYS, 2 do
  local id_suffix, used_at = ARGV[at], ARGV[at + 1]
  local moved_end_bucket = ARGV[at + 2]
  local record_key = KEYS[key_at]
  if call('GETRANGE', record_key, 30, 35) == id_suffix then
    local last_use_key = KEYS[key_at + 1]
    local known = call('GET', last_use_key)
    if not known or tonumber(known) < tonumber(used_at) then
      call('SET', last_use_key, used_at, 'PXAT', string.format('%.0f', call('PEXPIRETIME', record_key)))
      local header = moved_end_bucket ~= '' and call('GETRANGE', record_key, 0, 134)
      if header and is_readable(header) and sub(header, 39, 44) ~= moved_end_bucket
        and is_clear(header) then
        local id = sub(record_key, -10) .. id_suffix
        local _, moved = pcall(move_count, KEYS[2], header, moved_end_bucket, id)
        if moved == true then
          call('SETRANGE', record_key, 38, moved_end_bucket)
        end
      end
    end
  end
  at = at + 3
end
return { 'stored' }
