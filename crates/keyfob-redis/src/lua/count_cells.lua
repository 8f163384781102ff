-- Counting out by cells.

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
