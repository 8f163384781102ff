-- What is counted. A cell is a hash, named by a span of time that tokens end in, or begin in: its
-- letter and six bytes, of which the first is the power of two of seconds that it is long (with the
-- highest bit, for beginnings), the others its number. The key with the letter alone is the directory
-- of the cells of the lane, by when their spans are over. Each cell goes when its span is over.
--
-- Its fields are a column (i: stored, r: revoked, x: exhausted), a digit for the kind, and the client's
-- epoch field, if there is one; and s with that field: the id of one of the client's tokens.
--
-- Where a record is counted stands in its header, in the place of the tombstone that it does not have
-- yet: 1 and the kind, the span of its end, that of its beginning or noughts.

-- When the span of a cell is over, in seconds.
local function over(cell)
  local power, number = unpack_('>BI5', cell, #cell - 5)
  return (number + 1) * 2 ^ (power % 128)
end

-- Adds to a field of a cell. Only a field that is new may need more than that: its cell may be new, or
-- one whose time is over, which nothing makes again.
local function add(cell, field, n, id)
  if c('HINCRBY', cell, field, n) ~= n then return end
  if c('PTTL', cell) == -1 then
    local ends, directory = over(cell), sub(cell, 1, -7)
    if ends * 1000 <= now then return c('DEL', cell) end
    ends = string.format('%.0f', ends)
    c('PEXPIREAT', cell, ends .. '000')
    local dead = c('ZCOUNT', directory, '-inf', floor(now / 1000))
    if dead > 0 then c('ZREMRANGEBYRANK', directory, 0, dead - 1) end
    c('ZADD', directory, ends, sub(cell, -6))
    if c('PEXPIREAT', directory, ends .. '000', 'GT') == 0 and c('PTTL', directory) == -1 then
      c('PEXPIREAT', directory, ends .. '000')
    end
  end
  if id and #field > 2 then c('HSET', cell, 's' .. sub(field, 3), id) end
end
