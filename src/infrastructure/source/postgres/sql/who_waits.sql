SELECT count(*), coalesce(string_agg(DISTINCT relation::regclass::text, ', '), '')
FROM pg_catalog.pg_locks
WHERE NOT granted AND $1 = ANY (pg_catalog.pg_blocking_pids(pid))
