-- Writes or deletes a document if it has the version that was read, or is still absent.
@include names@
@include clock@
@include namespace@
@include lane_state@
@include lane@
@include permissions@
local key_version = tonumber(@arg.key_version@)

local earlier_answer = call('GET', @key.answer@)
if earlier_answer then return { earlier_answer } end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end
local has_lane = read_lane()
if not has_lane and not may_create_lane() then return { @reply.lane_missing@ } end
if has_lane and @arg.document@ ~= '' and key_version < min_key_version then
  return { @reply.key_retired@, key_version, min_key_version }
end

local former = call('HGET', @key.documents@, @arg.name@) or ''
local answer = @reply.stale@
if sub(former, 1, @DOCUMENT_VERSION_BYTES@) == @arg.version@ then answer = @reply.stored@ end

-- The name is listed before the document is there, and until it is gone. A reader skips a name without a document.
local function write()
  if answer == @reply.stored@ and @arg.document@ ~= '' then
    call('ZADD', @key.document_names@, 0, @arg.name@)
    call('HSET', @key.documents@, @arg.name@, @arg.document@)
  elseif answer == @reply.stored@ then
    call('HDEL', @key.documents@, @arg.name@)
    call('ZREM', @key.document_names@, @arg.name@)
  end
  call('SET', @key.answer@, answer, 'PXAT', @arg.deadline@)
  return { answer }
end

local is_done, answered = pcall(write)
if is_done then return answered end
local function recover()
  if former ~= '' then
    call('ZADD', @key.document_names@, 0, @arg.name@)
    call('HSET', @key.documents@, @arg.name@, former)
  else
    call('HDEL', @key.documents@, @arg.name@)
    call('ZREM', @key.document_names@, @arg.name@)
  end
  return true
end
answer = answered
@include recovery@
