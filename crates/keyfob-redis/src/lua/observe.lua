-- KEYS: observations. ARGV: cap, expiry, the entries.
append(K[1], 3, #A - 2, A[1], A[2])
return 1
