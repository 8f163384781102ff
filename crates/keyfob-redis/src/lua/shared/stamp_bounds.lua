-- What the epochs of a lane say about a stamp: the rule of `Verdict::of`. `epochs` is what read_epochs()
-- returns.
--
-- A stamp below `overtaken_below` is overtaken by an epoch. A stamp outside `first_stamp` to `last_stamp`
-- is not of this lane: the lane has lost what decides about it, or belongs to another namespace.
local overtaken_below, first_stamp, last_stamp = 0, 1, 0
for i = 4, #epochs do
  local epoch = epochs[i]
  if epoch then overtaken_below = math.max(overtaken_below, @epoch[epoch].stamp@) end
end
if (not epochs[1] or epochs[1] == @arg.namespace@) and epochs[2] and epochs[3] then
  first_stamp, last_stamp = tonumber(epochs[2]), tonumber(epochs[3])
end
