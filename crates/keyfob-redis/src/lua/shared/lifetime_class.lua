-- Returns the head under which a broad term lists a record that is kept until `keep_until`. The class is
-- chosen by the life that is left, as `Keys::head_for` does for an insert. Here only the server knows
-- how much that is.
local function head_with_class(head, keep_until)
  local life_secs, class = (keep_until - now) / 1000, 0
  while life_secs >= @CLASS_BASE@ and class < @MAX_CLASS@ do
    life_secs, class = life_secs / @CLASS_BASE@, class + 1
  end
  return head .. string.char(@FIRST_CLASS_LETTER@ + class)
end
