-- Returns the records under a term that expire soonest, after the score `after_score` and, at that score,
-- after the id `after_id`; from the beginning if `after_score` is ''.
--
-- Answers where to resume (nil at the end), the last score and id if there may be more ids after them in
-- these leaves, and the records. Every leaf has to be asked for its first ids, so this order is the
-- expensive one.
@include names@
@include clock@
@include record_header@
@include load_records@
@include each_leaf@
local limit, after_score, after_id = tonumber(@arg.limit@), tonumber(@arg.after_score@), @arg.after_id@
local present_score = floor(now / 1000) - @SCORE_EPOCH_SECS@
-- Each candidate is a score, the two numbers of an id, and the id.
local candidates, max_score, is_cut = {}, '(inf', false

local function sort_candidates()
  table.sort(candidates, function(x, y)
    if x[1] ~= y[1] then return x[1] < y[1] end
    if x[2] ~= y[2] then return x[2] < y[2] end
    return x[3] < y[3]
  end)
end

local function add_candidates(members)
  for i = 1, #members, 2 do
    local tick, random = unpack_bytes('>I5I5', members[i])
    candidates[#candidates + 1] = { tonumber(members[i + 1]), tick, random, members[i] }
  end
end

-- Keeps the first candidates, each once.
local function keep_first()
  sort_candidates()
  local kept = {}
  for _, candidate in ipairs(candidates) do
    local last = kept[#kept]
    if not last or last[4] ~= candidate[4] then
      if #kept == limit then break end
      kept[#kept + 1] = candidate
    end
  end
  candidates = kept
  if #candidates == limit then
    -- Later scores do not have to be read.
    max_score, is_cut = string.format('%.0f', candidates[limit][1]), true
  end
end

local resume_at = each_leaf(@arg.resume_at@, tonumber(@arg.leaf_budget@), function(leaf)
  local min_score = '(' .. present_score
  if after_score and after_score > present_score then
    min_score = '(' .. after_score
    local after_tick, after_random = unpack_bytes('>I5I5', after_id)
    local same_score, later = call('ZRANGEBYSCORE', leaf, after_score, after_score, 'WITHSCORES'), {}
    for i = 1, #same_score, 2 do
      local tick, random = unpack_bytes('>I5I5', same_score[i])
      if tick > after_tick or (tick == after_tick and random > after_random) then
        later[#later + 1] = same_score[i]
        later[#later + 1] = same_score[i + 1]
      end
    end
    add_candidates(later)
  end
  add_candidates(call('ZRANGEBYSCORE', leaf, min_score, max_score, 'WITHSCORES', 'LIMIT', 0, limit + 1))
  if #candidates >= 4 * limit then keep_first() end
end)
keep_first()

local ids = {}
for i, candidate in ipairs(candidates) do ids[i] = candidate[4] end
local last = candidates[#candidates]
local cut = is_cut and { string.format('%.0f', last[1]), last[4] } or false
local records = load_records(ids, @arg.record_prefix@, @arg.last_use_prefix@, @arg.note_prefix@)
return { resume_at or false, cut, records }
