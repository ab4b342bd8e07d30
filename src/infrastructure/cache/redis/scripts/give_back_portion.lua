-- KEYS: the stream. ARGV: the group, the worker, the entry, how often it was lost.
local own = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if own.err or #own == 0 then return 0 end
-- As if nobody had kept it for a day.
redis.call('XCLAIM', KEYS[1], ARGV[1], 'given-back', 0, ARGV[3], 'IDLE', 86400000, 'RETRYCOUNT', ARGV[4], 'JUSTID')
return 1
