SELECT coalesce(
    (SELECT setting FROM pg_catalog.pg_show_all_file_settings()
     WHERE lower(name) = 'timezone' AND error IS NULL ORDER BY seqno DESC LIMIT 1), 'GMT')
