//! An object for each row of a table.

use super::facts::SOME;
use super::names::Names;
use super::quoting::quoted;
use super::select::{KeyPart, Reading, items, order};
use super::strategy::Strategy;
use crate::domain::encode::Hint;
use crate::domain::wording::grouped;

/// Tables up to this many rows are taken for lists of countries and the like.
const REFERENCE: u64 = 1_000;

/// Words of what changes by the minute.
const VOLATILE: &str = "availability basket cart inventory price prices quote session stock stocks";

/// The strategy of a table's rows; `Err`: why there is none.
pub(super) fn object(names: &mut Names, reading: &Reading<'_>) -> Result<Strategy, String> {
    let (table, facts) = (reading.fit.table, reading.facts);
    let key = table.key();
    if key.is_empty() {
        return Err("no primary key".to_owned());
    }
    if let Some(missing) = key.iter().find(|column| reading.field(column).is_none()) {
        let why = reading.fit.why(missing).unwrap_or("cannot be read");
        return Err(format!("its key column {missing}: {why}"));
    }
    if facts.key.is_known && facts.key.distinct < facts.key.filled {
        return Err("two rows would have the same key".to_owned());
    }
    let parts = reading.key_parts(key, false, facts.key.has_blanks);
    let entity = names.entity(&table.name).to_owned();
    let placeholders = parts.iter().map(|part| format!(":{{{}}}", part.placeholder));
    let mut items = items(&reading.fields, &parts);
    items.extend(reading.changed_at());
    items.extend(reading.version());
    let newest =
        parts.iter().map(|part| format!("{} DESC", quoted(reading.dialect, &part.placeholder)));
    Ok(Strategy {
        name: names.strategy(&entity),
        key: literal(&entity) + &placeholders.collect::<String>(),
        value: "object",
        ttl: ttl(names, reading),
        is_empty: facts.key.filled == 0,
        types: types(reading, &parts),
        order_by: facts.is_large.then(|| newest.collect::<Vec<_>>().join(", ")),
        limit: facts.is_large.then_some(SOME),
        sql: reading.sql(&items, &parts),
        ..Strategy::default()
    })
}

/// How many rows have no key.
pub(super) fn keyless(reading: &Reading<'_>) -> Option<String> {
    let facts = reading.facts;
    let columns = reading.fit.table.key().join(" or ");
    let said = match facts.rows.saturating_sub(facts.key.filled) {
        _ if facts.is_large => format!("rows without {columns} are left out"),
        1 => format!("1 row without {columns} is left out"),
        count => format!("{} rows without {columns} are left out", grouped(count)),
    };
    facts.key.has_blanks.then_some(said)
}

/// All rows in one list, of a table whose rows have no key.
pub(super) fn whole(names: &mut Names, reading: &Reading<'_>) -> Option<Strategy> {
    let (table, facts) = (reading.fit.table, reading.facts);
    if facts.rows > REFERENCE || reading.fields.is_empty() {
        return None;
    }
    let entity = names.entity(&table.name).to_owned();
    let mut items = items(&reading.fields, &[]);
    items.extend(reading.version());
    Some(Strategy {
        name: names.strategy(&format!("{entity}-list")),
        key: format!("{}:all", literal(&entity)),
        value: "list",
        ttl: ttl(names, reading),
        is_empty: facts.rows == 0,
        types: types(reading, &[]),
        order_by: order(reading, &[]),
        sql: reading.sql(&items, &[]),
        ..Strategy::default()
    })
}

pub(super) fn types(reading: &Reading<'_>, parts: &[KeyPart]) -> Vec<(String, Hint)> {
    let fields = reading.fields.iter();
    let stored = fields.filter_map(|field| Some((field.name.clone(), field.hint?)));
    let hidden = parts.iter().filter_map(|part| Some((part.placeholder.clone(), part.hint?)));
    stored.chain(hidden).collect()
}

pub(super) fn ttl(names: &Names, reading: &Reading<'_>) -> &'static str {
    let words = names.words(&reading.fit.table.name);
    let is_volatile =
        words.iter().any(|word| VOLATILE.split_whitespace().any(|known| known == word));
    match reading.facts.rows {
        _ if is_volatile => "10m",
        0..=REFERENCE => "12h",
        _ => "1h",
    }
}

/// A name as a part of a key's template.
pub(super) fn literal(name: &str) -> String {
    name.replace('{', "{{").replace('}', "}}")
}
