-- Tables by schema and name: for each the table whose partition it is, or itself. A plan counts rows after its
-- filter, this before. A partition that was never analyzed, as it may be empty, has at most what fits into it.
WITH RECURSIVE up (scanned, oid) AS (
    SELECT DISTINCT r.oid, r.oid
    FROM unnest($1::text[], $2::text[]) AS s (schema, name)
    CROSS JOIN LATERAL (SELECT to_regclass(quote_ident(s.schema) || '.' || quote_ident(s.name))::oid) AS r (oid)
    WHERE r.oid IS NOT NULL
    UNION SELECT scanned, inhparent FROM pg_inherits JOIN up ON inhrelid = up.oid
), root (scanned, oid) AS (
    SELECT scanned, min(oid) FROM up
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = up.oid) GROUP BY scanned
)
SELECT max(top.relname)::text,
       COALESCE(array_agg(c.relname::text) FILTER (WHERE c.oid <> top.oid), '{}'),
       CASE WHEN bool_and(c.reltuples >= 0 OR c.oid <> top.oid)
            THEN sum(CASE WHEN c.reltuples < 0 THEN pg_relation_size(c.oid) / 28 ELSE c.reltuples END)
       END::float8
FROM root JOIN pg_class c ON c.oid = root.scanned JOIN pg_class top ON top.oid = root.oid
GROUP BY top.oid
