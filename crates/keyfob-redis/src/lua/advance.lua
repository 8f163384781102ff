#!lua flags=allow-oom
-- Advances one epoch of the lane. A server whose memory is full still takes revocations.
--
-- Each step of an advance over all lanes also records the advance in its lane's table of unfinished
-- advances. Such a step has the table where an advance of one lane has the heads that list what it revokes.
--
-- An epoch remembers the operation that advanced it, and the table those that were not finished. So an
-- advance that another node finishes long after the answers have expired does not advance an epoch a second
-- time.
@include names@
@include clock@
@include namespace@
@include lane_state@
@include lane@
@include spent_epochs@
@include record_header@
@include verdict@
@include count_bucket@
@include count_record@
@include count_out_listed@
@include count_out_buckets@
@include permissions@
local operation, field, unfinished_advance = @arg.operation@, @arg.field@, @arg.unfinished_advance@
local first_head = @first_key.unfinished_or_heads@
local advanced_by = sub(operation, 1, @epoch.advanced_by.size@)
local records_advance = unfinished_advance ~= ''
local is_unfinished = records_advance and call('HEXISTS', KEYS[first_head], operation) == 1

local lane, earlier_answer = call('HMGET', @key.lane@, field, @lane.namespace@, @lane.sequence@), call('GET', @key.answer@)
local is_lane_missing = is_foreign(lane[2]) or not lane[3]
local known = not is_lane_missing and lane[1]
local is_advanced = known and @epoch[known].advanced_by@ == advanced_by
if earlier_answer ~= @answer.half_done@ and (is_unfinished or is_advanced or earlier_answer) then
  return { @reply.applied@ }
end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end

if is_lane_missing then
  if not may_create_lane() then return { @reply.lane_missing@ } end
  call('DEL', @key.lane@)
elseif not lane[2] then
  call('HSET', @key.lane@, @lane.namespace@, @arg.namespace@)
end

local function write()
  if not is_advanced then
    if @arg.count_out@ == @count_out.all@ then
      pcall(count_out_all, @key.count_directory@, advanced_by)
    elseif @arg.count_out@ == @count_out.client@ then
      pcall(count_out_client, @key.count_directory@, field)
    else
      pcall(count_out_listed, @key.count_directory@, @arg.record_prefix@, first_head, field)
    end
    local retained_until = now + EPOCH_RETENTION
    if is_lane_missing then create_lane(retained_until) end
    -- A login may still insert with a stamp that it read before.
    call('PEXPIREAT', @key.lane@, string.format('%.0f', retained_until), 'GT')
    -- The lane says how long the epoch covers anything: nothing in a lane is kept longer than the lane itself.
    local covers_until, epoch_field = call('PEXPIRETIME', @key.lane@), field
    -- A lane that never expires has a field that says how long it holds anything.
    if covers_until == -1 then
      covers_until = math.max(retained_until, tonumber(call('HGET', @key.lane@, @lane.kept_until@) or 0))
    end
    @include advance_epoch@
  end
  if records_advance then call('HSET', KEYS[first_head], operation, unfinished_advance) end
  @include signal@
  @include append_entries@
  call('SET', @key.answer@, '1', 'PXAT', @arg.answer_expires_at@)
  return { @reply.applied@ }
end

local is_done, answer = pcall(write)
if is_done then return answer end
-- What is revoked stays revoked. A repetition completes it.
local function recover()
  call('SET', @key.answer@, @answer.half_done@, 'PXAT', @arg.answer_expires_at@)
end
@include recovery@
