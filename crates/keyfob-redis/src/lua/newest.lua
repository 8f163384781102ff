-- KEYS: lane, the heads of a term (one for each class of lifetime).
-- ARGV: how many, how many leaves of each head at most, ids below this one only (or ''), prefixes
-- of records, last uses and notes.
--
-- Answers where to go on, or nothing at the end, and up to so many records, the newest first. All
-- ids at or above where to go on have been dealt with.
local want, budget, bound = tonumber(A[1]), tonumber(A[2]), A[3]
local bh, bl = math.huge, 0
if bound ~= '' then bh, bl = unpack_('>I5I5', bound) end

local function before(d, id)
  return c('ZREVRANGEBYLEX', d, id == '' and '+' or '(' .. id, '-', 'LIMIT', 0, 1)[1]
end

local ids, seen, ch, cl = {}, {}, -1, 0
for i = 2, #K do
  local k = K[i]
  local d, got, leaf = k .. 'd', 0, k
  local last = c('ZRANGE', k, -1, -1)[1]
  local lower = last and #last == 11 and sub(last, 2)
  if lower then
    local h, l = unpack_('>I5I5', lower)
    if h > bh or (h == bh and l >= bl) then
      -- The head lies at or above the bound.
      lower = before(d, bound)
      leaf = lower and k .. lower
    end
  end
  local left = last and budget or 0
  while leaf and left > 0 do
    local members = c('ZRANGE', leaf, 0, -1)
    if #members > 0 and #members[#members] == 11 then members[#members] = nil end
    local w = numbers(members)
    for j = 1, #members do
      local h = w[2 * j - 1]
      if h < bh or (h == bh and w[2 * j] < bl) then
        got = got + 1
        -- Two heads may hold one id, by a term that was added again.
        if not seen[members[j]] then
          seen[members[j]] = true
          ids[#ids + 1] = members[j]
        end
      end
    end
    left = left - 1
    local next_lower = lower and before(d, lower)
    if not next_lower then
      lower = nil
      break
    end
    if got >= want or left == 0 then break end
    lower, leaf = next_lower, k .. next_lower
  end
  if leaf and lower and last then
    -- There is more below: nothing under it may be given before that has been read.
    local h, l = unpack_('>I5I5', lower)
    if h > ch or (h == ch and l > cl) then ch, cl = h, l end
  end
end

local sorted, page, more = ascending(ids), {}, nil
for i = #sorted, 1, -1 do
  local h, l = unpack_('>I5I5', sorted[i])
  if h < ch or (h == ch and l < cl) then break end
  if #page == want then
    more = page[want]
    break
  end
  page[#page + 1] = sorted[i]
end
if not more and ch >= 0 then more = pack('>I5I5', ch, cl) end
return { more or false, loaded(page, A[4], A[5], A[6]) }
