-- Replaces the sealed form of a record: its body, its key version, and the terms that it is listed under.
@include names@
@include clock@
@include namespace@
@include lane_state@
@include lane@
@include record_header@
@include index@
@include list_id_function@
@include lifetime_class@
@include permissions@
local version, key_version = tonumber(@arg.version@), tonumber(@arg.key_version@)
local added_count = tonumber(@arg.added_count@)

local record = call('GET', @key.record@)
if now > tonumber(@arg.deadline@) then return { @reply.deadline_passed@ } end
if not record or @header[record].id_suffix@ ~= @arg.id_suffix@ then return { @reply.missing@ } end
if not is_readable(record) then return { @reply.damaged@ } end
if @header[record].version@ ~= version then return { @reply.stale@ } end
if not read_lane() and not may_create_lane() then return { @reply.lane_missing@ } end
if key_version < min_key_version then return { @reply.key_retired@, key_version, min_key_version } end

local _, body_at = epoch_fields(record)
local before_key_version = @header[record].format:flags@ .. pack('>I4', version + 1)
  .. @header[record].stamp:keep_until@
local resealed = before_key_version .. pack('>I2', key_version)
  .. sub(record, @header.inserted_by.first@, body_at - 1) .. @arg.body@

local keep_until, id = @header[record].keep_until@, sub(@key.record@, -@ID_BYTES@)
local score = string.format('%.0f', math.ceil(keep_until / 1000) - @SCORE_EPOCH_SECS@)

-- Removes the id from the leaf that it is in: the head or a chunk. Returns whether it was there.
local function unlist_id(head)
  if call('ZREM', head, id) == 1 then return true end
  local bound = call('ZREVRANGEBYLEX', head .. @index.directory@, '[' .. id, '-', 'LIMIT', 0, 1)[1]
  return bound and call('ZREM', head .. bound, id) == 1
end

-- The record is listed under the new terms before anything is removed, so it is never in no list.
local is_replaced = false
local function write()
  call('SET', @key.record@, resealed, 'XX', 'KEEPTTL')
  is_replaced = true
  for i = 1, #KEYS - @first_key.added_heads@ + 1 do
    local head = KEYS[@first_key.added_heads@ + i - 1]
    local is_broad = sub(@arg.are_broad@, i, i) == '1'
    if i <= added_count then
      if is_broad then head = head_with_class(head, keep_until) end
      list_id(head, id, score, keep_until, true)
    elseif not is_broad then
      unlist_id(head)
    else
      -- Its class was chosen when it was listed. How long it had to live then is not stored.
      for class = 0, @MAX_CLASS@ do
        if unlist_id(head .. string.char(@FIRST_CLASS_LETTER@ + class)) then break end
      end
    end
  end
  return { @reply.applied@ }
end

local is_done, answer = pcall(write)
if is_done then return answer end
local function recover()
  if not is_replaced then return true end
  call('SET', @key.record@, record, 'XX', 'KEEPTTL')
  for i = added_count + 1, #KEYS - @first_key.added_heads@ + 1 do
    local head = KEYS[@first_key.added_heads@ + i - 1]
    if sub(@arg.are_broad@, i, i) == '1' then head = head_with_class(head, keep_until) end
    list_id(head, id, score, keep_until, true)
  end
  return true
end
@include recovery@
