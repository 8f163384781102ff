-- What is known of the lane after it was read or created: its sequence, the tick of the highest lower
-- bound of its index heads, the time up to which it is kept, the lowest key version that it accepts.
local sequence, highest_bound, kept_until, min_key_version
