-- KEYS: lane, events, answer, record, signal of it, directory of the cells, heads of the added terms,
-- minted records as in records.lua.
-- ARGV: deadline, rest of the id, cap, expiry of the events, their number, the events, the version
-- read, the new body, its key, the span of its end if that has moved or '', the number of added terms,
-- which of them are broad (a 1 or 0 for each), the number of minted records, those as in records.lua.
local events = tonumber(A[5])
local a = 6 + events
local version, body, key = tonumber(A[a]), A[a + 1], tonumber(A[a + 2])
local span, added, broad, minted = A[a + 3], tonumber(A[a + 4]), A[a + 5], tonumber(A[a + 6])
local mint_k, mint_a = 7 + added, a + 7

local both = c('MGET', K[4], K[3])
local record = both[1]
if both[2] then return cmsgpack.unpack(both[2]) end
if now > tonumber(A[1]) then return { 'late' } end

local function answer(outcome)
  c('SET', K[3], cmsgpack.pack(outcome), 'PXAT', A[1])
  return outcome
end

if not record or sub(record, 31, 36) ~= A[2] then return answer({ 'missing' }) end
if not sound(record) then return { 'damaged' } end
if not clear(record) then return answer({ 'ended' }) end
if unpack_('>I4', record, 3) ~= version then return answer({ 'stale' }) end

present()
if key_floor > 0 then
  local lowest = key
  for i = 0, minted - 1 do
    lowest = math.min(lowest, (unpack_('>I2', A[mint_a + 1 + STRIDE * i], 7)))
  end
  if lowest < key_floor then return { 'retired', lowest, key_floor } end
end
if minted > 0 then
  local refused = refusing()(mint_k, mint_a, minted)
  if refused then
    local code = refused[1]
    if code == 'ahead' then return refused end
    return answer({ code == 'superseded' and 'ended' or 'taken' })
  end
end

local _, start = fields(record)
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
if minted > 0 then store(mint_k, mint_a, minted) end
append(K[2], 6, events, A[3], A[4])
return answer({ 'stored', version + 1 })
