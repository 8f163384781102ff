-- Gives back permits that were just taken. What has drained since then is not given back: these permits
-- may be the only reason why others did not get it. Nor is anything given back to a key that has been
-- charged at another rate since.
@include names@
@include clock@
@include debt@
for i = 1, #KEYS do
  local at = @first_arg.refunds@ + (i - 1) * @refund.stride@
  local taken, drain = tonumber(@refund[at].units@), tonumber(@refund[at].drain@)
  local permit = tonumber(@refund[at].permit@)
  local units, measured_at, stored_permit, stored_drain = read_debt(KEYS[i])
  local drained = (measured_at - @arg.taken_at@) * drain
  local to_give_back = taken - (drained > 0 and drained or 0)
  local is_same_rate = permit == stored_permit and drain == stored_drain
  if to_give_back > 0 and units > 0 and is_same_rate then
    local left = units > to_give_back and units - to_give_back or 0
    store_debt(KEYS[i], left, measured_at, permit, drain)
  end
end
return 1
