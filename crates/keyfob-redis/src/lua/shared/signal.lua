-- Notifies every node of a change by the name of a key that exists only within this script; see
-- `feed/mod.rs`. A script that changed nothing does not signal.
call('SET', @key.signal@, '')
call('DEL', @key.signal@)
