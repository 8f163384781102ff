-- Returns the newest records under a term, from all its heads (one for each lifetime class). Reads at most
-- `leaf_budget` leaves of each head, and only ids below `below`, unless that is ''.
--
-- Answers the id to resume below (nil at the end) and up to `limit` records. All ids that are not below
-- the id to resume at have been read.
@include names@
@include id_order@
@include record_header@
@include load_records@
@include newest_leaves@
-- The ids that were read. `order` has a number for each, by which all but ids of one tick are in order.
local ids, order, count = {}, {}, 0
for i = @first_key.heads@, #KEYS do
  local before = count
  each_newest_leaf(KEYS[i], function(members)
    local numbers = id_numbers(members)
    -- A call of a function for each id, or asking for the length of a table, would double the time of this loop.
    for j = 1, #members do
      local tick, random = numbers[2 * j - 1], numbers[2 * j]
      if tick < below_tick or (tick == below_tick and random < below_random) then
        count = count + 1
        ids[count], order[count] = members[j], tick * 8192 + floor(random / 134217728)
      end
    end
    return count - before >= limit
  end)
end

-- The highest numbers, one more than the page needs, the highest first. To sort all ids would take longer,
-- unless the page is large.
local highest, highest_count, lowest = {}, 0, -1
if limit < 64 then
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
