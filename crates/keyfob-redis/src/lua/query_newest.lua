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
local ids, is_listed = {}, {}
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
    for j = 1, #members do
      local tick = numbers[2 * j - 1]
      if tick < below_tick or (tick == below_tick and numbers[2 * j] < below_random) then
        found = found + 1
        -- A term that was added again may list one id under two heads.
        if not is_listed[members[j]] then
          is_listed[members[j]] = true
          ids[#ids + 1] = members[j]
        end
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

local sorted, page, resume_below = oldest_first(ids), {}, nil
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
