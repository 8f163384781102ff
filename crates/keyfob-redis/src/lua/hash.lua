-- KEYS: a hash. Its fields and their values.
return c('HGETALL', K[1])
