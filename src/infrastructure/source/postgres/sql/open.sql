SELECT (extract(epoch FROM least(min(a.xact_start),
            (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database())
        )) * 1000000)::int8,
    count(*) FILTER (WHERE a.state = 'disabled' OR a.query = '<insufficient privilege>')
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
    AND a.backend_type IS DISTINCT FROM 'walsender'
