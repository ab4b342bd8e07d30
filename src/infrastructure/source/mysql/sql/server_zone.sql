SELECT CONCAT(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(),
        CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', @@global.time_zone)),
    ' ', @@global.time_zone, ' ', @@system_time_zone)
