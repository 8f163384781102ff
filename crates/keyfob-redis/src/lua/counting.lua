-- What is counted. A cell is a hash, named by a span of time that tokens end in, or begin in: its
-- letter and six bytes, of which the first is the power of two of seconds that it is long (with the
-- highest bit, for beginnings), the others its number. The key with the letter alone is the directory
-- of the cells of the lane, by when their spans are over. Each cell goes when its span is over.
--
-- The fields of a cell are a column (i: stored, r: revoked, x: exhausted), a digit for the kind, and the
-- client's epoch field, if there is one. The directory's name and an s is a hash of samples: for each
-- client the id of one of its tokens, and when the span that it ends in is over.
--
-- No step fails because it cannot be counted: whatever goes wrong here, such as a cell that another
-- program has overwritten, is caught, and the counts are off by that.
--
-- Where a record is counted stands in its header, in the place of the tombstone that it does not have
-- yet: 1 and the kind, the span of its end, that of its beginning or noughts.

-- What few calls need: a field that is new may be of a cell that is new, or of one whose time is over,
-- which nothing makes again.
local function new_field(cell, field, id)
  local power, number = unpack_('>BI5', cell, #cell - 5)
  local secs, directory = (number + 1) * 2 ^ (power % 128), sub(cell, 1, -7)
  local ends = string.format('%.0f', secs)
  local function raise(key)
    if c('PEXPIREAT', key, ends .. '000', 'GT') == 0 and c('PTTL', key) == -1 then
      c('PEXPIREAT', key, ends .. '000')
    end
  end
  if c('PTTL', cell) == -1 then
    if secs * 1000 <= now then return c('DEL', cell) end
    c('PEXPIREAT', cell, ends .. '000')
    local dead = c('ZCOUNT', directory, '-inf', floor(now / 1000))
    if dead > 0 then c('ZREMRANGEBYRANK', directory, 0, dead - 1) end
    c('ZADD', directory, ends, sub(cell, -6))
    raise(directory)
  end
  local client = sub(field, 3)
  if not id or client == '' then return end
  -- The token that ends last is kept, and a few are dropped that are over.
  local samples = directory .. 's'
  local known = c('HGET', samples, client)
  if not known or unpack_('>I5', known, 17) <= secs then
    c('HSET', samples, client, id .. pack('>I5', secs))
    raise(samples)
    local some = c('HRANDFIELD', samples, 2, 'WITHVALUES')
    for i = 1, #some, 2 do
      if unpack_('>I5', some[i + 1], 17) * 1000 <= now then c('HDEL', samples, some[i]) end
    end
  end
end
