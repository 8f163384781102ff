-- Returns the newest records under a term, from all its heads (one for each lifetime class). Reads at most
-- `leaf_budget` leaves of each head, and only ids below `below`, unless that is ''.
--
-- Answers the id to resume below (nil at the end) and up to `limit` records. All ids that are not below
-- the id to resume at have been read.
@include names@
@include id_order@
@include record_header@
@include load_records@
local limit, leaf_budget, below = tonumber(@arg.limit@), tonumber(@arg.leaf_budget@), @arg.below@
local below_tick, below_random = math.huge, 0
if below ~= '' then below_tick, below_random = unpack_bytes('>I5I5', below) end

-- Returns the bound of the chunk before an id, or of the last chunk if the id is ''.
local function chunk_before(directory, id)
  return call('ZREVRANGEBYLEX', directory, id == '' and '+' or '(' .. id, '-', 'LIMIT', 0, 1)[1]
end

-- The highest bound below which a head has ids that are not read.
local unread_tick, unread_random = -1, 0
-- The ids that were read. `order` has a number for each, by which all but ids of one tick are in order.
local ids, order, count = {}, {}, 0
for i = @first_key.heads@, #KEYS do
  local head = KEYS[i]
  local directory, found, leaf = head .. @index.directory@, 0, head
  local last = call('ZRANGE', head, -1, -1)[1]
  local bound = last and #last == @MARKER_BYTES@ and sub(last, -@ID_BYTES@)
  if bound then
    local tick, random = unpack_bytes('>I5I5', bound)
    if tick > below_tick or (tick == below_tick and random >= below_random) then
      -- All of the head lies at or above the id to read below.
      bound = chunk_before(directory, below)
      leaf = bound and head .. bound
    end
  end
  local leaves_left = last and leaf_budget or 0
  while leaf and leaves_left > 0 do
    local members = call('ZRANGE', leaf, 0, -1)
    if #members > 0 and #members[#members] == @MARKER_BYTES@ then members[#members] = nil end
    local numbers = id_numbers(members)
    -- A call of a function for each id, or asking for the length of a table, would double the time of this loop.
    for j = 1, #members do
      local tick, random = numbers[2 * j - 1], numbers[2 * j]
      if tick < below_tick or (tick == below_tick and random < below_random) then
        found, count = found + 1, count + 1
        ids[count], order[count] = members[j], tick * 8192 + floor(random / 134217728)
      end
    end
    leaves_left = leaves_left - 1
    local next_bound = bound and chunk_before(directory, bound)
    if not next_bound then
      bound = nil
      break
    end
    if found >= limit or leaves_left == 0 then break end
    bound, leaf = next_bound, head .. next_bound
  end
  if leaf and bound and last then
    -- There is more below the bound. No id below it may be returned before that has been read.
    local tick, random = unpack_bytes('>I5I5', bound)
    if tick > unread_tick or (tick == unread_tick and random > unread_random) then
      unread_tick, unread_random = tick, random
    end
  end
end

-- The highest numbers, one more than the page needs, the highest first. To sort all ids would take longer.
local highest, highest_count, lowest = {}, 0, -1
for i = 1, count do
  local number = order[i]
  if number > lowest then
    local at = highest_count + 1
    while at > 1 and highest[at - 1] < number do at = at - 1 end
    if highest[at - 1] ~= number then
      table.insert(highest, at, number)
      highest[limit + 2] = nil
      highest_count = math.min(highest_count + 1, limit + 1)
      if highest_count > limit then lowest = highest[highest_count] end
    end
  end
end
local candidates, is_listed = {}, {}
for i = 1, count do
  -- A term that was added again may list one id under two heads.
  if order[i] >= lowest and not is_listed[ids[i]] then
    is_listed[ids[i]] = true
    candidates[#candidates + 1] = ids[i]
  end
end

local sorted, page, resume_below = oldest_first(candidates), {}, nil
for i = #sorted, 1, -1 do
  local tick, random = unpack_bytes('>I5I5', sorted[i])
  if tick < unread_tick or (tick == unread_tick and random < unread_random) then break end
  if #page == limit then
    resume_below = page[limit]
    break
  end
  page[#page + 1] = sorted[i]
end
if not resume_below and unread_tick >= 0 then
  resume_below = pack('>I5I5', unread_tick, unread_random)
end
local records = load_records(page, @arg.record_prefix@, @arg.last_use_prefix@, @arg.note_prefix@)
return { resume_below or false, records }
