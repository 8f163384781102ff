local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local function each_leaf(resume_at, budget, visit)
  local number, bound = string.match(resume_at, '^(%d+)%.(.*)$')
  local i = tonumber(number) or 1
  while i <= #KEYS do
    local head = KEYS[i]
    if not bound then
      visit(head)
      budget = budget - 1
      bound = ''
    end
    while true do
      if budget <= 0 then return i .. '.' .. bound end
      local from = bound == '' and '-' or '(' .. bound
      local bounds = call('ZRANGEBYLEX', head .. 'd', from, '+', 'LIMIT', 0,
        math.min(budget, 100))
      if #bounds == 0 then break end
      for _, next_bound in ipairs(bounds) do visit(head .. next_bound) end
      budget = budget - #bounds
      bound = bounds[#bounds]
    end
    i, bound = i + 1, nil
  end
end
local total, present_score = 0, floor(now / 1000) - 1735689600
local resume_at = each_leaf(ARGV[2], tonumber(ARGV[1]), function(leaf)
  total = total + call('ZCOUNT', leaf, '(' .. present_score, '(inf')
end)
return { resume_at or false, total }
