-- KEYS: lane, events, answer, record, signal of it, directory of the cells, heads of the added terms,
-- minted records as in records.lua.
-- ARGV: deadline, rest of the id, cap, expiry of the events, their number, the events, the version
-- read, the new body, its key, the span of its end if that has moved or '', the number of added terms,
-- which of them are broad (a 1 or 0 for each), the number of minted records, 1 if it is to be
-- remembered that it was done, those as in records.lua.
--
-- The first of the minted records remembers the operation. Only where there is none, or where it
-- may be gone before the deadline, is the answer kept beside it; and wherever nothing was done.
local events = tonumber(A[5])
local a = 6 + events
local version, body, key = tonumber(A[a]), A[a + 1], tonumber(A[a + 2])
local span, added, broad, minted = A[a + 3], tonumber(A[a + 4]), A[a + 5], tonumber(A[a + 6])
local mint_k, mint_a = 7 + added, a + 8

local both = c('MGET', K[4], K[3])
local record = both[1]
if both[2] then return cmsgpack.unpack(both[2]) end
if now > tonumber(A[1]) then return { 'late' } end

local function answer(outcome)
  c('SET', K[3], cmsgpack.pack(outcome), 'PXAT', A[1])
  return outcome
end

-- The answer where it cannot be done, unless it was done before.
local function instead(code)
  if minted > 0 and c('GETRANGE', K[mint_k], 22, 35) == sub(A[mint_a + 1], 9, 22) then
    return { 'stored', version + 1 }
  end
  return answer({ code })
end

if not record or sub(record, 31, 36) ~= A[2] then return instead('missing') end
if not sound(record) then return { 'damaged' } end

-- One read of the lane, for the record and for what is minted from it.
local names, start = fields(record)
local n = #names
names[n + 1], names[n + 2], names[n + 3] = 'r', 'x', 'k'
local values = epochs(names)
sequence, boundary = tonumber(values[2]), tonumber(values[n + 4])
ends, key_floor = tonumber(values[n + 5] or 0), tonumber(values[n + 6] or 0)
values[n + 6], values[n + 5], values[n + 4] = nil, nil, nil

local function stands(stamp)
  return not overtaken(stamp, values) and known(stamp, values)
end

if string.byte(record, 37) ~= 0 or not stands(unpack_('>I8', record, 7)) then
  return instead('ended')
end
if unpack_('>I4', record, 3) ~= version then return instead('stale') end

if key_floor > 0 then
  local lowest = key
  for i = 0, minted - 1 do
    lowest = math.min(lowest, (unpack_('>I2', A[mint_a + 1 + STRIDE * i], 7)))
  end
  if lowest < key_floor then return { 'retired', lowest, key_floor } end
end

-- What is minted alone, and answers to the epochs of the record, needs no more reads: SET NX tells
-- whether its id is free.
local is_plain = minted == 1 and A[mint_a + 6] == sub(record, start - 8 * n, start - 1)
if is_plain then
  local seen = tonumber(A[mint_a + 5])
  if seen and not stands(seen) then return answer({ 'ended' }) end
  local ahead = unpack_('>I5', sub(K[mint_k], -10)) * 16 - now
  if ahead > AHEAD then return { 'ahead', ahead } end
  if not store(mint_k, mint_a, 1) then return answer({ 'taken' }) end
elseif minted > 0 then
  local refused = refusing()(mint_k, mint_a, minted)
  if refused then
    local code = refused[1]
    if code == 'ahead' then return refused end
    return answer({ code == 'superseded' and 'ended' or 'taken' })
  end
end

if span ~= '' then
  local _, moved = pcall(shift, K[6], record, span, sub(K[4], -10) .. A[2])
  if moved == true then record = sub(record, 1, 38) .. span .. sub(record, 45) end
end
local front = sub(record, 1, 2) .. pack('>I4', version + 1) .. sub(record, 7, 20)
local value = front .. pack('>I2', key) .. sub(record, 23, start - 1) .. body
c('SET', K[4], value, 'XX', 'KEEPTTL')
signal(K[5])

if added > 0 then
  local keep = unpack_('>I6', record, 15)
  local score = string.format('%.0f', math.ceil(keep / 1000) - 1735689600)
  local id = sub(K[4], -10)
  for i = 1, added do
    local head = K[6 + i]
    if sub(broad, i, i) == '1' then
      -- The class of what is left of its life, as at an insert; only the server knows what is left.
      local life, class = (keep - now) / 1000, 0
      while life >= 4 and class < 14 do life, class = life / 4, class + 1 end
      head = head .. string.char(97 + class)
    end
    list(head, id, score, keep, true)
  end
end
if minted > 0 and not is_plain then store(mint_k, mint_a, minted) end
append(K[2], 6, events, A[3], A[4])
local done = { 'stored', version + 1 }
return A[a + 7] == '1' and answer(done) or done
