-- Whether the lane belongs to the caller's namespace. A lane has the tag of its namespace. A lane that was
-- last written by an older version has no tag, and gets that of the next writer.
--
-- After all data was lost, nodes of a former namespace may continue to write. They must not create
-- lanes in what is another namespace now. So a script creates a lane, or begins a lane of another
-- namespace again, only for a caller that has seen its own namespace a moment before.
local function is_foreign(tag) return tag and tag ~= @arg.namespace@ end

local function may_create_lane() return now <= tonumber(@arg.create_lane_until@) end
