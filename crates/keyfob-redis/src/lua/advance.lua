-- KEYS: lane, events, answer, signal of the epoch, and for the first step of a walk the table of
-- walks.
-- ARGV: deadline, when to forget the answer, cap, expiry of the events, their number, the events,
-- the operation, when, the note, the field, the walk to record or ''.
--
-- An epoch bears the operation that advanced it: a walk that is finished long after its answers
-- were forgotten does not advance a second time where it had been.
local events = tonumber(A[5])
local a = 6 + events
local op, at, note, field, walk = A[a], A[a + 1], A[a + 2], A[a + 3], A[a + 4]
local open = walk ~= '' and c('HEXISTS', K[5], op) == 1

local present = c('HGET', K[1], field)
local done = present and sub(present, 21, 28) == sub(op, 1, 8)
if open or done or c('EXISTS', K[3]) == 1 then return { (open or walk == '') and 'now' or 'done' } end
if now > tonumber(A[1]) then return { 'late' } end

if walk ~= '' then c('HSET', K[5], op, walk) end
advance(field, at, note, sub(op, 1, 8))
signal(K[4])
append(K[2], 6, events, A[3], A[4])
c('SET', K[3], '1', 'PXAT', A[2])
return { 'now' }
