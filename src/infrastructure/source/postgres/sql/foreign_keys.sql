SELECT c.relname::text, f.oid::text, a.attname::text, p.relname::text, pa.attname::text
FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
CROSS JOIN unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (child, parent, nth)
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.child
JOIN pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent
WHERE f.contype = 'f' AND f.conparentid = 0
  AND pg_table_is_visible(c.oid) AND pg_table_is_visible(p.oid)
ORDER BY c.relname, f.oid, k.nth
