-- Appends observations.
@include names@
@include append_entries@
append_entries()
return 1
