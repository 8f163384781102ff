-- KEYS: lane, record, last use, note of the revocation.
local both = c('MGET', K[2], K[3])
local record = both[1]
if not record then return false end
if not sound(record) then return { record } end
local note = string.byte(record, 37) > 1 and c('GET', K[4])
return { record, both[2], note, epochs((fields(record))) }
