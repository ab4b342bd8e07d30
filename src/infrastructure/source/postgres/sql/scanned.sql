-- Tables by schema and name, and whether they are read from end to end: for each the table whose partition it is,
-- or itself. A plan counts rows after its filter, this before. A partition that was never analyzed, as it may be
-- empty, has at most what fits into it. A small partition that is scanned does not count if the others are not.
WITH RECURSIVE named (oid, is_scan) AS (
    SELECT DISTINCT to_regclass(quote_ident(schema) || '.' || quote_ident(name))::oid, is_scan
    FROM unnest($1::text[], $2::text[], $3::bool[]) AS s (schema, name, is_scan)
), up (named, oid) AS (
    SELECT oid, oid FROM named WHERE oid IS NOT NULL
    UNION SELECT named, inhparent FROM pg_inherits JOIN up ON inhrelid = up.oid
), root (named, oid) AS (
    SELECT named, min(oid) FROM up
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = up.oid) GROUP BY named
), part (root, oid, name, is_scan, bytes, rows) AS (
    SELECT root.oid, c.oid, c.relname, is_scan, pg_relation_size(c.oid),
           CASE WHEN c.reltuples < 0 AND c.oid <> root.oid THEN pg_relation_size(c.oid) / 28
           ELSE NULLIF(c.reltuples, -1) END
    FROM named JOIN root ON root.named = named.oid JOIN pg_class c ON c.oid = named.oid
)
SELECT (CASE WHEN count(*) FILTER (WHERE is_scan) = 1 THEN max(name) FILTER (WHERE is_scan)
        ELSE max(top.relname) END)::text,
       array_agg(name::text) FILTER (WHERE is_scan) || max(top.relname)::text,
       CASE WHEN bool_and(rows IS NOT NULL) FILTER (WHERE is_scan)
            THEN sum(rows) FILTER (WHERE is_scan) END::float8
FROM part JOIN pg_class top ON top.oid = root
GROUP BY root
HAVING bool_or(is_scan)
   AND sum(bytes) FILTER (WHERE is_scan) >= COALESCE(sum(bytes) FILTER (WHERE NOT is_scan), 0)
