-- KEYS: the directory of the cells of a lane. The names of those that are not over.
return c('ZRANGEBYSCORE', K[1], '(' .. floor(now / 1000), '+inf')
