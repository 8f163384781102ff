-- KEYS: the table of walks. A few of the unfinished ones.
return c('HRANDFIELD', K[1], 16, 'WITHVALUES')
