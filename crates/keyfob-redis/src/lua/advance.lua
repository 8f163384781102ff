#!lua flags=allow-oom
-- Advances one epoch of the lane. A server whose memory is full still takes revocations.
--
-- An advance over all lanes is recorded in its first step, in the table of unfinished advances. That step
-- has the table where an advance of one lane has the heads that list what it revokes.
--
-- An epoch remembers the operation that advanced it. So an advance that another node finishes long after
-- the answers have expired does not advance an epoch a second time.
@include names@
@include clock@
@include namespace@
@include lane@
@include advance_epoch@
@include record_header@
@include verdict@
@include append_entries@
@include signal@
@include count_bucket@
@include count_record@
@include count_out_listed@
@include count_out_buckets@
local operation, field, unfinished_advance = @arg.operation@, @arg.field@, @arg.unfinished_advance@
local first_head = @first_key.unfinished_or_heads@
local advanced_by = sub(operation, 1, @epoch.advanced_by.size@)
local records_advance = unfinished_advance ~= ''
local is_unfinished = records_advance and call('HEXISTS', KEYS[first_head], operation) == 1

local lane = call('HMGET', @key.lane@, field, @lane.namespace@, @lane.sequence@)
local is_lane_missing = is_foreign(lane[2]) or not lane[3]
local known = not is_lane_missing and lane[1]
local is_advanced = known and @epoch[known].advanced_by@ == advanced_by
if is_unfinished or is_advanced or call('EXISTS', @key.answer@) == 1 then
  return { (is_unfinished or not records_advance) and @reply.applied@ or @reply.finished@ }
end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end

if is_lane_missing then
  if not may_create_lane() then return { @reply.lane_missing@ } end
  call('DEL', @key.lane@)
elseif not lane[2] then
  call('HSET', @key.lane@, @lane.namespace@, @arg.namespace@)
end

if records_advance then call('HSET', KEYS[first_head], operation, unfinished_advance) end
if @arg.count_out@ == @count_out.all@ then
  pcall(count_out_all, @key.count_directory@, advanced_by)
elseif @arg.count_out@ == @count_out.client@ then
  pcall(count_out_client, @key.count_directory@, field)
else
  pcall(count_out_listed, @key.count_directory@, @arg.record_prefix@, first_head, field)
end
advance_epoch(field, @arg.revoked_at@, @arg.revocation_note@, advanced_by)
signal()
append_entries()
call('SET', @key.answer@, '1', 'PXAT', @arg.answer_expires_at@)
return { @reply.applied@ }
