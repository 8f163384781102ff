-- Appends observations.
@include names@
@include append_entries@
return 1
