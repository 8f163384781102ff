-- KEYS: lane, the heads of a term. ARGV: how many leaves at most, where to go on.
local total, first = 0, floor(now / 1000) - 1735689600
local more = each_leaf(A[2], tonumber(A[1]), function(leaf)
  total = total + c('ZCOUNT', leaf, '(' .. first, '(inf')
end)
return { more or false, total }
