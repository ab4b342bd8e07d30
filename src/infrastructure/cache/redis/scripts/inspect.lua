local found, count = {}, {hash = 'HLEN', set = 'SCARD', zset = 'ZCARD'}
for i, key in ipairs(KEYS) do
    local ttl = redis.call('PTTL', key)
    local wanted = tonumber(ARGV[i])
    if ttl == -2 then found[i] = false else
        local kind, length = 'string', nil
        if wanted >= 0 then length = redis.pcall('STRLEN', key) end
        if type(length) ~= 'number' then kind = redis.call('TYPE', key).ok end
        if count[kind] then found[i] = {ttl, kind, redis.call(count[kind], key)}
        elseif kind ~= 'string' then found[i] = {ttl, kind, 0}
        elseif length == wanted then found[i] = {ttl, kind, length, redis.sha1hex(redis.call('GET', key))}
        elseif type(length) == 'number' then found[i] = {ttl, kind, length}
        else found[i] = {ttl, kind, redis.call('STRLEN', key)} end
    end
end
return found
