-- KEYS: a stream. Answers the time and the id of the newest entry.
local last = c('XREVRANGE', K[1], '+', '-', 'COUNT', 1)[1]
return { string.format('%.0f', now), last and last[1] or false }
