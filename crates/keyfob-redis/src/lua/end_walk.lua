-- KEYS: the table of walks. ARGV: the operation of one that is done.
return c('HDEL', K[1], A[1])
