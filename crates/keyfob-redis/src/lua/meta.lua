-- KEYS: meta. ARGV: what to create it with if it is not there, or ''. Answers what is there then.
if A[1] ~= '' then c('SET', K[1], A[1], 'NX') end
return c('GET', K[1])
