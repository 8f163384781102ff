#!lua flags=allow-oom
-- A server whose memory is full still takes revocations.
