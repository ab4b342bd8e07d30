//! Finds definitions that compare the current time with columns in another local time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::application::ports::RowSource;
use crate::contexts::sql::clock::{ClockUse, clock_use};
use crate::domain::finding::Finding;
use crate::domain::server::ServerZone;
use crate::domain::session_zone::SessionZone;
use crate::domain::strategy::Definition;

/// The privilege to see a PostgreSQL server's configured time zone.
const GRANT: &str =
    "let this user see it: GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO";

/// Warns if a definition's clock is hours away from the stored times; notes it if that may be so
/// and the server does not show its zone.
pub(super) async fn check(
    definition: &Definition,
    zone: Option<&ServerZone>,
    sessions: &SessionZone,
    source: &dyn RowSource,
) -> Option<Finding> {
    let ours = ahead(sessions)?;
    let zone = zone.filter(|zone| zone.ahead != ours || !zone.is_known)?;
    let dialect = source.dialect();
    let used = clock_use(definition.sql.of(dialect.name())?, dialect.grammar())?;
    let columns = local_columns(&used, source).await;
    if columns.is_empty() {
        return None;
    }
    let columns = columns.join(", ");
    let away = zone.ahead - ours;
    let ours = format!(
        "{} in {} is in {sessions}, as shopwarm's sessions are, and the server",
        used.word, definition.spec.id
    );
    if away == 0 {
        let text = format!(
            "{ours} does not show this user its own zone: where that is another and applications \
             store local time, the clock is hours away from {columns}"
        );
        return Some(Finding::ok("clock", text).hint(GRANT));
    }
    let its = match zone.is_known {
        true => "'s own zone",
        false => " does not show this user its own zone, but that of its log",
    };
    let text = format!(
        "{ours}{its} is {}: where applications store local time, it is {} away from {columns}",
        zone.name,
        hours(away),
    );
    let named = match zone.name.parse::<SessionZone>() {
        Ok(named) if ahead(&named) == Some(zone.ahead) => format!("\"{named}\""),
        _ => "the zone of the applications, such as \"Europe/Berlin\"".to_owned(),
    };
    let hint =
        format!("set session_timezone to {named}, or compare with {}", dialect.in_zone(&zone.sql));
    Some(Finding::warning("clock", text).hint(hint))
}

/// How many seconds a zone's clocks are ahead of UTC now; `None`: nobody here knows the zone.
fn ahead(zone: &SessionZone) -> Option<i64> {
    let named = || {
        let zone = TimeZone::get(&zone.to_string()).ok()?;
        Some(i64::from(zone.to_offset(Timestamp::now()).seconds()))
    };
    zone.ahead().or_else(named)
}

/// Columns without a time zone in the same comparisons.
async fn local_columns(used: &ClockUse, source: &dyn RowSource) -> Vec<String> {
    let local_types = source.dialect().local_types();
    let mut local = Vec::new();
    for table in &used.tables {
        // Skips names that are not tables, such as those of a WITH.
        let sql = format!("SELECT * FROM {table}");
        let Ok(columns) = source.describe(&sql, &[]).await else {
            continue;
        };
        for column in columns.iter() {
            let is_meant = |name: &String| name.eq_ignore_ascii_case(&column.name);
            let is_local = local_types.contains(&column.declared.as_str());
            let shown = format!("{table}.{}", column.name);
            if is_local && used.columns.iter().any(is_meant) && !local.contains(&shown) {
                local.push(shown);
            }
        }
    }
    local
}

/// `5 h`, `5 h 30 min`.
fn hours(seconds: i64) -> String {
    let minutes = seconds.unsigned_abs() / 60;
    match (minutes / 60, minutes % 60) {
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
