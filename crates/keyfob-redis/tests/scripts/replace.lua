local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local sequence, highest_bound, kept_until, min_key_version
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
local rare_functions
local function rarely()
  if rare_functions then return rare_functions end
  for _, command in ipairs({ 'exists', 'getrange', 'hmget', 'hset', 'pexpireat', 'pexpiretime', 'pttl', 'rename', 'set', 'zadd', 'zcard', 'zcount', 'zmscore', 'zrandmember', 'zrange', 'zrem', 'zremrangebyrank', 'zrevrangebylex' }) do
    if not redis.acl_check_cmd(command, KEYS[1]) then
      error("NOPERM this user has no permissions to run the '" .. command .. "' command", 0)
    end
  end
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
  local LEAF_CAPACITY = 104
  local function id_numbers(ids)
    local numbers = {}
    for from = 1, #ids, 500 do
      local to = math.min(from + 499, #ids)
      local batch = { unpack_bytes('>' .. string.rep('I5I5', to - from + 1), table.concat(ids, '', from, to)) }
      for i = 1, (to - from + 1) * 2 do numbers[(from - 1) * 2 + i] = batch[i] end
    end
    return numbers
  end
  local function oldest_first(ids)
    local numbers = id_numbers(ids)
    local sort_keys, id_of_key, has_clash = {}, {}, false
    for i = 1, #ids do
      local key = numbers[2 * i - 1] * 8192 + floor(numbers[2 * i] / 134217728)
      if id_of_key[key] then has_clash = true break end
      id_of_key[key] = ids[i]
      sort_keys[i] = key
    end
    local sorted = {}
    if not has_clash then
      table.sort(sort_keys)
      for i = 1, #sort_keys do sorted[i] = id_of_key[sort_keys[i]] end
      return sorted
    end
    for i = 1, #ids do sorted[i] = i end
    table.sort(sorted, function(x, y)
      local tick_x, tick_y = numbers[2 * x - 1], numbers[2 * y - 1]
      if tick_x ~= tick_y then return tick_x < tick_y end
      return numbers[2 * x] < numbers[2 * y]
    end)
    for i = 1, #ids do sorted[i] = ids[sorted[i]] end
    return sorted
  end
  local function remove_expired(leaf)
    local expired = call('ZCOUNT', leaf, '-inf', floor(now / 1000) - 1735689600)
    if expired == 0 then return 0 end
    return call('ZREMRANGEBYRANK', leaf, 0, math.min(expired, 16) - 1)
  end
  local function raise_leaf_expiry(key, expires_at)
    if call('PEXPIREAT', key, expires_at, 'GT') == 0 and call('PTTL', key) == -1 then
      call('PEXPIREAT', key, expires_at)
    end
  end
  local function is_below(id, bound)
    local tick, random = unpack_bytes('>I5I5', id)
    local bound_tick, bound_random = unpack_bytes('>I5I5', bound)
    return tick < bound_tick or (tick == bound_tick and random < bound_random)
  end
  local function move_members(from, to, ids)
    for first = 1, #ids, 1000 do
      local last = math.min(first + 999, #ids)
      local scores = call('ZMSCORE', from, unpack(ids, first, last))
      local scored = {}
      for i = first, last do
        scored[#scored + 1] = scores[i - first + 1]
        scored[#scored + 1] = ids[i]
      end
      call('ZADD', to, unpack(scored))
      call('ZREM', from, unpack(ids, first, last))
    end
  end
  local function tidy_directory(head)
    local directory = head .. 'd'
    for _, bounds in ipairs({ call('ZRANGE', directory, 0, 1), call('ZRANDMEMBER', directory, 2) }) do
      for _, bound in ipairs(bounds) do
        if call('EXISTS', head .. bound) == 0 then call('ZREM', directory, bound) end
      end
    end
  end
  local function split_head(head)
    local ids = call('ZRANGE', head, 0, -1)
    local lower_bound, present_tick = '\0\0\0\0\0\0\0\0\0\0', floor(now / 16)
    local marker = ids[#ids]
    local has_marker = #marker == 11
    if has_marker then
      lower_bound = sub(marker, -10)
      ids[#ids] = nil
    end
    local function not_below(tick, random)
      local numbers, found = id_numbers(ids), {}
      for i = 1, #ids do
        local id_tick = numbers[2 * i - 1]
        if id_tick > tick or (id_tick == tick and numbers[2 * i] >= random) then
          found[#found + 1] = ids[i]
        end
      end
      return found
    end
    local tick, random = present_tick - 4, 0
    local staying = not_below(tick, random)
    if #staying * 2 > #ids then
      tick, random = unpack_bytes('>I5I5', oldest_first(ids)[floor(#ids * 3 / 4)])
      if tick > present_tick then tick, random = present_tick, 0 end
      staying = not_below(tick, random)
    end
    if #staying == #ids then return nil end
    local bound, chunk, directory = pack('>I5I5', tick, random), head .. lower_bound, head .. 'd'
    local expires_at = call('PEXPIRETIME', head)
    call('RENAME', head, chunk)
    if has_marker then call('ZREM', chunk, marker) end
    call('ZADD', head, 'inf', 'm' .. bound)
    if #staying > 0 then move_members(chunk, head, staying) end
    call('PEXPIREAT', head, expires_at)
    call('ZADD', directory, 0, lower_bound)
    raise_leaf_expiry(directory, expires_at)
    if tick > highest_bound then
      highest_bound = tick
      call('HSET', KEYS[1], 'r', tick)
    end
    tidy_directory(head)
    return bound
  end
  local function list_in_chunk(head, id, score, expires_at)
    local directory = head .. 'd'
    local bound = call('ZREVRANGEBYLEX', directory, '[' .. id, '-', 'LIMIT', 0, 1)[1] or '\0\0\0\0\0\0\0\0\0\0'
    local chunk = head .. bound
    local size = call('ZCARD', chunk)
    if size >= LEAF_CAPACITY then size = size - remove_expired(chunk) end
    if size >= LEAF_CAPACITY then
      local ids = oldest_first(call('ZRANGE', chunk, 0, -1))
      local middle = floor(#ids / 2) + 1
      local middle_id, upper_half = ids[middle], {}
      for i = middle, #ids do upper_half[#upper_half + 1] = ids[i] end
      move_members(chunk, head .. middle_id, upper_half)
      call('PEXPIREAT', head .. middle_id, call('PEXPIRETIME', chunk))
      call('ZADD', directory, 0, middle_id)
      if not is_below(id, middle_id) then bound, chunk = middle_id, head .. middle_id end
    end
    call('ZADD', chunk, score, id)
    call('ZADD', directory, 0, bound)
    raise_leaf_expiry(chunk, expires_at)
    raise_leaf_expiry(directory, expires_at)
    raise_leaf_expiry(head, expires_at)
  end
  local function refusal(first_key_at, first_arg_at, count)
    local stored_stamp = nil
    local key_at, arg_at = first_key_at, first_arg_at
    for _ = 1, count do
      local found = call('GETRANGE', KEYS[key_at], 0, 35)
      if found ~= '' then
        local after_stamp = ARGV[arg_at + 1]
        if sub(found, 23, 36) ~= sub(after_stamp, 9, 22) then
          return { 'taken' }
        end
        stored_stamp = stored_stamp or string.format('%.0f', (unpack_bytes('>I8', found, 7)))
      end
      key_at = key_at + 1 + ARGV[arg_at + 7] + ARGV[arg_at + 8]
      arg_at = arg_at + 11
    end
    if stored_stamp then return { 'stored', stored_stamp } end
    key_at, arg_at = first_key_at, first_arg_at
    for _ = 1, count do
      local seen_stamp = tonumber(ARGV[arg_at + 5])
      if seen_stamp then
        local packed, fields = ARGV[arg_at + 6], {}
        for i = 1, #packed, 8 do
          fields[#fields + 1] = sub(packed, i, i + 8 - 1)
        end
        local epochs = read_epochs(fields)
        local is_overtaken, is_in_sequence = judge(seen_stamp, epochs)
        if is_overtaken or not is_in_sequence then return { 'superseded' } end
      end
      local id = sub(KEYS[key_at], -10)
      local ahead = (unpack_bytes('>I5', id, 1)) * 16 - now
      if ahead > 10000 then return { 'ahead', ahead } end
      key_at = key_at + 1 + ARGV[arg_at + 7] + ARGV[arg_at + 8]
      arg_at = arg_at + 11
    end
  end
  local function head_with_class(head, keep_until)
    local life_secs, class = (keep_until - now) / 1000, 0
    while life_secs >= 4 and class < 14 do
      life_secs, class = life_secs / 4, class + 1
    end
    return head .. string.char(97 + class)
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
  local function list_id(head, id, score, expires_at, may_be_old)
    local expires_text = string.format('%.0f', expires_at)
    local function rarely()
      return { split_head = split_head, is_below = is_below, list_in_chunk = list_in_chunk }
    end
    local head_expires_at, lower_bound = call('PEXPIRETIME', head), nil
    if head_expires_at ~= -2 then
      if may_be_old then
        local marker = call('ZRANGE', head, -1, -1)[1]
        lower_bound = #marker == 11 and sub(marker, -10)
      end
      if byte(id, 10) % 4 == 0 then
        local size = call('ZCARD', head)
        if size * 4 >= 104 then
          local expired = call('ZCOUNT', head, '-inf', floor(now / 1000) - 1735689600)
          if expired > 0 then
            size = size - call('ZREMRANGEBYRANK', head, 0, math.min(expired, 16) - 1)
          end
          if size >= 104 then lower_bound = rarely().split_head(head) or lower_bound end
          if size == 0 then head_expires_at = -2 end
        end
      end
    end
    if lower_bound and rarely().is_below(id, lower_bound) then
      rarely().list_in_chunk(head, id, score, expires_at)
    else
      call('ZADD', head, score, id)
      if head_expires_at < expires_at then call('PEXPIREAT', head, expires_text) end
    end
  end
  local function remember(answer)
    call('SET', KEYS[3], cmsgpack.pack(answer), 'PXAT', ARGV[3])
    return answer
  end
  local function refuse(code)
    local minted_key, minted_arg = 7 + ARGV[12], 16
    if KEYS[minted_key] then
      local after_stamp = ARGV[minted_arg + 1]
      if call('GETRANGE', KEYS[minted_key], 22, 35)
        == sub(after_stamp, 9, 22) then
        return { 'stored', ARGV[8] + 1 }
      end
    end
    return remember({ code })
  end
  rare_functions = {
    may_create_lane = may_create_lane, refusal = refusal, split_head = split_head, is_below = is_below,
    list_in_chunk = list_in_chunk, head_with_class = head_with_class, list_id = list_id, move_count = move_count,
    remember = remember, refuse = refuse,
  }
  return rare_functions
end
for _, command in ipairs({ 'del', 'set' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local version, key_version = tonumber(ARGV[8]), tonumber(ARGV[10])
local added_count, record_count = tonumber(ARGV[12]), tonumber(ARGV[14])
local first_added, moved_end_bucket = 7, ARGV[11]
local records_key, records_arg = first_added + added_count, 16
local found = call('MGET', KEYS[4], KEYS[3])
local record, earlier_answer = found[1], found[2]
if earlier_answer then return cmsgpack.unpack(earlier_answer) end
if now > tonumber(ARGV[3]) then return { 'late' } end
if not record or sub(record, 31, 36) ~= ARGV[4] then return rarely().refuse('missing') end
if #record < 51 or byte(record, 1) ~= 1 then return { 'damaged' } end
local flags, fields = byte(record, 2), {}
local body_at = 52 + flags % 2 * 4
for i = 1, floor(flags / 2) % 2 + floor(flags / 4) % 2 + floor(flags / 16) do
  local after = body_at + 8
  fields[i] = sub(record, body_at, after - 1)
  body_at = after
end
local field_count = #fields
fields[field_count + 1] = 'r'
fields[field_count + 2] = 'x'
fields[field_count + 3] = 'k'
local epochs = call('HMGET', KEYS[1], 't', 'b', 'n', '*',
  unpack(fields))
local after_epochs = 4 + field_count
sequence, highest_bound = tonumber(epochs[3]), tonumber(epochs[after_epochs + 1])
kept_until, min_key_version = tonumber(epochs[after_epochs + 2] or 0), tonumber(epochs[after_epochs + 3] or 0)
epochs[after_epochs + 3], epochs[after_epochs + 2], epochs[after_epochs + 1] = nil, nil, nil
if epochs[1] and epochs[1] ~= ARGV[1] and not rarely().may_create_lane() then
  return { 'no_lane' }
end
local overtaken_below, first_stamp, last_stamp = 0, 1, 0
for i = 4, #epochs do
  local epoch = epochs[i]
  if epoch then overtaken_below = math.max(overtaken_below, (unpack_bytes('>I8', epoch, 1))) end
end
if (not epochs[1] or epochs[1] == ARGV[1]) and epochs[2] and epochs[3] then
  first_stamp, last_stamp = tonumber(epochs[2]), tonumber(epochs[3])
end
local function is_valid(stamp)
  return stamp >= overtaken_below and first_stamp <= stamp and stamp <= last_stamp
end
if byte(record, 37) ~= 0 or not is_valid((unpack_bytes('>I8', record, 7))) then
  return rarely().refuse('ended')
end
if (unpack_bytes('>I4', record, 3)) ~= version then return rarely().refuse('stale') end
if min_key_version > 0 then
  local lowest = key_version
  for i = 0, record_count - 1 do
    local at = records_arg + 11 * i
    local after_stamp = ARGV[at + 1]
    lowest = math.min(lowest, (unpack_bytes('>I2', after_stamp, 7)))
  end
  if lowest < min_key_version then return { 'retired', lowest, min_key_version } end
end
local is_plain = record_count == 1 and ARGV[records_arg + 6]
  == sub(record, body_at - 8 * field_count, body_at - 1)
if is_plain then
  local seen_stamp = tonumber(ARGV[records_arg + 5])
  if seen_stamp and not is_valid(seen_stamp) then return rarely().remember({ 'ended' }) end
  local id = sub(KEYS[records_key], -10)
  local ahead = (unpack_bytes('>I5', id, 1)) * 16 - now
  if ahead > 10000 then return { 'ahead', ahead } end
elseif record_count > 0 then
  local refusal = rarely().refusal(records_key, records_arg, record_count)
  if refusal then
    local code = refusal[1]
    if code == 'ahead' then return refusal end
    return rarely().remember({ code == 'superseded' and 'ended' or 'taken' })
  end
end
local stored_ids, stored_stamp, is_replaced = {}, nil, false
local function write()
  local key_at, arg_at = records_key, records_arg
  for n = 1, record_count do
    local last_head = key_at + ARGV[arg_at + 7]
    local keep_until, record_key = ARGV[arg_at + 2], KEYS[key_at]
    local stamp = tonumber(ARGV[arg_at + 5]) or sequence
    if tonumber(keep_until) > now then
      local new = ARGV[arg_at] .. pack('>I8', stamp) .. ARGV[arg_at + 1]
      if not call('SET', record_key, new, 'PXAT', keep_until, 'NX') then break end
      local id, score = sub(record_key, -10), ARGV[arg_at + 3]
      stored_ids[n] = id
      local expires_text = ARGV[arg_at + 4]
      local expires_at, may_be_old = tonumber(expires_text), (unpack_bytes('>I5', id, 1)) <= highest_bound
      for i = key_at + 1, last_head do
        local head = KEYS[i]
        local head_expires_at, lower_bound = call('PEXPIRETIME', head), nil
        if head_expires_at ~= -2 then
          if may_be_old then
            local marker = call('ZRANGE', head, -1, -1)[1]
            lower_bound = #marker == 11 and sub(marker, -10)
          end
          if byte(id, 10) % 4 == 0 then
            local size = call('ZCARD', head)
            if size * 4 >= 104 then
              local expired = call('ZCOUNT', head, '-inf', floor(now / 1000) - 1735689600)
              if expired > 0 then
                size = size - call('ZREMRANGEBYRANK', head, 0, math.min(expired, 16) - 1)
              end
              if size >= 104 then lower_bound = rarely().split_head(head) or lower_bound end
              if size == 0 then head_expires_at = -2 end
            end
          end
        end
        if lower_bound and rarely().is_below(id, lower_bound) then
          rarely().list_in_chunk(head, id, score, expires_at)
        else
          call('ZADD', head, score, id)
          if head_expires_at < expires_at then call('PEXPIREAT', head, expires_text) end
        end
      end
      if expires_at > kept_until then
        kept_until = expires_at
        call('PEXPIREAT', KEYS[1], expires_text, 'GT')
        call('HSET', KEYS[1], 'x', expires_text)
      end
    end
    stored_stamp = stored_stamp or stamp
    key_at = last_head + 1 + ARGV[arg_at + 8]
    arg_at = arg_at + 11
  end
  if record_count > 0 and not stored_stamp then return rarely().remember({ 'taken' }) end
  local moved_record = record
  if moved_end_bucket ~= '' and moved_end_bucket ~= sub(record, 39, 44) then
    local id = sub(KEYS[4], -10) .. ARGV[4]
    local _, moved = pcall(rarely().move_count, KEYS[6], record, moved_end_bucket, id)
    if moved == true then
      moved_record = sub(record, 1, 38) .. moved_end_bucket
        .. sub(record, 45)
    end
  end
  local replaced = sub(record, 1, 2) .. pack('>I4', version + 1) .. sub(record, 7, 20)
    .. pack('>I2', key_version) .. sub(moved_record, 23, body_at - 1) .. ARGV[9]
  call('SET', KEYS[4], replaced, 'XX', 'KEEPTTL')
  is_replaced = true
  call('SET', KEYS[5], '')
  call('DEL', KEYS[5])
  if added_count > 0 then
    local keep_until, id = (unpack_bytes('>I6', record, 15)), sub(KEYS[4], -10)
    local score = string.format('%.0f', math.ceil(keep_until / 1000) - 1735689600)
    for i = 1, added_count do
      local head = KEYS[first_added + i - 1]
      if sub(ARGV[13], i, i) == '1' then head = rarely().head_with_class(head, keep_until) end
      rarely().list_id(head, id, score, keep_until, true)
    end
  end
  local answer = { 'stored', version + 1 }
  if ARGV[15] == '1' then rarely().remember(answer) end
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
  key_at, arg_at = records_key, records_arg
  for n = 1, record_count do
    local last_head = key_at + ARGV[arg_at + 7]
    local next_key_at = last_head + 1 + ARGV[arg_at + 8]
    if stored_ids[n] then
      local field, exhausted_field = ARGV[arg_at + 9], ARGV[arg_at + 10]
      for i = last_head + 1, next_key_at - 1 do
        if exhausted_field ~= '' then redis.pcall('HINCRBY', KEYS[i], exhausted_field, 1) end
        if redis.pcall('HINCRBY', KEYS[i], field, 1) == 1 then
          local after_stamp = ARGV[arg_at + 1]
          pcall(on_new_field, KEYS[i], field, stored_ids[n] .. sub(after_stamp, 17, 22))
        end
      end
    end
    key_at, arg_at = next_key_at, arg_at + 11
  end
  return answer
end
local is_done, answer = pcall(write)
if is_done then return answer end
local function recover()
  local record_prefix = KEYS[records_key] and sub(KEYS[records_key], 1, -10 - 1)
  for _, id in pairs(stored_ids) do call('DEL', record_prefix .. id) end
  if is_replaced then
    call('SET', KEYS[4], record, 'XX', 'KEEPTTL')
    call('SET', KEYS[5], '')
    call('DEL', KEYS[5])
    call('DEL', KEYS[3])
  end
  return true
end
local detail = type(answer) == 'table' and answer.err or tostring(answer)
if not string.find(detail, '^%u+ ') then detail = 'ERR ' .. detail end
for _, command in ipairs({ 'del', 'exists', 'getrange', 'hmget', 'hset', 'mget', 'pexpireat', 'pexpiretime', 'pttl', 'rename', 'set', 'time', 'xadd', 'zadd', 'zcard', 'zcount', 'zmscore', 'zrandmember', 'zrange', 'zrem', 'zremrangebyrank', 'zrevrangebylex' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    detail = "NOPERM this user has no permissions to run the '" .. command .. "' command"
  end
end
local _, is_undone = pcall(recover)
if is_undone == true then return redis.error_reply(detail) end
return { 'half', detail }
