//! A list of children for each parent, where a foreign key says so.

use super::inflection::plural;
use super::names::{Names, words};
use super::object::{literal, ttl, types};
use super::quoting::quoted;
use super::select::Reading;
use super::strategy::Strategy;
use crate::domain::schema::{ForeignKey, Kind, Schema, Table};
use crate::domain::wording::grouped;

/// A list of more rows is a value that is too large to be useful.
const LONGEST: u64 = 1_000;

/// Columns that say in which order a person put the rows.
const PLACES: &str = "display_order line_no line_number menu_order ordinal position rank seq sequence \
    sort sort_order";

/// Tables of languages, which have children everywhere.
const LANGUAGES: &str = "lang language languages langs locale locales";

/// The lists of a table's rows, and why there are no others.
pub(super) fn lists(
    schema: &Schema,
    names: &mut Names,
    reading: &Reading<'_>,
) -> (Vec<Strategy>, Vec<String>) {
    let (mut lists, mut notes) = (Vec::<Strategy>::new(), Vec::new());
    let table = reading.fit.table;
    for (nth, reference) in table.foreign_keys.iter().enumerate() {
        let Some(columns) = in_order(schema, names, table, reference) else {
            continue;
        };
        let group = reading
            .facts
            .references
            .get(nth)
            .cloned()
            .unwrap_or_default();
        if !reading.has_all(&columns) {
            continue;
        }
        let by = columns.join(", ");
        if reading.facts.is_large {
            notes.push(format!(
                "no list by {by}: too many rows to read them all at first"
            ));
        } else if group.most > LONGEST {
            notes.push(format!(
                "no list by {by}: up to {} rows a key",
                grouped(group.most)
            ));
        } else {
            let list = list(names, reading, reference, &columns, &lists);
            lists.push(Strategy {
                is_empty: group.filled == 0,
                ..list
            });
        }
        if reference.is_guess
            && lists.len() == 1
            && !notes.iter().any(|note| note.starts_with("by name"))
        {
            notes.push("by name alone, no foreign key says so: the lists".to_owned());
        }
    }
    (lists, notes)
}

/// The columns of a foreign key in the order of the parent's key, if that is what it refers to.
fn in_order(
    schema: &Schema,
    names: &Names,
    table: &Table,
    reference: &ForeignKey,
) -> Option<Vec<String>> {
    let parent = schema.table(&reference.parent)?;
    let is_language = names.words(&parent.name).join("_");
    let is_language = LANGUAGES
        .split_whitespace()
        .any(|known| known == is_language);
    let is_one_to_one = {
        let (mut own, mut of) = (table.key().to_vec(), reference.columns.clone());
        (own.sort(), of.sort());
        own == of
    };
    let column = |name: &String| {
        let at = reference
            .parent_columns
            .iter()
            .position(|known| known == name)?;
        reference.columns.get(at).cloned()
    };
    let columns: Vec<String> = parent.key().iter().map(column).collect::<Option<_>>()?;
    let is_whole = columns.len() == reference.columns.len() && !columns.is_empty();
    (is_whole && !is_language && !is_one_to_one).then_some(columns)
}

fn list(
    names: &mut Names,
    reading: &Reading<'_>,
    reference: &ForeignKey,
    columns: &[String],
    others: &[Strategy],
) -> Strategy {
    let (dialect, table) = (reading.dialect, reading.fit.table);
    let is_own = reference.parent == table.name;
    let nullable = columns
        .iter()
        .any(|name| table.column(name).is_none_or(|column| column.is_nullable));
    let at = table
        .foreign_keys
        .iter()
        .position(|known| known == reference);
    let group = at.and_then(|at| reading.facts.references.get(at));
    let has_blanks = nullable || group.is_some_and(|group| group.has_blanks);
    let parts = reading.key_parts(columns, true, has_blanks);
    let (parent, entity) = (
        names.entity(&reference.parent).to_owned(),
        names.entity(&table.name).to_owned(),
    );
    let role = role(columns);
    let mut children = match is_own {
        true => "children".to_owned(),
        false => children(&entity, &parent),
    };
    let placeholders = parts
        .iter()
        .map(|part| format!(":{{{}}}", part.placeholder));
    let start = literal(&parent) + &placeholders.collect::<String>();
    let is_alone = |children: &str| {
        let shape = |key: &str| {
            key.split(['{', '}'])
                .step_by(2)
                .collect::<Vec<_>>()
                .join("{}")
        };
        let key = shape(&format!("{start}:{children}"));
        others.iter().all(|other| shape(&other.key) != key)
    };
    if !is_alone(&children) {
        children = format!("{children}_by_{role}");
    }
    let is_apart =
        |column: &String| columns.contains(column) && reading.fields.len() > columns.len();
    let stored = reading
        .fields
        .iter()
        .filter(|field| !is_apart(&field.column));
    let mut items: Vec<String> = stored.map(|field| field.item.clone()).collect();
    let mut order: Vec<String> = Vec::new();
    for column in in_their_order(reading) {
        if let Some(field) = reading
            .field(&column)
            .filter(|_| !columns.contains(&column))
        {
            order.push(quoted(dialect, &field.name));
        }
    }
    let order = if table.key().is_empty() {
        all_others(reading, columns)
    } else {
        order
    };
    items.extend(parts.iter().filter_map(|part| part.item.clone()));
    items.extend(reading.version());
    let mut types = types(reading, &parts);
    types.retain(|(name, _)| {
        reading
            .fields
            .iter()
            .all(|field| field.name != *name || !is_apart(&field.column))
    });
    Strategy {
        name: names.strategy(&format!("{entity}-by-{role}")),
        key: format!("{start}:{}", literal(&children)),
        value: "list",
        ttl: ttl(names, reading),
        types,
        order_by: (!order.is_empty()).then(|| order.join(", ")),
        sql: reading.sql(&items, &parts),
        ..Strategy::default()
    }
}

/// `original_language` of `original_language_id`.
fn role(columns: &[String]) -> String {
    let role = |column: &String| {
        let mut words = words(column);
        if words.len() > 1
            && words
                .last()
                .is_some_and(|word| word == "id" || word == "uuid")
        {
            words.pop();
        }
        words.join("_")
    };
    columns.iter().map(role).collect::<Vec<_>>().join("_")
}

/// `images` of a `product_image` by product.
fn children(entity: &str, parent: &str) -> String {
    let own = entity
        .strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix('_'));
    let mut words: Vec<String> = own
        .unwrap_or(entity)
        .split('_')
        .map(str::to_owned)
        .collect();
    if let Some(last) = words.last_mut() {
        *last = plural(last);
    }
    words.join("_")
}

/// The columns that a list is ordered by.
fn in_their_order(reading: &Reading<'_>) -> Vec<String> {
    let is_place = |name: &str| {
        let name = words(name).join("_");
        PLACES.split_whitespace().any(|place| place == name)
    };
    let fields = reading.fields.iter();
    let place = fields.filter(|field| field.kind == Kind::Integer && is_place(&field.column));
    let mut order: Vec<String> = place.map(|field| field.column.clone()).take(1).collect();
    let key = reading.fit.table.key().iter().cloned();
    order.extend(key);
    let mut seen = Vec::new();
    order.retain(|name| {
        let is_new = !seen.contains(name);
        seen.push(name.clone());
        is_new
    });
    order
}

fn all_others(reading: &Reading<'_>, columns: &[String]) -> Vec<String> {
    let fields = reading.fields.iter();
    let sorts = fields.filter(|field| {
        let has_order = !matches!(field.kind, Kind::Document | Kind::Other);
        has_order && !columns.contains(&field.column)
    });
    sorts
        .map(|field| quoted(reading.dialect, &field.name))
        .collect()
}

/// Whether a table only says which rows of others belong together.
pub(super) fn is_join(reading: &Reading<'_>) -> bool {
    let table = reading.fit.table;
    let key = table.key();
    let refers = |column: &String| {
        table
            .foreign_keys
            .iter()
            .any(|key| key.columns == [column.clone()])
    };
    let is_other = |field: &&super::fit::Field| {
        !key.contains(&field.column) && !matches!(field.kind, Kind::Moment | Kind::Day)
    };
    key.len() > 1 && key.iter().all(refers) && !reading.fields.iter().any(|field| is_other(&field))
}
