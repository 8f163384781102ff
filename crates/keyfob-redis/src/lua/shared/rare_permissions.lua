-- The same for the commands that only the rare functions need.
for _, command in ipairs({ @RARE_COMMANDS@ }) do
  if not redis.acl_check_cmd(command, @key.lane@) then
    error("NOPERM this user has no permissions to run the '" .. command .. "' command", 0)
  end
end
