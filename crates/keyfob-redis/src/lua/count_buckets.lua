-- Returns the names of the lane's count buckets whose time is not over.
@include names@
@include clock@
return call('ZRANGEBYSCORE', @key.count_directory@, '(' .. floor(now / 1000), '+inf')
