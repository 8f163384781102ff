-- KEYS: lane, record, heads of the added terms, heads of the former terms.
-- ARGV: deadline, rest of the id, the version read, the new body, its key, the number of added terms,
-- which terms are broad (a 1 or 0 for each, the added ones first).
local key, added, broad = tonumber(A[5]), tonumber(A[6]), A[7]
local record = c('GET', K[2])
if now > tonumber(A[1]) then return { 'late' } end
if not record or sub(record, 31, 36) ~= A[2] then return { 'missing' } end
if not sound(record) then return { 'damaged' } end
local version = tonumber(A[3])
if unpack_('>I4', record, 3) ~= version then return { 'stale' } end
present()
if key < key_floor then return { 'retired', key, key_floor } end

local _, start = fields(record)
local front = sub(record, 1, 2) .. pack('>I4', version + 1) .. sub(record, 7, 20)
c('SET', K[2], front .. pack('>I2', key) .. sub(record, 23, start - 1) .. A[4], 'XX', 'KEEPTTL')

local keep, id = unpack_('>I6', record, 15), sub(K[2], -10)
local score = string.format('%.0f', math.ceil(keep / 1000) - 1735689600)

-- Takes the id out of the leaf that it lies in: the head, or a chunk.
local function unlist(head)
  if c('ZREM', head, id) == 1 then return true end
  local lower = c('ZREVRANGEBYLEX', head .. 'd', '[' .. id, '-', 'LIMIT', 0, 1)[1]
  return lower and c('ZREM', head .. lower, id) == 1
end

for i = 3, #K do
  local head, place = K[i], i - 2
  local is_broad = sub(broad, place, place) == '1'
  if place <= added then
    if is_broad then
      -- The class of what is left of its life, as at an insert; only the server knows what is left.
      local life, class = (keep - now) / 1000, 0
      while life >= 4 and class < 14 do life, class = life / 4, class + 1 end
      head = head .. string.char(97 + class)
    end
    list(head, id, score, keep, true)
  elseif not is_broad then
    unlist(head)
  else
    -- Its class was chosen when it was listed; how long it was to live then, nobody remembers.
    for class = 0, 14 do
      if unlist(head .. string.char(97 + class)) then break end
    end
  end
end
return { 'done' }
