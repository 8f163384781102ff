-- Counting as revoked what an epoch is about to revoke and an index lists.

-- A script creates its functions again in each call. Few calls need these, so they are created on demand.
local function create_count_out_listed()
  -- Returns about `limit` of the newest ids under the head of a narrow term.
  local function newest_ids(head, limit)
    local ids = call('ZRANGE', head, 0, -1)
    if #ids == 0 or #ids[#ids] ~= @MARKER_BYTES@ then return ids end
    ids[#ids] = nil
    local bounds = call('ZREVRANGEBYLEX', head .. @index.directory@, '+', '-', 'LIMIT', 0, limit)
    for _, bound in ipairs(bounds) do
      if #ids >= limit then break end
      for _, id in ipairs(call('ZRANGE', head .. bound, 0, -1)) do ids[#ids + 1] = id end
    end
    return ids
  end

  local function has_epoch_field(header, field)
    for _, known in ipairs((epoch_fields(header))) do
      if known == field then return true end
    end
    return false
  end

  -- Counts the listed records that the epoch of the field will revoke, except one. What was revoked
  -- before was counted then.
  return function(directory, record_prefix, head, field, except, seen)
    for _, id in ipairs(newest_ids(head, @MAX_COUNTED_OUT@)) do
      if id ~= except and not seen[id] then
        seen[id] = true
        local header = call('GETRANGE', record_prefix .. id, 0, @LAST_HEADER_OFFSET@)
        if is_readable(header) and counted_as(header) and has_epoch_field(header, field)
          and is_clear(header) then
          count_out(directory, header)
        end
      end
    end
  end
end

-- Does so for each head from KEYS[first_head] on.
local function count_out_listed(directory, record_prefix, first_head, field, except)
  local seen, count_out_head = {}, nil
  for i = first_head, #KEYS do
    if call('EXISTS', KEYS[i]) == 1 then
      count_out_head = count_out_head or create_count_out_listed()
      count_out_head(directory, record_prefix, KEYS[i], field, except, seen)
    end
  end
end
