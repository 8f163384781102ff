local KEYS, ARGV, call = KEYS, ARGV, redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local sub, byte, floor = string.sub, string.byte, math.floor
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local found = call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local first = call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local was_trimmed = 0
if first and ARGV[3] == '1' then
  local info, value_of = call('XINFO', 'STREAM', KEYS[1]), {}
  for i = 1, #info, 2 do value_of[info[i]] = info[i + 1] end
  if value_of['entries-added'] ~= value_of['length'] then was_trimmed = 1 end
end
local entries = {}
for i, entry in ipairs(found) do entries[i] = { entry[1], entry[2][2] } end
return { string.format('%.0f', now), entries, first and first[1] or false, was_trimmed }
