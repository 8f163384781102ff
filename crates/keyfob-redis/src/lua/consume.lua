-- Takes one of the uses of a token.
@include names@
@include clock@
@include namespace@
@include record_header@
@include verdict@
@include count_bucket@
@include count_record@
@include permissions@
local header = call('GETRANGE', @key.record@, 0, @LAST_HEADER_OFFSET@)
local earlier_answer = call('GET', @key.answer@)
if earlier_answer then return cmsgpack.unpack(earlier_answer) end
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end

if header ~= '' and not is_readable(header) then return { @reply.damaged@ } end
local answer, uses_left = { @reply.refused@ }, nil
if header ~= '' and @header[header].id_suffix@ == @arg.id_suffix@ then
  local flags = @header[header].flags@
  local epochs = @flags[flags].counts_uses@ == 1 and read_epochs((epoch_fields(header)))
  if epochs and is_foreign(epochs[1]) and not may_create_lane() then return { @reply.lane_missing@ } end
  if epochs and is_clear(header, epochs) then
    uses_left = @header[header].uses_left@
    answer = uses_left == 0 and { @reply.exhausted@ } or { @reply.uses_left@, uses_left - 1 }
  end
end
local takes_use = answer[1] == @reply.uses_left@

local is_taken = false
local function write()
  if takes_use then
    call('SETRANGE', @key.record@, @header.uses_left.offset@, pack('>I4', uses_left - 1))
    is_taken = true
  end
  call('SET', @key.answer@, cmsgpack.pack(answer), 'PXAT', @arg.deadline@)
  if takes_use and uses_left == 1 then
    pcall(add_to_column, @key.count_directory@, header, @counts.exhausted@, 1)
  end
  return answer
end

local is_done, answered = pcall(write)
if is_done then return answered end
local function recover()
  if is_taken then
    call('SETRANGE', @key.record@, @header.uses_left.offset@, pack('>I4', uses_left))
  end
  return true
end
answer = answered
@include recovery@
