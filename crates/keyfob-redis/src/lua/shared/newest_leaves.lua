-- Visiting the leaves of an index, the newest first.
local limit, leaf_budget, below = tonumber(@arg.limit@), tonumber(@arg.leaf_budget@), @arg.below@
local below_tick, below_random = math.huge, 0
if below ~= '' then below_tick, below_random = unpack_bytes('>I5I5', below) end

-- The highest bound below which a head has ids that are not read. No id below it may be returned before that
-- has been read.
local unread_tick, unread_random = -1, 0

-- Returns the bound of the chunk before an id, or of the last chunk if the id is ''.
local function chunk_before(directory, id)
  return call('ZREVRANGEBYLEX', directory, id == '' and '+' or '(' .. id, '-', 'LIMIT', 0, 1)[1]
end

-- Visits the leaves of a head that have ids below `below`, until `visit` says that these are enough, and at
-- most `leaf_budget` leaves. Only the first leaf may also have ids that are not below.
local function each_newest_leaf(head, visit)
  local last = call('ZRANGE', head, -1, -1)[1]
  if not last then return end
  local directory, leaf, leaves_left, is_first = head .. @index.directory@, head, leaf_budget, true
  local bound = #last == @MARKER_BYTES@ and sub(last, -@ID_BYTES@)
  if bound then
    local tick, random = unpack_bytes('>I5I5', bound)
    if tick > below_tick or (tick == below_tick and random >= below_random) then
      -- All of the head lies at or above the id to read below.
      bound = chunk_before(directory, below)
      leaf = bound and head .. bound
    end
  end
  while leaf do
    local members = call('ZRANGE', leaf, 0, -1)
    if #members > 0 and #members[#members] == @MARKER_BYTES@ then members[#members] = nil end
    local are_enough = visit(members, is_first)
    leaves_left, is_first = leaves_left - 1, false
    local next_bound = bound and chunk_before(directory, bound)
    if not next_bound then return end
    if are_enough or leaves_left == 0 then
      local tick, random = unpack_bytes('>I5I5', bound)
      if tick > unread_tick or (tick == unread_tick and random > unread_random) then
        unread_tick, unread_random = tick, random
      end
      return
    end
    bound, leaf = next_bound, head .. next_bound
  end
end
