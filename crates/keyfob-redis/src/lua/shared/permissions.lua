-- Refuses the script before it writes anything if the user may not run one of the commands that its writes
-- need. A command that reads before the first write needs no check. If it fails, nothing was changed.
for _, command in ipairs({ @WRITE_COMMANDS@ }) do
  if not redis.acl_check_cmd(command, @key.lane@) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
