local is = fingerprint(KEYS[1])
if not is then return 0 end
if is ~= ARGV[1] then return 2 end
redis.call('DEL', KEYS[1]) return 1
