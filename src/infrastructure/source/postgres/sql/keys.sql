SELECT c.relname::text, i.indexrelid::text, i.indisprimary, a.attname::text
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
CROSS JOIN unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, nth)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND pg_table_is_visible(c.oid)
  AND (c.relkind = 'p' OR (c.relkind = 'r' AND NOT c.relhassubclass))
ORDER BY c.relname, i.indexrelid, k.nth
