//! A list of children for each parent, where a foreign key says so.

use super::facts::Group;
use super::fit::Field;
use super::inflection::plural;
use super::names::{Names, words};
use super::object::{literal, ttl, types};
use super::select::{Reading, items, order};
use super::strategy::Strategy;
use crate::domain::schema::{ForeignKey, Kind, Schema, Table};
use crate::domain::wording::grouped;

/// A list of more rows is a value that is too large to be useful.
const LONGEST: u64 = 1_000;

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
        let groups = &reading.facts.references;
        let group = groups.get(nth).cloned().unwrap_or_default();
        if !reading.has_all(&columns) {
            continue;
        }
        let by = columns.join(", ");
        if reading.facts.is_large {
            notes.push(format!("No list by {by}: too many rows to read them all at first."));
        } else if group.most > LONGEST {
            notes.push(format!("No list by {by}: up to {} rows a key.", grouped(group.most)));
        } else {
            lists.push(list(names, reading, reference, &columns, &group));
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
    let is_language = LANGUAGES.split_whitespace().any(|known| known == is_language);
    let is_one_to_one = {
        let (mut own, mut of) = (table.key().to_vec(), reference.columns.clone());
        own.sort();
        of.sort();
        own == of
    };
    let column = |name: &String| {
        let at = reference.parent_columns.iter().position(|known| known == name)?;
        reference.columns.get(at).cloned()
    };
    let columns: Vec<String> = parent.key().iter().map(column).collect::<Option<_>>()?;
    let is_whole = columns.len() == reference.columns.len() && !columns.is_empty();
    (is_whole && !(is_language && reference.is_guess) && !is_one_to_one).then_some(columns)
}

fn list(
    names: &mut Names,
    reading: &Reading<'_>,
    reference: &ForeignKey,
    columns: &[String],
    group: &Group,
) -> Strategy {
    let table = reading.fit.table;
    let is_own = reference.parent == table.name;
    let nullable =
        columns.iter().any(|name| table.column(name).is_none_or(|column| column.is_nullable));
    let parts = reading.key_parts(columns, true, nullable || group.has_blanks);
    let (parent, entity) =
        (names.entity(&reference.parent).to_owned(), names.entity(&table.name).to_owned());
    let role = role(columns);
    let children = if is_own { "children".to_owned() } else { children(&entity, &parent) };
    let placeholders = parts.iter().map(|part| format!(":{{{}}}", part.placeholder));
    let start = literal(&parent) + &placeholders.collect::<String>();
    let by_role = format!("{children}_by_{role}");
    let wanted = [&children, &by_role, &entity];
    let key = names.key(wanted.map(|name| format!("{start}:{}", literal(name))));
    // What all rows of a list share is not stored, unless there is nothing else.
    let has_others = reading.fields.len() > columns.len();
    let is_apart = |name: &String| has_others && columns.contains(name);
    let stored = reading.fields.iter().filter(|field| !is_apart(&field.column));
    let mut items = items(stored.clone(), &parts);
    items.extend(reading.version());
    let mut types = types(reading, &parts);
    let is_hidden = |name: &String| parts.iter().any(|part| part.placeholder == *name);
    types.retain(|(name, _)| is_hidden(name) || stored.clone().any(|field| field.name == *name));
    Strategy {
        name: names.strategy(&format!("{entity}-by-{role}")),
        key,
        value: "list",
        ttl: ttl(names, reading),
        is_empty: group.filled == 0,
        types,
        order_by: order(reading, columns),
        sql: reading.sql(&items, &parts),
        ..Strategy::default()
    }
}

/// `original_language` of `original_language_id` or `id_original_language`.
fn role(columns: &[String]) -> String {
    let role = |column: &String| {
        let words = words(column);
        match words.as_slice() {
            [role @ .., id] if !role.is_empty() && (id == "id" || id == "uuid") => role.join("_"),
            [id, role @ ..] if !role.is_empty() && id == "id" => role.join("_"),
            words => words.join("_"),
        }
    };
    columns.iter().map(role).collect::<Vec<_>>().join("_")
}

/// `images` of a `product_image` by product; `categories` of a `product_to_category`.
fn children(entity: &str, parent: &str) -> String {
    let after = entity.strip_prefix(parent).and_then(|rest| rest.strip_prefix('_'));
    let before = entity.strip_suffix(parent).and_then(|rest| rest.strip_suffix('_'));
    let own = after.or(before).unwrap_or(entity);
    let own = own.strip_prefix("to_").or(own.strip_suffix("_to")).unwrap_or(own);
    let mut words: Vec<String> = own.split('_').map(str::to_owned).collect();
    if let Some(last) = words.last_mut() {
        *last = plural(last);
    }
    words.join("_")
}

/// Whether a table only joins rows of other tables.
pub(super) fn is_join(reading: &Reading<'_>) -> bool {
    let table = reading.fit.table;
    let key = table.key();
    let refers =
        |column: &String| table.foreign_keys.iter().any(|key| key.columns == [column.clone()]);
    let is_other = |field: &&Field| {
        !key.contains(&field.column) && !matches!(field.kind, Kind::Moment | Kind::Day)
    };
    key.len() > 1 && key.iter().all(refers) && !reading.fields.iter().any(|field| is_other(&field))
}
