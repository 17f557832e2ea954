-- Swaps a row of a namespace. KEYS: the namespace. ARGV: the row's key, the version that it must have (empty: no
-- row), the marker's first word, and what the row is to become (missing: nothing).
-- Answers the new version, or nil if the row is not as expected.
-- All that can fail comes before the first write, and whatever is refused later only leaves the count too high.
local namespace, key, expected, format, new = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local marker = redis.call('HGET', namespace, '')
local last = 0
if marker then
    local word, count = string.match(marker, '^(%S+) (%d+)$')
    if word ~= format then return redis.error_reply('LOCKSPACE the key is of another format') end
    last = tonumber(count)
elseif redis.call('EXISTS', namespace) == 1 then
    return redis.error_reply('LOCKSPACE the key belongs to something else')
end

local row = redis.call('HGET', namespace, key)
local version = ''
-- Where something else has written the row it has none, and is left as it is.
if row then version = string.match(row, '^([1-9]%d*) ') end
if version ~= expected then return false end

-- Never backwards: not where the data are older than they were, nor where the clock is.
local time = redis.call('TIME')
local drawn = math.max(last + 1, time[1] * 1000000 + time[2])
-- Numbers are doubles here: from 2^53 on, last + 1 may be last.
if drawn > 9007199254740991 then
    return redis.error_reply('LOCKSPACE the versions are used up: none is greater than 9007199254740991 (2^53 - 1)')
end
drawn = string.format('%.0f', drawn)
marker = format .. ' ' .. drawn
if new then
    redis.call('HSET', namespace, '', marker, key, drawn .. ' ' .. new)
else
    redis.call('HSET', namespace, '', marker)
    redis.call('HDEL', namespace, key)
end
-- A hint: the swap is done, whether or not it may be told.
redis.pcall('PUBLISH', namespace, key)
return drawn
