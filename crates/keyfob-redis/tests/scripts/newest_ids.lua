local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local limit, leaf_budget, below = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local below_tick, below_random = math.huge, 0
if below ~= '' then below_tick, below_random = unpack_bytes('>I5I5', below) end
local unread_tick, unread_random = -1, 0
local function chunk_before(directory, id)
  return call('ZREVRANGEBYLEX', directory, id == '' and '+' or '(' .. id, '-', 'LIMIT', 0, 1)[1]
end
local function each_newest_leaf(head, visit)
  local last = call('ZRANGE', head, -1, -1)[1]
  if not last then return end
  local directory, leaf, leaves_left, is_first = head .. 'd', head, leaf_budget, true
  local bound = #last == 11 and sub(last, -10)
  if bound then
    local tick, random = unpack_bytes('>I5I5', bound)
    if tick > below_tick or (tick == below_tick and random >= below_random) then
      bound = chunk_before(directory, below)
      leaf = bound and head .. bound
    end
  end
  while leaf do
    local members = call('ZRANGE', leaf, 0, -1)
    if #members > 0 and #members[#members] == 11 then members[#members] = nil end
    local are_enough = visit(members, is_first)
    leaves_left, is_first = leaves_left - 1, false
    local next_bound = bound and chunk_before(directory, bound)
    if not next_bound then return end
    if are_enough or leaves_left == 0 then
      local tick, random = unpack_bytes('>I5I5', bound)
      if tick > unread_tick or (tick == unread_tick and random > unread_random) then
        unread_tick, unread_random = tick, random
      end
      return
    end
    bound, leaf = next_bound, head .. next_bound
  end
end
local parts, count = {}, 0
for i = 1, #KEYS do
  local before = count
  each_newest_leaf(KEYS[i], function(members)
    parts[#parts + 1] = table.concat(members)
    count = count + #members
    return count - before >= limit
  end)
end
local resume_below = unread_tick >= 0 and pack('>I5I5', unread_tick, unread_random)
return { resume_below, table.concat(parts) }
