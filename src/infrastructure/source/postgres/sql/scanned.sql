-- A plan counts rows after its filter, this before. A partition that was never analyzed, as it may be empty,
-- has at most what fits into its size.
WITH RECURSIVE up (oid) AS (
    SELECT to_regclass(quote_ident($1))::oid
    UNION SELECT inhparent FROM pg_inherits JOIN up ON inhrelid = up.oid
), root (name) AS (
    SELECT relname FROM pg_class JOIN up USING (oid)
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = up.oid)
    ORDER BY 1 LIMIT 1
)
SELECT root.name::text,
       (CASE WHEN c.reltuples < 0 AND root.name <> c.relname THEN pg_relation_size(c.oid) / 28
        ELSE c.reltuples END)::float8
FROM pg_class c, root
WHERE c.oid = to_regclass(quote_ident($1))
