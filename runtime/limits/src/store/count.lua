-- Charges all counters in KEYS, or none if one of them refuses: the same arithmetic as `limits/algorithm.rs`, in ticks of
-- the store's clock. All numbers are whole and below 2^53, where doubles are exact.
--
-- ARGV, for each key: algorithm, capacity, rate, unit, microseconds of a tick, cost, and what more may be taken ahead.
-- Answers whether all admit; then for each key: admits, remaining, reset, retry after, ahead of it, taken ahead.

local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- Each takes a state and gives: whether it admits, remaining, reset, retry after, ahead; the state after; its life.
local algorithms = {}

-- A level that falls evenly: `unit` parts are one request, and each tick takes `rate` of them away.
function algorithms.bucket(state, now, cost, capacity, rate, unit)
  local at, level = state[1], state[2]
  level = max(level - max(now - at, 0) * rate, 0)
  local full, wanted = capacity * unit, level + cost * unit
  local admits = wanted <= full
  if admits then level = wanted end
  local reset = ceil(level / rate)
  local retry, ahead = 0, 0
  if admits then ahead = ceil(max(level - cost * unit, 0) / rate) else retry = ceil((wanted - full) / rate) end
  return admits, { floor((full - min(level, full)) / unit), reset, retry, ahead }, { max(at, now), level }, reset
end

-- A window that begins with the first request.
function algorithms.fixed(state, now, cost, limit, _, length)
  local start, count = state[1], state[2]
  if start == 0 or now >= start + length then start, count = now, 0 end
  local admits = count + cost <= limit
  if admits then count = count + cost end
  local left = max(start + length - now, 0)
  local retry = 0
  if not admits then retry = left end
  return admits, { limit - min(count, limit), left, retry, 0 }, { start, count }, left
end

-- Two windows of the clock: the one before counts for the part that still overlaps.
function algorithms.sliding(state, now, cost, limit, _, length)
  local index, before, current = state[1], state[2], state[3]
  now = max(now, (index - 1) * length)
  local this = max(floor(now / length) + 1, index)
  if this == index + 1 then before, current = current, 0 elseif this > index then before, current = 0, 0 end
  local left = length - now % length
  local full = limit * length
  local used = before * left + current * length
  local wanted = used + cost * length
  local admits = wanted <= full
  local retry = 0
  if admits then
    used, current = wanted, current + cost
  elseif before > 0 and current + cost <= limit then
    retry = ceil((wanted - full) / before)
  else
    retry = left + ceil(max((current + cost) * length - full, 0) / max(current, 1))
  end
  local reset = left + length
  if current == 0 then
    if before == 0 then reset = 0 else reset = left end
  end
  return admits, { floor(max(full - used, 0) / length), reset, retry, 0 }, { this, before, current }, reset
end

local function parse(text)
  local state = {}
  if text then
    for word in string.gmatch(text, '%d+') do state[#state + 1] = tonumber(word) end
  end
  return { state[1] or 0, state[2] or 0, state[3] or 0 }
end

local function charge(place, state, cost)
  local a = (place - 1) * 7
  local now = floor(micros / tonumber(ARGV[a + 5]))
  return algorithms[ARGV[a + 1]](state, now, cost, tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4]))
end

local stored = redis.call('MGET', unpack(KEYS))
-- By key: one that stands twice is charged twice.
local states, lives, answers, all = {}, {}, {}, true
for place, key in ipairs(KEYS) do
  local admits, reading, state, life = charge(place, states[key] or parse(stored[place]), tonumber(ARGV[place * 7 - 1]))
  if admits then states[key], lives[key] = state, life end
  all = all and admits
  answers[place] = { admits, reading, 0 }
end
for place, key in ipairs(KEYS) do
  local answer, extra = answers[place], tonumber(ARGV[place * 7])
  if not all and answer[1] then
    -- What it said was not charged after all.
    local _, reading = charge(place, parse(stored[place]), 0)
    answer[2] = reading
  elseif all and extra > 0 then
    -- A quarter of what is left at most, so that others get theirs.
    extra = min(extra, floor(answer[2][1] / 4))
    if extra > 0 then
      local admits, reading, state, life = charge(place, states[key], extra)
      if admits then states[key], lives[key], answer[2], answer[3] = state, life, reading, extra end
    end
  end
end
if all then
  for place, key in ipairs(KEYS) do
    local state, life = states[key], lives[key]
    if state then
      local millis = ceil(life * tonumber(ARGV[place * 7 - 2]) / 1000) + 1000
      redis.call('SET', key, string.format('%.0f:%.0f:%.0f', state[1], state[2], state[3] or 0), 'PX', string.format('%.0f', millis))
    end
  end
end
local flat = { all and 1 or 0 }
for _, answer in ipairs(answers) do
  flat[#flat + 1] = answer[1] and 1 or 0
  for _, number in ipairs(answer[2]) do flat[#flat + 1] = number end
  flat[#flat + 1] = answer[3]
end
return flat
