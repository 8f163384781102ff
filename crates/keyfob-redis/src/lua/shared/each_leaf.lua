-- Visits the leaves of all heads in turn, at most `budget` of them, from `resume_at` on. That is '' for
-- the beginning, else the number of the head, a dot, and the bound of the last chunk that was visited.
-- Returns where to resume, or nil at the end.
local function each_leaf(resume_at, budget, visit)
  local number, bound = string.match(resume_at, '^(%d+)%.(.*)$')
  local i = tonumber(number) or @first_key.heads@
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
      local bounds = call('ZRANGEBYLEX', head .. @index.directory@, from, '+', 'LIMIT', 0,
        math.min(budget, 100))
      if #bounds == 0 then break end
      for _, next_bound in ipairs(bounds) do visit(head .. next_bound) end
      budget = budget - #bounds
      bound = bounds[#bounds]
    end
    i, bound = i + 1, nil
  end
end
