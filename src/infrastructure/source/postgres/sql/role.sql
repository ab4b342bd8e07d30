SELECT pg_is_in_recovery(), s.reset_val = 'on' AND NOT EXISTS (
    SELECT FROM pg_db_role_setting o
    JOIN pg_roles r ON r.oid = o.setrole, unnest(o.setconfig) AS setting
    WHERE r.rolname = session_user AND setting LIKE 'default_transaction_read_only=%')
FROM pg_settings s WHERE s.name = 'default_transaction_read_only'
