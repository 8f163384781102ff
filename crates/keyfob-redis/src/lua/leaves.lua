-- Visits the leaves of the heads K[2], K[3], ... in turn, a bounded number of them, from `from` on:
-- '' for the beginning, else the number of the head and, after a dot, the last chunk visited.
-- Answers where to go on, or nothing.
local function each_leaf(from, budget, visit)
  local number, lower = string.match(from, '^(%d+)%.(.*)$')
  local i = tonumber(number) or 2
  while i <= #K do
    local k = K[i]
    if not lower then
      visit(k)
      budget = budget - 1
      lower = ''
    end
    while true do
      if budget <= 0 then return i .. '.' .. lower end
      local bounds = c('ZRANGEBYLEX', k .. 'd', lower == '' and '-' or '(' .. lower, '+',
        'LIMIT', 0, math.min(budget, 100))
      if #bounds == 0 then break end
      for _, bound in ipairs(bounds) do visit(k .. bound) end
      budget = budget - #bounds
      lower = bounds[#bounds]
    end
    i, lower = i + 1, nil
  end
end
