-- The index of one term: a tree of two levels whose leaves are sorted sets, small enough to stay in
-- the server's compact form, scored by the second at which the record is forgotten.
--
--   k              the head: the newest ids. Once it has rolled it also holds a marker, 'm' and its
--                  lower bound, scored +inf: no id below the bound is in it
--   k .. bound     a chunk: ids from its bound up to the next one
--   k .. 'd'       the directory: the bounds of the chunks, all scored 0, so in order of bytes
--
-- The ranges of the leaves never overlap, whatever order ids come in: one that is older than the
-- head goes to the chunk that its time belongs to. So the newest-first walk is exact. The head
-- lives as long as the directory, and that as long as any chunk. What has expired needs no
-- janitor: a key goes with its last member, and single members are trimmed as others are added.
local CAP = @CAP@
local BOTTOM = string.rep('\0', 10)

-- Drops up to sixteen members whose time is over; how many. Scores are rounded up, so a record is
-- gone as soon as the second of its score begins.
local function trim(key)
  local dead = c('ZCOUNT', key, '-inf', floor(now / 1000) - 1735689600)
  if dead == 0 then return 0 end
  return c('ZREMRANGEBYRANK', key, 0, math.min(dead, 16) - 1)
end

-- What few calls need. A script makes its functions anew in each call, so these are made only then.
local rare
local function seldom()
  if rare then return rare end
@ORDER@
  local function raise(key, px)
    if c('PEXPIREAT', key, px, 'GT') == 0 and c('PTTL', key) == -1 then c('PEXPIREAT', key, px) end
  end

  local function is_below(id, bound)
    local h, l = unpack_('>I5I5', id)
    local bh, bl = unpack_('>I5I5', bound)
    return h < bh or (h == bh and l < bl)
  end

  -- Moves members from one leaf to another, with their scores.
  local function move(from, to, ids)
    for first = 1, #ids, 1000 do
      local last = math.min(first + 999, #ids)
      local scores = c('ZMSCORE', from, unpack(ids, first, last))
      local pairs_ = {}
      for i = first, last do
        pairs_[#pairs_ + 1] = scores[i - first + 1]
        pairs_[#pairs_ + 1] = ids[i]
      end
      c('ZADD', to, unpack(pairs_))
      c('ZREM', from, unpack(ids, first, last))
    end
  end

  -- Forgets bounds of chunks that are gone: the two oldest and two at random, more than a roll adds.
  -- The range of one that is gone falls to its neighbour, which changes the place of no member.
  local function tidy(k)
    local d = k .. 'd'
    for _, bounds in ipairs({ c('ZRANGE', d, 0, 1), c('ZRANDMEMBER', d, 2) }) do
      for _, bound in ipairs(bounds) do
        if c('EXISTS', k .. bound) == 0 then c('ZREM', d, bound) end
      end
    end
  end

  -- Makes a chunk of the head but for its newest ids; the new lower bound of the head, or nothing if
  -- all of them are too new. What came in the last 64 ms stays, since more of its time may come; but
  -- never more than half.
  local function roll(k)
    local ids = c('ZRANGE', k, 0, -1)
    local lower, tick = BOTTOM, floor(now / 16)
    local marker = ids[#ids]
    if #marker == 11 then
      lower = sub(marker, 2)
      ids[#ids] = nil
    end
    local function newer(h, l)
      local w, kept = numbers(ids), {}
      for i = 1, #ids do
        local high = w[2 * i - 1]
        if high > h or (high == h and w[2 * i] >= l) then kept[#kept + 1] = ids[i] end
      end
      return kept
    end
    local h, l = tick - 4, 0
    local stay = newer(h, l)
    if #stay * 2 > #ids then
      h, l = unpack_('>I5I5', ascending(ids)[floor(#ids * 3 / 4)])
      -- Ids from clocks ahead of ours do not pull the bound beyond the present: all others would
      -- then be late.
      if h > tick then h, l = tick, 0 end
      stay = newer(h, l)
    end
    if #stay == #ids then return nil end
    local bound, chunk, d = pack('>I5I5', h, l), k .. lower, k .. 'd'
    local expire = c('PEXPIRETIME', k)
    c('RENAME', k, chunk)
    if #marker == 11 then c('ZREM', chunk, marker) end
    c('ZADD', k, 'inf', 'm' .. bound)
    if #stay > 0 then move(chunk, k, stay) end
    c('PEXPIREAT', k, expire)
    c('ZADD', d, 0, lower)
    raise(d, expire)
    if h > boundary then
      boundary = h
      c('HSET', K[1], 'r', h)
    end
    tidy(k)
    return bound
  end

  -- Lists an id that is older than the head.
  local function list_late(k, id, score, px)
    local d = k .. 'd'
    local lower = c('ZREVRANGEBYLEX', d, '[' .. id, '-', 'LIMIT', 0, 1)[1] or BOTTOM
    local chunk = k .. lower
    local n = c('ZCARD', chunk)
    if n >= CAP then n = n - trim(chunk) end
    if n >= CAP then
      local ids = ascending(c('ZRANGE', chunk, 0, -1))
      local middle = floor(#ids / 2) + 1
      local bound, upper = ids[middle], {}
      for i = middle, #ids do upper[#upper + 1] = ids[i] end
      move(chunk, k .. bound, upper)
      c('PEXPIREAT', k .. bound, c('PEXPIRETIME', chunk))
      c('ZADD', d, 0, bound)
      if not is_below(id, bound) then lower, chunk = bound, k .. bound end
    end
    c('ZADD', chunk, score, id)
    c('ZADD', d, 0, lower)
    raise(chunk, px)
    raise(d, px)
    raise(k, px)
  end

  rare = { is_below = is_below, roll = roll, list_late = list_late }
  return rare
end

-- Lists an id under the head k. It is late if its tick is not above the lane's `boundary`: one that
-- is above is below no head's bound, so that the common case need not look. Nor does each look at
-- the size of the head: one in four does, by the id's last random byte, which is often enough for a
-- head to roll some way short of the size at which the server would change its form.
local function list(k, id, score, px, late)
  local ends = c('PEXPIRETIME', k)
  if ends ~= -2 then
    local lower
    if late then
      local marker = c('ZRANGE', k, -1, -1)[1]
      lower = #marker == 11 and sub(marker, 2)
    end
    if string.byte(id, 10) % 4 == 0 then
      local n = c('ZCARD', k) - trim(k)
      if n >= CAP then lower = seldom().roll(k) or lower end
      if n == 0 then ends = -2 end
    end
    if lower and seldom().is_below(id, lower) then
      return seldom().list_late(k, id, score, px)
    end
  end
  c('ZADD', k, score, id)
  if ends < px then c('PEXPIREAT', k, px) end
end
