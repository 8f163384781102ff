-- Removes the records that this call has stored. What lists them is skipped by readers.
local record_prefix = KEYS[records_key] and sub(KEYS[records_key], 1, -@ID_BYTES@ - 1)
for _, id in pairs(stored_ids) do call('DEL', record_prefix .. id) end
