/**
 * The rules of `algorithm.ts` in Lua 5.1, deciding about any number of keys in one call: one TIME, one MGET, and
 * one SET for each key whose state changes.
 *
 * KEYS: one per charge. ARGV: the mode (`take`, `peek`, `refund`, `block`), then nine for each charge: the algorithm's
 * first letter, quota, window, burst (the lease of `c`oncurrency), cost (for `block` its length), refusals before a
 * block (0: none), ceiling, decay, shadow (0 or 1); milliseconds.
 * Reply: six integers for each charge: allowed, remaining, reset, retry, block, penalized.
 *
 * Every number is made a float: in Lua 5.1 there are no others, and later ones would overflow their integers.
 *
 * The first line lets Upstash lock only these keys while the script runs; plain Redis does not know it, so
 * the store falls back to {@link plainScript} there.
 */
export const script: string = `#!lua flags=allow-key-locking
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local function num(text) return tonumber(text) + 0.0 end
local time = redis.call('TIME')
local us = num(time[1]) * 1000000 + num(time[2])
local now = floor(us / 1000)
local raw = redis.call('MGET', (unpack or table.unpack)(KEYS))
local mode, refused, all = ARGV[1], false, {}
for i = 1, #KEYS do
 local o = i * 9 - 8
 local alg, quota, window = ARGV[o + 1], num(ARGV[o + 2]), num(ARGV[o + 3])
 local burst, cost, after = num(ARGV[o + 4]), num(ARGV[o + 5]), num(ARGV[o + 6])
 local top, decay, dry = num(ARGV[o + 7]), num(ARGV[o + 8]), ARGV[o + 9] == '1'
 local s, n = {0, 0, 0, 0, 0, 0, 0}, 0
 for word in string.gmatch(raw[i] or '', '%d+') do
  n = n + 1
  s[n] = num(word)
 end
 if s[5] > 0 or s[4] > 0 then
  local base = max(s[6], s[7])
  local steps = floor((now - base) / decay)
  if steps > 0 then
   s[5] = max(0, s[5] - steps)
   s[4] = 0
   s[7] = base + steps * decay
  end
 end
 local free, reset, wait
 if alg == 'f' then
  if now >= s[1] + window then
   s[1] = now
   s[2] = 0
  end
  free, reset = max(0, quota - s[2]), s[1] + window - now
  wait = function() return reset end
 elseif alg == 's' then
  local start = max(s[1], floor(now / window) * window)
  if start ~= s[1] then
   s[3] = start == s[1] + window and s[2] or 0
   s[2] = 0
   s[1] = start
  end
  local elapsed = max(0, now - start)
  free, reset = max(0, quota - s[2] - floor(s[3] * (window - elapsed) / window)), window - elapsed
  wait = function(units)
   local room = quota - s[2] - units
   if room >= 0 then return max(1, floor(window * (s[3] - room - 1) / s[3]) + 1 - elapsed) end
   local later = max(0, quota - units)
   local fading = max(1, s[2])
   return window - elapsed + max(0, floor(window * (fading - later - 1) / fading)) + 1
  end
 elseif alg == 'c' then
  local k = 8
  while s[k] do
   if s[k + 1] > now then
    k = k + 2
   else
    table.remove(s, k)
    table.remove(s, k)
   end
  end
  free, reset = max(0, quota - (#s - 7) / 2), 0
  wait = function() return 1000 end
 else
  local whole = window * 1000
  s[1] = max(s[1], us)
  local debt = s[1] - us
  local room = floor(burst * whole / quota) - debt
  free, reset = max(0, ceil((room + 1) * quota / whole) - 1), ceil(debt / 1000)
  wait = function(units) return max(1, ceil((floor(units * whole / quota) - room) / 1000)) end
 end
 local p = {s = s, o = o, alg = alg, cost = cost, id = burst, fresh = n == 0}
 if s[6] > now then
  local left = s[6] - now
  p.out = {0, 0, left, left, left, 1}
 elseif cost <= free then
  p.ok = true
  p.out = {1, free, reset, 0, 0, 0}
 else
  local retry, block, bad = wait(cost), 0, 0
  if after > 0 and mode == 'take' then
   p.write = true
   s[4] = s[4] + 1
   s[7] = now
   if s[4] >= after then
    s[4] = 0
    s[5] = min(30, s[5] + 1)
    local length = min(top, window * 2 ^ (s[5] - 1))
    s[6] = now + length
    retry, block, bad = max(retry, length), length, 1
   end
  elseif free < 1 and alg ~= 'c' then
   block = wait(1)
  end
  p.out = {0, free, retry, retry, block, bad}
 end
 if not p.ok and not dry then refused = true end
 all[i] = p
end
local reply = {}
for i = 1, #KEYS do
 local p = all[i]
 local s, o = p.s, p.o
 local quota, window, decay = num(ARGV[o + 2]), num(ARGV[o + 3]), num(ARGV[o + 8])
 local spend = 0
 if mode == 'refund' then
  if not p.fresh then spend = -p.cost end
 elseif mode == 'take' and p.ok and not refused then
  spend = p.cost
  p.out[2] = p.out[2] - spend
 elseif mode == 'block' then
  p.write = true
  s[6] = now + p.cost
  if p.cost == 0 then s[4], s[5] = 0, 0 end
 end
 if spend ~= 0 then
  p.write = true
  if p.alg == 'c' then
   for k = #s - 1, 8, -2 do
    if spend < 0 and s[k] == p.id then
     table.remove(s, k)
     table.remove(s, k)
    end
   end
   for _ = 1, spend do
    s[#s + 1] = p.id
    s[#s + 1] = now + window
   end
  elseif p.alg == 't' then
   local amount = floor(math.abs(spend) * window * 1000 / quota)
   if spend < 0 then amount = -amount end
   s[1] = max(us, s[1] + amount)
   p.out[3] = ceil((s[1] - us) / 1000)
  else
   s[2] = max(0, s[2] + spend)
  end
 end
 if p.write then
  local fin = s[6]
  if p.alg == 't' then
   fin = max(fin, ceil(s[1] / 1000))
  elseif p.alg ~= 'c' then
   fin = max(fin, s[1] + (p.alg == 'f' and 1 or 2) * window)
  end
  for k = 9, #s, 2 do fin = max(fin, s[k]) end
  if s[5] > 0 then
   fin = max(fin, max(s[6], s[7]) + decay * s[5])
  elseif s[4] > 0 then
   fin = max(fin, s[7] + decay)
  end
  local text = {}
  for k = 1, #s do text[k] = string.format('%.0f', s[k]) end
  redis.call('SET', KEYS[i], table.concat(text, ' '), 'PX', string.format('%.0f', max(1, fin - now)))
 end
 for k = 1, 6 do reply[#reply + 1] = floor(p.out[k]) end
end
return reply
`

/** The script without its first line, for servers that are not Upstash. */
export const plainScript: string = script.slice(script.indexOf('\n') + 1)
