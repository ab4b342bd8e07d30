local was, is = redis.pcall('HGET', KEYS[1], ARGV[2]), ARGV[3]
if type(was) == 'string' then
    local a, b = tonumber(was), tonumber(is)
    if a and b then was, is = a, b end
    if ARGV[3] ~= '' and was > is then return 0 end
end
if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
redis.call('DEL', KEYS[1])
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
if ARGV[1] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return 1
