-- Loads the records with ids that an index holds, as far as they exist.
@include names@
@include record_header@
@include load_records@
local ids = {}
for i = @first_arg.ids@, #ARGV do ids[#ids + 1] = ARGV[i] end
return load_records(ids, @arg.record_prefix@, @arg.last_use_prefix@, @arg.note_prefix@)
