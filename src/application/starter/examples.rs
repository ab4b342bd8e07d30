//! Other ways to write definitions, as comments, with tables of this very database.

use super::fit::Field;
use super::form::Form;
use super::names::Names;
use super::quoting::quoted;
use super::select::Reading;
use super::strategy::Strategy;
use crate::domain::schema::{ForeignKey, Kind};

/// The columns that an example shows.
const SHOWN: usize = 5;

/// What the column of a language's code is called.
const CODES: [&str; 6] = [
    "code",
    "locale",
    "iso_code",
    "language_code",
    "lang_code",
    "iso",
];

/// An example: its heading and a strategy.
pub(super) type Example = (&'static str, Strategy);

pub(super) fn examples(names: &mut Names, readings: &[Reading<'_>]) -> Vec<Example> {
    let nested = nested(names, readings);
    let texts = per_language(names, readings);
    nested.into_iter().chain(texts).collect()
}

/// The columns that need no explanation.
fn plain<'a>(reading: &'a Reading<'_>) -> Vec<&'a Field> {
    let is_plain = |field: &&Field| {
        let has_odd_sign = field.name.contains(['\'', '\\']);
        field.form == Form::Plain
            && field.name == field.column
            && !has_odd_sign
            && !matches!(field.kind, Kind::Document | Kind::Other | Kind::Binary)
    };
    reading.fields.iter().filter(is_plain).collect()
}

/// A parent with its children inside.
fn nested(names: &mut Names, readings: &[Reading<'_>]) -> Option<Example> {
    let of = |name: &str| {
        readings
            .iter()
            .find(|reading| reading.fit.table.name == name)
    };
    let pairs = readings.iter().flat_map(|child| {
        let references = child.fit.table.foreign_keys.iter();
        references.filter_map(move |key| Some((of(&key.parent)?, child, key)))
    });
    let fits = |(parent, child, key): &(&Reading<'_>, &Reading<'_>, &ForeignKey)| {
        let is_own = parent.fit.table.name == child.fit.table.name;
        let is_small = !parent.facts.is_large && !child.facts.is_large;
        let has = |reading: &Reading<'_>, name: &String| {
            plain(reading).iter().any(|field| field.column == *name)
        };
        !is_own
            && is_small
            && key.columns.len() == 1
            && parent.fit.table.key() == key.parent_columns
            && key.parent_columns.iter().all(|name| has(parent, name))
            && key.columns.iter().all(|name| has(child, name))
            && child.fit.table.key().iter().all(|name| has(child, name))
            && !child.fit.table.key().is_empty()
    };
    let (parent, child, key) = pairs
        .filter(fits)
        .max_by_key(|(_, child, _)| child.facts.rows)?;
    let dialect = parent.dialect;
    let name = |alias: &str, column: &str| format!("{alias}.{}", quoted(dialect, column));
    let mut items: Vec<String> = plain(parent)
        .iter()
        .take(SHOWN)
        .map(|field| name("p", &field.name))
        .collect();
    let (id, refers) = (&key.parent_columns[0], &key.columns[0]);
    if !plain(parent)
        .iter()
        .take(SHOWN)
        .any(|field| field.column == *id)
    {
        items.insert(0, name("p", id));
    }
    let of_child = plain(child)
        .into_iter()
        .filter(|field| field.column != *refers)
        .take(SHOWN);
    let pairs = of_child.map(|field| format!("'{}', {}", field.name, name("c", &field.name)));
    let order: Vec<String> = child
        .fit
        .table
        .key()
        .iter()
        .map(|column| name("c", column))
        .collect();
    let json = dialect.json_list(&pairs.collect::<Vec<_>>().join(", "), &order.join(", "));
    let [parents, children] =
        [parent, child].map(|reading| quoted(dialect, &reading.fit.table.name));
    let sql = format!(
        "SELECT {},\n       (SELECT {json}\n        FROM {children} c WHERE {} = {}) AS children\nFROM {parents} p",
        items.join(", "),
        name("c", refers),
        name("p", id)
    );
    let entity = names.entity(&parent.fit.table.name).to_owned();
    let example = Strategy {
        name: names.strategy(&format!("{entity}-page")),
        key: format!("{}-page:{{{id}}}", super::object::literal(&entity)),
        value: "object",
        ttl: "1h",
        is_empty: parent.facts.rows == 0,
        sql,
        ..Strategy::default()
    };
    is_template(id).then_some(("A document with its children inside:", example))
}

/// The texts of a table by the code of their language.
fn per_language(names: &mut Names, readings: &[Reading<'_>]) -> Option<Example> {
    let code = |reading: &Reading<'_>| {
        let mut codes = CODES.iter();
        codes.find_map(|code| {
            plain(reading)
                .into_iter()
                .find(|field| field.name == *code)
                .cloned()
        })
    };
    let is_language = |reading: &&Reading<'_>| {
        let name = names.words(&reading.fit.table.name).join("_");
        ["language", "languages", "lang", "locale", "locales"].contains(&name.as_str())
    };
    let language = readings.iter().find(is_language)?;
    let code = code(language)?;
    let found = readings.iter().find_map(|texts| {
        let table = texts.fit.table;
        let mut references = table.foreign_keys.iter();
        let by = references
            .find(|key| key.parent == language.fit.table.name && key.columns.len() == 1)?;
        let others: Vec<&String> = table
            .key()
            .iter()
            .filter(|name| !by.columns.contains(name))
            .collect();
        let [other] = others.as_slice() else {
            return None;
        };
        let parent = table
            .foreign_keys
            .iter()
            .find(|key| key.columns == [(*other).clone()])?;
        let is_whole = table.key().len() == 2 && by.parent_columns == language.fit.table.key();
        (is_whole && is_template(other)).then_some((
            texts,
            by,
            (*other).clone(),
            parent.parent.clone(),
        ))
    });
    let (texts, by, id, parent) = found?;
    let dialect = texts.dialect;
    let name = |alias: &str, column: &str| format!("{alias}.{}", quoted(dialect, column));
    let stored = plain(texts)
        .into_iter()
        .filter(|field| !by.columns.contains(&field.column));
    let items: Vec<String> = stored
        .take(SHOWN)
        .map(|field| name("t", &field.name))
        .collect();
    let [texts_table, languages] =
        [texts, language].map(|reading| quoted(dialect, &reading.fit.table.name));
    let sql = format!(
        "SELECT {}, {} AS _locale\nFROM {texts_table} t\nJOIN {languages} l ON {} = {}",
        items.join(", "),
        name("l", &code.name),
        name("l", &by.parent_columns[0]),
        name("t", &by.columns[0])
    );
    let entity = names.entity(&parent).to_owned();
    let example = Strategy {
        name: names.strategy(&format!("{entity}-texts")),
        key: format!(
            "{}-texts:{{{id}}}:{{_locale}}",
            super::object::literal(&entity)
        ),
        value: "object",
        ttl: "1h",
        is_empty: texts.facts.rows == 0,
        sql,
        ..Strategy::default()
    };
    Some(("A key per language, by its code:", example))
}

/// Whether a column's name can stand in a key's template.
fn is_template(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
