-- KEYS: a key. Answers 1 if it is there.
return c('EXISTS', K[1])
