-- Gives back permits that were just taken. What has drained since then is not given back: these permits
-- may be the only reason why others did not get it.
@include names@
@include clock@
@include debt@
for i = 1, #KEYS do
  local at = @first_arg.refunds@ + (i - 1) * @refund.stride@
  local taken, drain = tonumber(@refund[at].units@), tonumber(@refund[at].drain@)
  local units, measured_at = read_debt(KEYS[i], drain)
  local drained = (measured_at - @arg.taken_at@) * drain
  local to_give_back = taken - (drained > 0 and drained or 0)
  if to_give_back > 0 and units > 0 then
    store_debt(KEYS[i], units > to_give_back and units - to_give_back or 0, measured_at, drain)
  end
end
return 1
