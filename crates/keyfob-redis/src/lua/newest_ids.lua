-- Returns the newest ids under a term, in no order: those in the newest leaves of its heads. Reads about `limit`
-- ids, and at most `leaf_budget` leaves, of each head, until below `below`, unless that is ''.
--
-- Answers the id to resume below (nil at the end) and the ids in one string. All ids that are not below the
-- id to resume at have been read. The reader leaves out other ids, those that are not below `below`, and
-- repetitions.
@include names@
@include newest_leaves@
local parts, count = {}, 0
for i = @first_key.heads@, #KEYS do
  local before = count
  each_newest_leaf(KEYS[i], function(members)
    parts[#parts + 1] = table.concat(members)
    count = count + #members
    return count - before >= limit
  end)
end
local resume_below = unread_tick >= 0 and pack('>I5I5', unread_tick, unread_random)
return { resume_below, table.concat(parts) }
