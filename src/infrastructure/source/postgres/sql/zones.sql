SELECT (SELECT split_part(setting, '=', 2)
        FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS setting
        WHERE s.setrole = 0 AND lower(setting) LIKE 'timezone=%' AND s.setdatabase IN (0,
            (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
        ORDER BY s.setdatabase DESC LIMIT 1),
    current_setting('log_timezone')
