-- Counting out what an epoch is about to end and is listed. Few calls need it, and a script makes its
-- functions anew in each call, so these are made only when they are wanted.
local function counting_out_listed()
  -- The newest ids under the head of a narrow term, about so many.
  local function newest(k, most)
    local ids = c('ZRANGE', k, 0, -1)
    if #ids == 0 or #ids[#ids] ~= 11 then return ids end
    ids[#ids] = nil
    for _, lower in ipairs(c('ZREVRANGEBYLEX', k .. 'd', '+', '-', 'LIMIT', 0, most)) do
      if #ids >= most then break end
      for _, id in ipairs(c('ZRANGE', k .. lower, 0, -1)) do ids[#ids + 1] = id end
    end
    return ids
  end

  local function answers_to(header, field)
    for _, name in ipairs((fields(header))) do
      if name == field then return true end
    end
    return false
  end

  -- Of what is listed under a head, but for one, that is counted out which the epoch of the field will
  -- end. What had ended before was counted out before.
  local function count_out_listed(cells, records, head, field, other, seen)
    for _, id in ipairs(newest(head, @COUNTED_OUT@)) do
      if id ~= other and not seen[id] then
        seen[id] = true
        local header = c('GETRANGE', records .. id, 0, 135)
        if sound(header) and counted(header) and answers_to(header, field) and clear(header) then
          count_out(cells, header)
        end
      end
    end
  end
  return count_out_listed
end

-- Does so under the heads from K[k] on.
local function count_out_below(cells, records, k, field, other)
  local seen, count_out_listed = {}, nil
  for i = k, #K do
    if c('EXISTS', K[i]) == 1 then
      count_out_listed = count_out_listed or counting_out_listed()
      count_out_listed(cells, records, K[i], field, other, seen)
    end
  end
end
