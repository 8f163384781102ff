-- The server does not undo what a script has written before one of its commands fails, such as one that the
-- user may not run, or a key that another program has overwritten. So a script writes in `write`. If that
-- fails with the error `answer`, `recover` puts back what was there, and returns true if it did. The answer is
-- then the error, and nothing was changed. Otherwise it is "half done".
local detail = type(answer) == 'table' and answer.err or tostring(answer)
-- An error of the server begins with a code. An error of Lua does not.
if not string.find(detail, '^%u+ ') then detail = 'ERR ' .. detail end
for _, command in ipairs({ @NEEDED_COMMANDS@ }) do
  if not redis.acl_check_cmd(command, @key.lane@) then
    detail = "NOPERM this user has no permissions to run the '" .. command .. "' command"
  end
end
local _, is_undone = pcall(recover)
if is_undone == true then return redis.error_reply(detail) end
return { @reply.half_done@, detail }
