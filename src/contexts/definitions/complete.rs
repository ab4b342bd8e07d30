//! From merged fields to a definition that is right in itself.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::merged::{Merged, StrategyPatch};
use super::names::Names;
use super::origin::Origin;
use super::query::{Around, query};
use crate::domain::coding::{Compression, Format};
use crate::domain::key::KeyTemplate;
use crate::domain::namespace::OWN;
use crate::domain::order_by::OrderBy;
use crate::domain::standing::Kind;
use crate::domain::strategy::{Definition, Place, Shape, StrategyId, StrategySpec, Wanted};
use crate::domain::style::Style;
use crate::domain::ttl;
use crate::domain::written::Wrong;

/// What the code of a registered strategy says alone.
const CODE_SAYS: [&str; 22] = [
    "key",
    "value",
    "types",
    "numbers",
    "dates",
    "fields",
    "map_key",
    "tree_id",
    "tree_parent",
    "score",
    "empty",
    "order_by",
    "limit",
    "for",
    "version_field",
    "changed",
    "unordered",
    "row_security",
    "sql.any",
    "sql.postgres",
    "sql.mysql",
    "sql.sqlite",
];

/// The definition of a registered strategy, which needs no query.
pub(super) fn whole(id: &StrategyId, merged: &Merged) -> Result<Definition, Wrong> {
    let is_other = |field: &&&str| {
        let origin = merged.origins.get(**field);
        origin.is_some_and(|origin| *origin != Origin::Code)
    };
    if let Some(field) = CODE_SAYS.iter().find(is_other) {
        return Err(Wrong::new(*field, "this is set in the strategy's code"));
    }
    let fields = merged.fields.clone();
    key(fields.key.as_deref())?;
    ttl(fields.ttl.as_deref())?;
    check_form(&fields, fields.value.unwrap_or(Shape::Object))?;
    let mut definition = merged.without_sql(id, "its value is built in code");
    definition.spec.version_field = fields.version_field.map(Into::into);
    Ok(definition)
}

/// A complete definition, or the field that is wrong and why.
pub(super) fn complete(
    id: &StrategyId,
    merged: &Merged,
    around: &Around<'_>,
) -> Result<Definition, Wrong> {
    let (fields, written) = (merged.fields.clone(), merged.written.clone());
    let key = key(fields.key.as_deref())?;
    let value = match fields.value.ok_or_else(|| Wrong::missing("value"))? {
        Shape::Hash if fields.map_key.is_some() => Shape::HashOfRows,
        value => value,
    };
    check_limit(&fields, value)?;
    check_form(&fields, value)?;
    let style = style(&fields, value)?;
    let place = place(&fields, value)?;
    let ttl = ttl(fields.ttl.as_deref())?;
    let order_by = order_by(fields.order_by.as_deref())?;
    let query = query(&fields, id, around)?;
    let (key, key_of_rows) = query.keys(key);
    check_empty(&fields, value, &key_of_rows)?;
    let names =
        Names { fields: &fields, key: &key_of_rows, place: &place, order_by: &order_by, value };
    names.check_all(&query.columns)?;
    let trusts_changed_at = fields.changed.is_some();
    Ok(Definition {
        documents: query.documents(),
        document_sql: query.document_sql(),
        with_bytes: query.with_bytes(),
        driving_table: query.driving_table(value),
        tracking: query.tracking(&key_of_rows, value, trusts_changed_at),
        spec: StrategySpec {
            ttl,
            key,
            value,
            version_field: fields.version_field.map(Into::into),
            uncovered: query.uncovered(&key_of_rows, value).map(Into::into),
            ..merged.spec(id)
        },
        types: fields.types.unwrap_or_default().into_iter().collect(),
        style,
        place,
        empty: fields.empty.unwrap_or(false),
        order_by,
        limit: fields.limit,
        sql: query.sql(fields.sql),
        statement: query.statement,
        vars: query.vars,
        each: query.each,
        wanted: Wanted::default(),
        written,
        trusts_changed_at,
        unordered_ok: fields.unordered.is_some(),
        row_security: fields.row_security.unwrap_or_default(),
        fault: None,
    })
}

fn key(key: Option<&str>) -> Result<KeyTemplate, Wrong> {
    let key = key.ok_or_else(|| Wrong::missing("key"))?;
    let key: KeyTemplate = key.parse().map_err(|e| Wrong::new("key", e))?;
    match key.literal_start().starts_with(OWN) {
        true => Err(Wrong::new(
            "key",
            format!("keys that begin with `{OWN}` are shopwarm's own; use another name"),
        )),
        false => Ok(key),
    }
}

/// What does not go together with the shape of the value.
fn check_limit(fields: &StrategyPatch, value: Shape) -> Result<(), Wrong> {
    let limit = |why: &str| Err(Wrong::new("limit", why));
    match fields.limit {
        Some(0) => limit("0 would warm nothing; leave it out for all rows, or set enabled = false"),
        Some(_) if value.groups_rows() => limit(&format!(
            "a `{}` has none: it would cut rows, and so values; limit them in the SQL",
            value.name()
        )),
        _ if fields.version_field.is_some() && !matches!(value, Shape::Object | Shape::Hash) => {
            let why = "only the value of one row, `object` or `hash`, has a field for it";
            Err(Wrong::new("version_field", why))
        }
        _ => Ok(()),
    }
}

/// What does not go together with the form of the stored bytes.
fn check_form(fields: &StrategyPatch, value: Shape) -> Result<(), Wrong> {
    let compresses = fields.compress.unwrap_or_default() != Compression::None;
    let field = match fields.format.unwrap_or_default() {
        Format::Json if compresses => "compress",
        Format::Json if fields.compress_from.is_some() => {
            let why = "nothing is compressed; add compress = \"zstd\", or leave it out";
            return Err(Wrong::new("compress_from", why));
        }
        Format::Json => return Ok(()),
        _ => "format",
    };
    if Kind::of(value) != Kind::Text {
        let why = "only for a value that Redis keeps as one string, not for this `value`";
        return Err(Wrong::new(field, why));
    }
    if fields.version_field.is_some() {
        let why = format!(
            "the cache can compare versions only in plain JSON; leave out `{field}` or this"
        );
        return Err(Wrong::new("version_field", why));
    }
    Ok(())
}

/// How columns are written.
fn style(fields: &StrategyPatch, value: Shape) -> Result<Style, Wrong> {
    Ok(Style {
        numbers: fields.numbers.unwrap_or_default(),
        dates: fields.dates.unwrap_or_default(),
        fields: constants(fields.fields.clone().unwrap_or_default(), value)?,
    })
}

/// Constant fields, each a scalar.
fn constants(mut fields: Map<String, Json>, value: Shape) -> Result<Map<String, Json>, Wrong> {
    if !fields.is_empty() && value == Shape::Text {
        let why = "a `text` value has no fields; the others have";
        return Err(Wrong::new("fields", why));
    }
    for (name, value) in &mut fields {
        // The parser's own name for a date.
        if let Some(date) = value.get_mut(TOML_DATE).map(Json::take) {
            *value = date;
        }
        if matches!(value, Json::Null | Json::Array(_) | Json::Object(_)) {
            let why = format!("`{name}` is not a string, finite number, true, false or date");
            return Err(Wrong::new("fields", why));
        }
    }
    Ok(fields)
}

const TOML_DATE: &str = "$__toml_private_datetime";

/// Which columns say where in its key's value a row belongs.
fn place(fields: &StrategyPatch, value: Shape) -> Result<Place<String>, Wrong> {
    let given = [
        ("map_key", &fields.map_key, &[Shape::Map, Shape::HashOfRows][..]),
        ("score", &fields.score, &[Shape::SortedSet]),
        ("tree_id", &fields.tree_id, &[Shape::Tree]),
        ("tree_parent", &fields.tree_parent, &[Shape::Tree]),
    ];
    for (field, column, shapes) in given {
        if column.is_some() && !shapes.contains(&value) {
            return Err(Wrong::new(field, format!("not allowed for value = \"{}\"", value.name())));
        }
    }
    let column = |field, column: &Option<String>| {
        let column = column.clone();
        column.ok_or_else(|| Wrong::new(field, "is missing"))
    };
    Ok(match value {
        Shape::SortedSet => Place::Score(column("score", &fields.score)?),
        Shape::Map | Shape::HashOfRows => Place::Key(column("map_key", &fields.map_key)?),
        Shape::Tree => Place::Node {
            id: column("tree_id", &fields.tree_id)?,
            parent: column("tree_parent", &fields.tree_parent)?,
        },
        _ => Place::Next,
    })
}

fn check_empty(fields: &StrategyPatch, value: Shape, key: &KeyTemplate) -> Result<(), Wrong> {
    let wrong = |why: &str| Err(Wrong::new("empty", why));
    match fields.empty {
        Some(true) if !matches!(value, Shape::List | Shape::Map | Shape::Tree) => {
            wrong("only a `list`, a `map` or a `tree` can be empty")
        }
        Some(true) if !key.columns().is_empty() => {
            wrong("the key needs a row: it contains columns")
        }
        _ => Ok(()),
    }
}

fn ttl(ttl: Option<&str>) -> Result<Option<Duration>, Wrong> {
    ttl.map(ttl::parse).transpose().map_err(|e| Wrong::new("ttl", e))
}

fn order_by(text: Option<&str>) -> Result<OrderBy, Wrong> {
    let order_by = text.map(str::parse).transpose();
    let order_by = order_by.map_err(|why: String| Wrong::new("order_by", why))?;
    Ok(order_by.unwrap_or_default())
}
