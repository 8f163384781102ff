-- KEYS: lane. Answers the lowest key that it accepts.
return tonumber(c('HGET', K[1], 'k') or 0)
