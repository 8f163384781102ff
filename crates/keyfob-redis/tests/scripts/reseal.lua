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
local function head_with_class(head, keep_until)
  local life_secs, class = (keep_until - now) / 1000, 0
  while life_secs >= 4 and class < 14 do
    life_secs, class = life_secs / 4, class + 1
  end
  return head .. string.char(97 + class)
end
for _, command in ipairs({ 'exists', 'hset', 'pexpireat', 'pexpiretime', 'pttl', 'rename', 'set', 'zadd', 'zcard', 'zcount', 'zmscore', 'zrandmember', 'zrange', 'zrem', 'zremrangebyrank', 'zrevrangebylex' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
local version, key_version = tonumber(ARGV[5]), tonumber(ARGV[7])
local added_count = tonumber(ARGV[8])
local record = call('GET', KEYS[2])
if now > tonumber(ARGV[3]) then return { 'late' } end
if not record or sub(record, 31, 36) ~= ARGV[4] then return { 'missing' } end
if not is_readable(record) then return { 'damaged' } end
if (unpack_bytes('>I4', record, 3)) ~= version then return { 'stale' } end
if not read_lane() and not may_create_lane() then return { 'no_lane' } end
if key_version < min_key_version then return { 'retired', key_version, min_key_version } end
local _, body_at = epoch_fields(record)
local before_key_version = sub(record, 1, 2) .. pack('>I4', version + 1)
  .. sub(record, 7, 20)
local resealed = before_key_version .. pack('>I2', key_version)
  .. sub(record, 23, body_at - 1) .. ARGV[6]
local keep_until, id = (unpack_bytes('>I6', record, 15)), sub(KEYS[2], -10)
local score = string.format('%.0f', math.ceil(keep_until / 1000) - 1735689600)
local function unlist_id(head)
  if call('ZREM', head, id) == 1 then return true end
  local bound = call('ZREVRANGEBYLEX', head .. 'd', '[' .. id, '-', 'LIMIT', 0, 1)[1]
  return bound and call('ZREM', head .. bound, id) == 1
end
local is_replaced = false
local function write()
  call('SET', KEYS[2], resealed, 'XX', 'KEEPTTL')
  is_replaced = true
  for i = 1, #KEYS - 3 + 1 do
    local head = KEYS[3 + i - 1]
    local is_broad = sub(ARGV[9], i, i) == '1'
    if i <= added_count then
      if is_broad then head = head_with_class(head, keep_until) end
      list_id(head, id, score, keep_until, true)
    elseif not is_broad then
      unlist_id(head)
    else
      for class = 0, 14 do
        if unlist_id(head .. string.char(97 + class)) then break end
      end
    end
  end
  return { 'now' }
end
local is_done, answer = pcall(write)
if is_done then return answer end
local function recover()
  if not is_replaced then return true end
  call('SET', KEYS[2], record, 'XX', 'KEEPTTL')
  for i = added_count + 1, #KEYS - 3 + 1 do
    local head = KEYS[3 + i - 1]
    if sub(ARGV[9], i, i) == '1' then head = head_with_class(head, keep_until) end
    list_id(head, id, score, keep_until, true)
  end
  return true
end
local detail = type(answer) == 'table' and answer.err or tostring(answer)
if not string.find(detail, '^%u+ ') then detail = 'ERR ' .. detail end
for _, command in ipairs({ 'exists', 'get', 'hmget', 'hset', 'pexpireat', 'pexpiretime', 'pttl', 'rename', 'set', 'time', 'zadd', 'zcard', 'zcount', 'zmscore', 'zrandmember', 'zrange', 'zrem', 'zremrangebyrank', 'zrevrangebylex' }) do
  if not redis.acl_check_cmd(command, KEYS[1]) then
    detail = "NOPERM this user has no permissions to run the '" .. command .. "' command"
  end
end
local _, is_undone = pcall(recover)
if is_undone == true then return redis.error_reply(detail) end
return { 'half', detail }
