-- Counts out what an epoch is about to end.

-- The newest ids under the head of a narrow term, about so many.
local function newest(k, most)
  local ids = c('ZRANGE', k, 0, -1)
  if #ids == 0 or #ids[#ids] ~= 11 then return ids end
  ids[#ids] = nil
  for _, lower in ipairs(c('ZREVRANGEBYLEX', k .. 'd', '+', '-', 'LIMIT', 0, most)) do
    if #ids >= most then break end
    for _, id in ipairs(c('ZRANGE', k .. lower, 0, -1)) do ids[#ids + 1] = id end
  end
  return ids
end

local function answers_to(header, field)
  for _, name in ipairs((fields(header))) do
    if name == field then return true end
  end
  return false
end

-- Of what is listed under the heads from K[k] on, but for one, that is counted out which the epoch of
-- the field will end. What had ended before was counted out before.
local function count_out_listed(cells, records, k, field, other)
  local seen = {}
  for i = k, #K do
    for _, id in ipairs(newest(K[i], @COUNTED_OUT@)) do
      if id ~= other and not seen[id] then
        seen[id] = true
        local header = c('GETRANGE', records .. id, 0, 135)
        if sound(header) and counted(header) and answers_to(header, field) and clear(header) then
          count_out(cells, header)
        end
      end
    end
  end
end

-- The cells of the lane that are not over and were not laid aside.
local function open_cells(cells)
  local found = c('ZRANGEBYSCORE', cells, '(' .. floor(now / 1000), '+inf', 'WITHSCORES')
  local open = {}
  for i = 1, #found, 2 do
    if #found[i] == 6 then open[#open + 1] = { found[i], found[i + 1] } end
  end
  return open
end

-- Counts out all of a client.
local function count_out_client(cells, client)
  for _, open in ipairs(open_cells(cells)) do
    local cell = cells .. open[1]
    for kind = 0, 3 do
      local rest = kind .. client
      local found = c('HMGET', cell, 'i' .. rest, 'x' .. rest)
      if found[1] then c('HSET', cell, 'r' .. rest, found[1]) end
      if found[2] then c('HSET', cell, 'x' .. rest, 0) end
    end
  end
end

-- Counts out all there are: each cell is laid aside under a name that ends in the mark of the
-- operation, which says that all in it are revoked, and what comes later begins another.
local function count_out_all(cells, mark)
  for _, open in ipairs(open_cells(cells)) do
    local span, ends = open[1], open[2]
    if c('EXISTS', cells .. span) == 1 then
      c('RENAME', cells .. span, cells .. span .. mark)
      c('ZADD', cells, ends, span .. mark)
    end
    c('ZREM', cells, span)
  end
end
