-- The index of one term: a tree of two levels. Its leaves are sorted sets, small enough to stay in the
-- server's compact form. The score of an id is the second at which its record is deleted.
--
--   head                 the newest ids. After the first split it also holds a marker: the letter of the
--                        marker and the head's lower bound, with score +inf. No id below the bound is
--                        in the head.
--   head .. bound        a chunk: ids from its bound up to the next bound
--   head .. 'd'          the directory: the bounds of the chunks, all with score 0, so in order of bytes
--
-- The ranges of the leaves never overlap, in whatever order ids arrive. An id that is older than the
-- head goes to the chunk that its time belongs to, so reading the newest first is exact. The head lives as
-- long as the directory, and the directory as long as any chunk. Nothing needs to clean up: a key goes
-- with its last member, and expired members are removed as others are added.
local LEAF_CAPACITY = @LEAF_CAPACITY@

@include id_order@

-- Removes up to sixteen expired members. Returns how many. Scores are rounded up, so a record has gone
-- when the second of its score begins.
local function remove_expired(leaf)
  local expired = call('ZCOUNT', leaf, '-inf', floor(now / 1000) - @SCORE_EPOCH_SECS@)
  if expired == 0 then return 0 end
  return call('ZREMRANGEBYRANK', leaf, 0, math.min(expired, @MAX_REMOVED@) - 1)
end

local function raise_leaf_expiry(key, expires_at)
  if call('PEXPIREAT', key, expires_at, 'GT') == 0 and call('PTTL', key) == -1 then
    call('PEXPIREAT', key, expires_at)
  end
end

local function is_below(id, bound)
  local tick, random = unpack_bytes('>I5I5', id)
  local bound_tick, bound_random = unpack_bytes('>I5I5', bound)
  return tick < bound_tick or (tick == bound_tick and random < bound_random)
end

-- Moves members from one leaf to another, with their scores.
local function move_members(from, to, ids)
  for first = 1, #ids, 1000 do
    local last = math.min(first + 999, #ids)
    local scores = call('ZMSCORE', from, unpack(ids, first, last))
    local scored = {}
    for i = first, last do
      scored[#scored + 1] = scores[i - first + 1]
      scored[#scored + 1] = ids[i]
    end
    call('ZADD', to, unpack(scored))
    call('ZREM', from, unpack(ids, first, last))
  end
end

-- Removes bounds of chunks that have expired from the directory. Checks the two oldest and two at random,
-- which is more than a split adds. The range of a chunk that has gone falls to its neighbour, so
-- no member is in the wrong leaf.
local function tidy_directory(head)
  local directory = head .. @index.directory@
  for _, bounds in ipairs({ call('ZRANGE', directory, 0, 1), call('ZRANDMEMBER', directory, 2) }) do
    for _, bound in ipairs(bounds) do
      if call('EXISTS', head .. bound) == 0 then call('ZREM', directory, bound) end
    end
  end
end

-- Splits the head: all but its newest ids become a chunk. Returns the new lower bound of the head, or nil
-- if all ids are too new. Ids of the last 64 ms (4 ticks) stay, because more ids of that time may come.
-- But never more than half of the ids stay.
local function split_head(head)
  local ids = call('ZRANGE', head, 0, -1)
  local lower_bound, present_tick = @index.lowest_id@, floor(now / @TICK_MS@)
  local marker = ids[#ids]
  local has_marker = #marker == @MARKER_BYTES@
  if has_marker then
    lower_bound = sub(marker, -@ID_BYTES@)
    ids[#ids] = nil
  end
  local function not_below(tick, random)
    local numbers, found = id_numbers(ids), {}
    for i = 1, #ids do
      local id_tick = numbers[2 * i - 1]
      if id_tick > tick or (id_tick == tick and numbers[2 * i] >= random) then
        found[#found + 1] = ids[i]
      end
    end
    return found
  end
  local tick, random = present_tick - 4, 0
  local staying = not_below(tick, random)
  if #staying * 2 > #ids then
    tick, random = unpack_bytes('>I5I5', oldest_first(ids)[floor(#ids * 3 / 4)])
    -- An id from a clock that is ahead does not raise the bound beyond the present. Otherwise all other
    -- ids would be older than the head.
    if tick > present_tick then tick, random = present_tick, 0 end
    staying = not_below(tick, random)
  end
  if #staying == #ids then return nil end
  local bound, chunk, directory = pack('>I5I5', tick, random), head .. lower_bound, head .. @index.directory@
  local expires_at = call('PEXPIRETIME', head)
  call('RENAME', head, chunk)
  if has_marker then call('ZREM', chunk, marker) end
  call('ZADD', head, 'inf', @index.marker@ .. bound)
  if #staying > 0 then move_members(chunk, head, staying) end
  call('PEXPIREAT', head, expires_at)
  call('ZADD', directory, 0, lower_bound)
  raise_leaf_expiry(directory, expires_at)
  if tick > highest_bound then
    highest_bound = tick
    call('HSET', @key.lane@, @lane.highest_bound@, tick)
  end
  tidy_directory(head)
  return bound
end

-- Lists an id that is older than the head, in the chunk of its time. A chunk that is full is split.
local function list_in_chunk(head, id, score, expires_at)
  local directory = head .. @index.directory@
  local bound = call('ZREVRANGEBYLEX', directory, '[' .. id, '-', 'LIMIT', 0, 1)[1] or @index.lowest_id@
  local chunk = head .. bound
  local size = call('ZCARD', chunk)
  if size >= LEAF_CAPACITY then size = size - remove_expired(chunk) end
  if size >= LEAF_CAPACITY then
    local ids = oldest_first(call('ZRANGE', chunk, 0, -1))
    local middle = floor(#ids / 2) + 1
    local middle_id, upper_half = ids[middle], {}
    for i = middle, #ids do upper_half[#upper_half + 1] = ids[i] end
    move_members(chunk, head .. middle_id, upper_half)
    call('PEXPIREAT', head .. middle_id, call('PEXPIRETIME', chunk))
    call('ZADD', directory, 0, middle_id)
    if not is_below(id, middle_id) then bound, chunk = middle_id, head .. middle_id end
  end
  call('ZADD', chunk, score, id)
  call('ZADD', directory, 0, bound)
  raise_leaf_expiry(chunk, expires_at)
  raise_leaf_expiry(directory, expires_at)
  raise_leaf_expiry(head, expires_at)
end
