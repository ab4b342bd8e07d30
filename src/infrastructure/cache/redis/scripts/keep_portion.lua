-- KEYS: the stream, what the run asks. ARGV: the group, the worker, the entry.
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local own = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if own.err or #own == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
return 1
