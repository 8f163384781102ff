-- KEYS: lane, events, record, note, answer, signal of the record and the epoch, directory of the
-- cells, heads under which what descends from it is listed.
-- ARGV: deadline, rest of the id, cap, expiry of the events, their number, the events, eight bytes
-- of the operation, when, the tombstone, the note, the epoch to advance or ''.
local events = tonumber(A[5])
local a = 6 + events
local op, at, tombstone, note, cascade = A[a], A[a + 1], A[a + 2], A[a + 3], A[a + 4]

local header = c('GETRANGE', K[3], 0, 135)
if header ~= '' and not sound(header) then return { 'damaged' } end
local found = header ~= '' and sub(header, 31, 36) == A[2]
local ended, values = false, nil
if found then
  ended = string.byte(header, 37) ~= 0
  if ended and sub(header, 44, 51) == op then return { 'now' } end
  values = epochs((fields(header)))
  ended = ended or overtaken(unpack_('>I8', header, 7), values)
  -- The tombstone remembers only the operation that wrote it.
  local answer = ended and c('GET', K[5])
  if answer then return cmsgpack.unpack(answer) end
end
if now > tonumber(A[1]) then return { 'late' } end
if not found then return { 'missing' } end

-- Even of a record that is revoked already: what descends from it may still live. Nothing of it
-- is kept longer than the record.
if cascade ~= '' then
  pcall(count_out_below, K[7], sub(K[3], 1, -11), 8, cascade, sub(K[3], -10))
  advance(cascade, at, note, op, unpack_('>I6', header, 15))
end
if cascade ~= '' or not ended then signal(K[6]) end
if ended then
  local note_before = string.byte(header, 37) > 1 and c('GET', K[4])
  local answer = { 'before', header, note_before, values }
  c('SET', K[5], cmsgpack.pack(answer), 'PXAT', A[1])
  return answer
end
-- One write in place: the record keeps its size and its time to live.
c('SETRANGE', K[3], 36, tombstone)
if known(unpack_('>I8', header, 7), values) then pcall(count_out, K[7], header) end
if note ~= '' then
  c('SET', K[4], note, 'PXAT', string.format('%.0f', c('PEXPIRETIME', K[3])))
end
append(K[2], 6, events, A[3], A[4])
return { 'now' }
