for i, key in ipairs(KEYS) do
  local found = redis.call('GET', key)
  if found and found ~= ARGV[1] then return {i, found} end
end
for _, key in ipairs(KEYS) do
  redis.call('DEL', key) redis.call('PEXPIRE', key, ARGV[2])
  redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
end
return false
