-- New records. From K[k] on, for each: its key, the heads of its terms, the cells that it is counted
-- in. From A[a] on, for each: header up to the stamp, header and body after it, keep-until, score,
-- expiry of the index keys, the stamp that was seen or '', the epoch fields, the number of heads and
-- cells together, and '' or the number of cells and the field that it is counted under. Two cells too
-- many say that its uses are spent.
local STRIDE = 9

-- By how many milliseconds an id may lie in the future.
local AHEAD = 10000

-- What the common case does not need: a script makes its functions anew in each call, so these are
-- made only when they are wanted.
local function refusing()
@VERDICT@
  -- Why the records may not be stored: nothing, or the answer to give. A record that bears the same
  -- operation shows that an earlier sending was done.
  local function refusal(k, a, count)
    local again, from_k, from_a = nil, k, a
    for _ = 1, count do
      local found = c('GETRANGE', K[k], 0, 35)
      if found ~= '' then
        if sub(found, 23, 36) ~= sub(A[a + 1], 9, 22) then return { 'taken' } end
        again = again or string.format('%.0f', unpack_('>I8', found, 7))
      end
      k, a = k + 1 + A[a + 7], a + STRIDE
    end
    if again then return { 'stored', again } end
    k, a = from_k, from_a
    for _ = 1, count do
      local seen = tonumber(A[a + 5])
      if seen then
        local names = {}
        for i = 1, #A[a + 6], 8 do names[#names + 1] = sub(A[a + 6], i, i + 7) end
        local values = epochs(names)
        if overtaken(seen, values) or not known(seen, values) then return { 'superseded' } end
      end
      local ahead = unpack_('>I5', sub(K[k], -10)) * 16 - now
      if ahead > AHEAD then return { 'ahead', ahead } end
      k, a = k + 1 + A[a + 7], a + STRIDE
    end
  end
  return refusal
end

-- Stores the records; the stamp of the first. A record whose time is over already is stored
-- nowhere. Only a record that is alone may turn out to be there already: then nothing.
local function store(k, a, count)
  local first
  for _ = 1, count do
    local keys, cells, under = tonumber(A[a + 7]), 0, A[a + 8]
    if under ~= '' then cells = string.byte(under) - 48 end
    local spent = cells > 2
    if spent then cells = cells - 2 end
    local terms, keep, px = keys - cells, A[a + 2], tonumber(A[a + 4])
    local stamp = tonumber(A[a + 5]) or sequence
    first = first or stamp
    if tonumber(keep) > now then
      local value = A[a] .. pack('>I8', stamp) .. A[a + 1]
      if not c('SET', K[k], value, 'PXAT', keep, 'NX') then return nil end
      local id, score = sub(K[k], -10), A[a + 3]
      local late = unpack_('>I5', id) <= boundary
      for i = 1, terms do list(K[k + i], id, score, px, late) end
      for i = terms + 1, keys do
        local cell, field = K[k + i], sub(under, 2)
        if spent then redis.pcall('HINCRBY', cell, 'x' .. sub(field, 2), 1) end
        if redis.pcall('HINCRBY', cell, field, 1) == 1 then
          pcall(new_field, cell, field, id .. sub(A[a + 1], 17, 22))
        end
      end
      if px > ends then
        ends = px
        c('PEXPIREAT', K[1], px, 'GT')
        c('HSET', K[1], 'x', A[a + 4])
      end
    end
    k, a = k + 1 + keys, a + STRIDE
  end
  return first
end
