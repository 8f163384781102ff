-- Tells every node what has just changed, by the name of a key that is there for no time at all: see
-- the feed. A change that was not made is not told.
local function signal(key)
  c('SET', key, '')
  c('DEL', key)
end
