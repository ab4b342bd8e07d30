local function says(text)
    local ok, value = pcall(cjson.decode, text)
    return ok and type(value) == 'table' and value[ARGV[3]] or nil end
local old = redis.pcall('GET', KEYS[1])
if type(old) == 'string' then
    local was, is = says(old), says(ARGV[1])
    local a, b = tonumber(was), tonumber(is)
    if type(was) == type(is) and a and b then was, is = a, b end
    local kind = type(is)
    if type(was) == kind and (kind == 'number' or kind == 'string') and was > is then return 0 end
end
if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1])
else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end return 1
