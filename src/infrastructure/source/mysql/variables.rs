//! Session variables, so that no server default changes the result of a query.
//!
//! The server's own settings apply to the meaning of SQL text (`||`, `"x"`, `\`, `NOT`), as in the
//! shop's sessions. We set everything else that can change a result.

use sqlx::Executor as _;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};

use super::super::driver::{Answer, safe};
use super::ask::cell;

/// Variables and their values, in the server's spelling. Unknown ones are skipped.
const FIXED: [(&str, &str); 17] = [
    // Otherwise the first query opens a transaction that never ends, and later ones see the past.
    ("autocommit", "ON"),
    ("completion_type", "NO_CHAIN"),
    ("default_regex_flags", ""),
    ("default_week_format", "0"),
    ("div_precision_increment", "4"),
    // GROUP_CONCAT and JSON_ARRAYAGG truncate longer results.
    ("group_concat_max_len", "67108864"),
    ("lc_time_names", "en_US"),
    // Enough to find warnings about truncated results.
    ("max_error_count", "65535"),
    // Others queue behind a session that waits for a lock; the server's default is a day.
    ("innodb_lock_wait_timeout", "1"),
    ("lock_wait_timeout", "1"),
    // The server drops a client that does not read for a minute; a slow cache may keep us from
    // reading.
    ("net_write_timeout", "86400"),
    // The query cache is for the shop's own queries.
    ("query_cache_type", "OFF"),
    ("sql_auto_is_null", "OFF"),
    ("sql_buffer_result", "OFF"),
    ("standard_compliant_cte", "ON"),
    ("windowing_use_high_precision", "ON"),
    ("system_versioning_asof", "DEFAULT"),
];

/// Limits that truncate silently when they are low; a raised one is kept.
const AT_LEAST: [(&str, u64); 2] = [
    // Texts that are equal up to this length have no defined order.
    ("max_sort_length", 1024),
    ("max_recursive_iterations", 1000),
];

/// Modes that change what a stored value is when it is read.
const WITHOUT: [(&str, &str); 2] =
    [("sql_mode", "PAD_CHAR_TO_FULL_LENGTH"), ("old_mode", "ZERO_DATE_TIME_CAST")];

/// Sets the variables that differ.
pub(super) async fn set(session: &mut MySqlConnection) -> Answer<()> {
    // First, since these also limit the list of variables. Rolls back a transaction of
    // `init_connect`.
    for statement in [
        "SET SESSION sql_select_limit = 18446744073709551615, \
         SESSION max_join_size = 18446744073709551615, SESSION sql_big_selects = 1",
        "ROLLBACK AND NO CHAIN NO RELEASE",
        "SET timestamp = DEFAULT",
    ] {
        session.execute(statement).await?;
    }
    isolate(session).await?;
    // The server's timeout also counts the time that it waits for us, so we keep the time. MariaDB
    // knows the first, MySQL the second.
    let limit = session.execute("SET SESSION max_statement_time = 0");
    if limit.await.is_err() {
        let limit = session.execute("SET SESSION max_execution_time = 0");
        limit.await?;
    }
    let names = FIXED.iter().map(|(name, _)| *name);
    let names = names.chain(AT_LEAST.iter().map(|(name, _)| *name));
    let names: Vec<&str> = names.chain(WITHOUT.map(|(name, _)| name)).collect();
    let sql = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ('{}')", names.join("', '"));
    let mut changes = Vec::new();
    for row in session.fetch_all(sqlx::raw_sql(safe(&sql))).await? {
        changes.extend(change(&cell(&row, 0)?, &cell(&row, 1)?));
    }
    if !changes.is_empty() {
        let set = format!("SET {}", changes.join(", "));
        session.execute(sqlx::raw_sql(safe(&set))).await?;
    }
    Ok(())
}

/// TiDB has no read-only transactions. Definitions are plain SELECTs, so we only read there too.
async fn isolate(session: &mut MySqlConnection) -> Answer<()> {
    let isolate = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    match session.execute(sqlx::raw_sql(safe(&format!("{isolate}, READ ONLY")))).await {
        Err(sqlx::Error::Database(error)) if is_not_supported(error.as_ref()) => {
            session.execute(isolate).await.map(drop)
        }
        done => done.map(drop),
    }
}

fn is_not_supported(error: &dyn DatabaseError) -> bool {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.is_some_and(|error| error.number() == 1235)
}

/// The assignment for a variable that differs.
fn change(name: &str, now: &str) -> Option<String> {
    let fixed = FIXED.iter().find(|(known, _)| *known == name);
    let least = AT_LEAST.iter().find(|(known, _)| *known == name);
    let without = WITHOUT.iter().find(|(known, _)| *known == name);
    let value = match (fixed, least, without) {
        (Some((_, value)), ..) => (now != *value).then(|| literal(value)),
        (_, Some((_, least)), _) => {
            now.parse().is_ok_and(|now: u64| now < *least).then(|| least.to_string())
        }
        (.., Some((_, mode))) => {
            let kept: Vec<&str> = now.split(',').filter(|set| set != mode).collect();
            let kept = kept.join(",");
            (kept != now).then(|| literal(&kept))
        }
        _ => None,
    };
    value.map(|value| format!("SESSION {name} = {value}"))
}

fn literal(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok_and(f64::is_finite) && !value.starts_with('+');
    match is_number || value == "DEFAULT" {
        true => value.to_owned(),
        false => format!("'{value}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_set() {
        for (name, now, expected) in [
            ("autocommit", "ON", None),
            ("autocommit", "OFF", Some("SESSION autocommit = 'ON'")),
            ("group_concat_max_len", "1048576", Some("SESSION group_concat_max_len = 67108864")),
            (
                "system_versioning_asof",
                "2020-01-01 00:00:00.000000",
                Some("SESSION system_versioning_asof = DEFAULT"),
            ),
            ("max_sort_length", "8192", None),
            ("max_sort_length", "64", Some("SESSION max_sort_length = 1024")),
            ("sql_mode", "ANSI_QUOTES,PIPES_AS_CONCAT", None),
            (
                "sql_mode",
                "PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",
                Some("SESSION sql_mode = 'PIPES_AS_CONCAT'"),
            ),
            ("something_else", "1", None),
        ] {
            assert_eq!(change(name, now).as_deref(), expected, "{name} = {now}");
        }
    }
}
