-- KEYS: lane, events, answer, signal of the epoch, directory of the cells, and for the first step of a
-- walk the table of walks, or the heads under which what it ends is listed.
-- ARGV: deadline, when to forget the answer, cap, expiry of the events, their number, the events,
-- the operation, when, the note, the field, the walk to record or '', what records start with, what is
-- counted out: 'all', all of a 'client', or what is 'listed'.
--
-- An epoch bears the operation that advanced it: a walk that is finished long after its answers
-- were forgotten does not advance a second time where it had been.
local events = tonumber(A[5])
local a = 6 + events
local op, at, note, field, walk = A[a], A[a + 1], A[a + 2], A[a + 3], A[a + 4]
local records, ends = A[a + 5], A[a + 6]
local open = walk ~= '' and c('HEXISTS', K[6], op) == 1

local present = c('HGET', K[1], field)
local done = present and sub(present, 21, 28) == sub(op, 1, 8)
if open or done or c('EXISTS', K[3]) == 1 then return { (open or walk == '') and 'now' or 'done' } end
if now > tonumber(A[1]) then return { 'late' } end

if walk ~= '' then c('HSET', K[6], op, walk) end
if ends == 'all' then
  pcall(count_out_all, K[5], sub(op, 1, 8))
elseif ends == 'client' then
  pcall(count_out_client, K[5], field)
else
  pcall(count_out_below, K[5], records, 6, field)
end
advance(field, at, note, sub(op, 1, 8))
signal(K[4])
append(K[2], 6, events, A[3], A[4])
c('SET', K[3], '1', 'PXAT', A[2])
return { 'now' }
