SELECT COALESCE(CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
    CONVERT_TZ(MIN(trx_started), 'SYSTEM', '+00:00')) AS CHAR), '')
FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> CONNECTION_ID()
