local same = {}
for i, key in ipairs(KEYS) do
    local length, digest, equal = tonumber(ARGV[3 * i - 2]), ARGV[3 * i - 1], false
    if length < 0 then equal = fingerprint(key) == digest
    elseif redis.pcall('STRLEN', key) == length then
        equal = redis.sha1hex(redis.call('GET', key)) == digest
    end
    if not equal then same[i] = 0
    elseif ARGV[3 * i] ~= '0' then same[i] = redis.call('PEXPIRE', key, ARGV[3 * i])
    else redis.call('PERSIST', key) same[i] = 1 end
end
return same
