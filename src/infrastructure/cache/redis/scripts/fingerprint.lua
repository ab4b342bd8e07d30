local function fingerprint(key)
    local kind = redis.call('TYPE', key).ok
    if kind == 'none' then return nil end
    if kind == 'string' then return 'string ' .. redis.sha1hex(redis.call('GET', key)) end
    if kind == 'ReJSON-RL' then return 'json ' .. redis.sha1hex(redis.call('JSON.GET', key)) end
    local parts, step = nil, 2
    if kind == 'hash' then parts = redis.call('HGETALL', key)
    elseif kind == 'set' then parts, step = redis.call('SMEMBERS', key), 1
    elseif kind == 'zset' then parts = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    else return kind end
    local a, b = 0, 0
    for i = 1, #parts, step do
        local name, value = parts[i], ''
        if kind == 'hash' then value = parts[i + 1] end
        if kind == 'zset' then value = string.format('%.16e', tonumber(parts[i + 1])) end
        local sum = redis.sha1hex(#name .. ':' .. name .. value)
        a = (a + tonumber(string.sub(sum, 1, 12), 16)) % 281474976710656
        b = (b + tonumber(string.sub(sum, 13, 24), 16)) % 281474976710656
    end
    return string.format('%s %.0f %.0f %.0f', kind, #parts / step, a, b)
end
