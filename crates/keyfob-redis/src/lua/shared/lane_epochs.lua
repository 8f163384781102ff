-- Reads the tag of the lane's namespace, the lane's birth, its sequence, the epoch of everything, then the
-- epochs of the fields.
local epochs = call('HMGET', @key.lane@, @lane.namespace@, @lane.birth@, @lane.sequence@, @lane.everything@,
  unpack(fields))
