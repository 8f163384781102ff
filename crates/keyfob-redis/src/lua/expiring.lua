-- KEYS: lane, the heads of a term.
-- ARGV: how many, how many leaves at most, where to go on, the score to go on after or '', the id
-- to go on after at that score, prefixes of records, last uses and notes.
--
-- Answers where to go on, whether more than these were found, and the records that are forgotten
-- first. Every leaf has to be asked for its first: this is the dear order.
local want, after, after_id = tonumber(A[1]), tonumber(A[4]), A[5]
local first = floor(now / 1000) - 1735689600
local best, most, cut = {}, '(inf', false

local function sort()
  table.sort(best, function(x, y)
    if x[1] ~= y[1] then return x[1] < y[1] end
    if x[2] ~= y[2] then return x[2] < y[2] end
    return x[3] < y[3]
  end)
end

local function take(members)
  for i = 1, #members, 2 do
    local h, l = unpack_('>I5I5', members[i])
    best[#best + 1] = { tonumber(members[i + 1]), h, l, members[i] }
  end
end

-- Of the entries so far, the first ones, each once.
local function prune()
  sort()
  local kept = {}
  for _, entry in ipairs(best) do
    local last = kept[#kept]
    if not last or last[4] ~= entry[4] then
      if #kept == want then break end
      kept[#kept + 1] = entry
    end
  end
  best = kept
  if #best == want then
    -- Whatever comes later is not even looked at.
    most, cut = string.format('%.0f', best[want][1]), true
  end
end

local more = each_leaf(A[3], tonumber(A[2]), function(leaf)
  local from = '(' .. first
  if after and after > first then
    from = '(' .. after
    local ah, al = unpack_('>I5I5', after_id)
    local equal, later = c('ZRANGEBYSCORE', leaf, after, after, 'WITHSCORES'), {}
    for i = 1, #equal, 2 do
      local h, l = unpack_('>I5I5', equal[i])
      if h > ah or (h == ah and l > al) then
        later[#later + 1] = equal[i]
        later[#later + 1] = equal[i + 1]
      end
    end
    take(later)
  end
  local members = c('ZRANGEBYSCORE', leaf, from, most, 'WITHSCORES', 'LIMIT', 0, want + 1)
  take(members)
  if #best >= 4 * want then prune() end
end)
prune()

local ids = {}
for i, entry in ipairs(best) do ids[i] = entry[4] end
local last = best[#best]
return { more or false, cut and { string.format('%.0f', last[1]), last[4] } or false, loaded(ids, A[6], A[7], A[8]) }
