local function list_id(head, id, score, expires_at, may_be_old)
  local expires_text = string.format('%.0f', expires_at)
  local function rarely()
    return { split_head = split_head, is_below = is_below, list_in_chunk = list_in_chunk }
  end
  @include list_id@
end
