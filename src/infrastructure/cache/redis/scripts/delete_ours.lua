local v = redis.pcall('GET', KEYS[1])
if v == false then return 0 end
if v ~= ARGV[1] then return 2 end
redis.call('DEL', KEYS[1]) return 1
