local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
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
local function load_records(ids, record_prefix, last_use_prefix, note_prefix)
  local records = {}
  if #ids == 0 then return records end
  local keys = {}
  for i = 1, #ids do
    keys[i] = record_prefix .. ids[i]
    keys[#ids + i] = last_use_prefix .. ids[i]
  end
  local found = {}
  for from = 1, #keys, 2000 do
    local batch = call('MGET', unpack(keys, from, math.min(from + 1999, #keys)))
    for i = 1, #batch do found[from - 1 + i] = batch[i] end
  end
  for i = 1, #ids do
    local record = found[i]
    if record then
      local parts = { record }
      if is_readable(record) then
        local note = byte(record, 37) > 1 and call('GET', note_prefix .. ids[i])
        parts = { record, found[#ids + i], note, read_epochs((epoch_fields(record))) }
      end
      records[#records + 1] = { ids[i], parts }
    end
  end
  return records
end
local function each_leaf(resume_at, budget, visit)
  local number, bound = string.match(resume_at, '^(%d+)%.(.*)$')
  local i = tonumber(number) or 2
  while i <= #KEYS do
    local head = KEYS[i]
    if not bound then
      visit(head)
      budget = budget - 1
      bound = ''
    end
    while true do
      if budget <= 0 then return i .. '.' .. bound end
      local from = bound == '' and '-' or '(' .. bound
      local bounds = call('ZRANGEBYLEX', head .. 'd', from, '+', 'LIMIT', 0,
        math.min(budget, 100))
      if #bounds == 0 then break end
      for _, next_bound in ipairs(bounds) do visit(head .. next_bound) end
      budget = budget - #bounds
      bound = bounds[#bounds]
    end
    i, bound = i + 1, nil
  end
end
local limit, after_score, after_id = tonumber(ARGV[1]), tonumber(ARGV[4]), ARGV[5]
local present_score = floor(now / 1000) - 1735689600
local candidates, max_score, is_cut = {}, '(inf', false
local function sort_candidates()
  table.sort(candidates, function(x, y)
    if x[1] ~= y[1] then return x[1] < y[1] end
    if x[2] ~= y[2] then return x[2] < y[2] end
    return x[3] < y[3]
  end)
end
local function add_candidates(members)
  for i = 1, #members, 2 do
    local tick, random = unpack_bytes('>I5I5', members[i])
    candidates[#candidates + 1] = { tonumber(members[i + 1]), tick, random, members[i] }
  end
end
local function keep_first()
  sort_candidates()
  local kept = {}
  for _, candidate in ipairs(candidates) do
    local last = kept[#kept]
    if not last or last[4] ~= candidate[4] then
      if #kept == limit then break end
      kept[#kept + 1] = candidate
    end
  end
  candidates = kept
  if #candidates == limit then
    max_score, is_cut = string.format('%.0f', candidates[limit][1]), true
  end
end
local resume_at = each_leaf(ARGV[3], tonumber(ARGV[2]), function(leaf)
  local min_score = '(' .. present_score
  if after_score and after_score > present_score then
    min_score = '(' .. after_score
    local after_tick, after_random = unpack_bytes('>I5I5', after_id)
    local same_score, later = call('ZRANGEBYSCORE', leaf, after_score, after_score, 'WITHSCORES'), {}
    for i = 1, #same_score, 2 do
      local tick, random = unpack_bytes('>I5I5', same_score[i])
      if tick > after_tick or (tick == after_tick and random > after_random) then
        later[#later + 1] = same_score[i]
        later[#later + 1] = same_score[i + 1]
      end
    end
    add_candidates(later)
  end
  add_candidates(call('ZRANGEBYSCORE', leaf, min_score, max_score, 'WITHSCORES', 'LIMIT', 0, limit + 1))
  if #candidates >= 4 * limit then keep_first() end
end)
keep_first()
local ids = {}
for i, candidate in ipairs(candidates) do ids[i] = candidate[4] end
local last = candidates[#candidates]
local cut = is_cut and { string.format('%.0f', last[1]), last[4] } or false
local records = load_records(ids, ARGV[6], ARGV[7], ARGV[8])
return { resume_at or false, cut, records }
