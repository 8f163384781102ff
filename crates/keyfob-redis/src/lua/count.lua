-- Counts the ids under a term whose records have not expired. Answers where to resume (nil at the end) and
-- the number.
@include names@
@include clock@
@include each_leaf@
local total, present_score = 0, floor(now / 1000) - @SCORE_EPOCH_SECS@
local resume_at = each_leaf(@arg.resume_at@, tonumber(@arg.leaf_budget@), function(leaf)
  total = total + call('ZCOUNT', leaf, '(' .. present_score, '(inf')
end)
return { resume_at or false, total }
