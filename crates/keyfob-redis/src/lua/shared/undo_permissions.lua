-- Refuses the script before it writes anything if the user may not run one of the commands that undo what
-- it writes. If another command fails, everything is undone, so that it needs no check: checks take time.
for _, command in ipairs({ @UNDO_COMMANDS@ }) do
  if not redis.acl_check_cmd(command, @key.lane@) then
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command")
  end
end
