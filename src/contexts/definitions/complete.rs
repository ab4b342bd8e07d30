//! From merged fields to a definition that is right in itself.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::merged::{Databases, Merged, StrategyPatch};
use super::origin::Origin;
use crate::application::ports::grammar::Grammar;
use crate::contexts::sql::owns::Owns;
use crate::contexts::sql::{changes, documents, order_by, ownership};
use crate::domain::changes::Tracking;
use crate::domain::coding::{Compression, Format};
use crate::domain::database::Sql;
use crate::domain::key::KeyTemplate;
use crate::domain::namespace::OWN;
use crate::domain::standing::Kind;
use crate::domain::strategy::{Definition, Place, Shape, StrategyId, StrategySpec};
use crate::domain::style::Style;
use crate::domain::ttl;

/// The field that is wrong, and why.
pub(super) type Wrong = (&'static str, String);

/// What the code of a registered strategy says alone.
const CODE_SAYS: [&str; 19] = [
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
    "version_field",
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
        return Err((field, "the code of this strategy says it".to_owned()));
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
    owns: &Owns,
    databases: Databases<'_>,
) -> Result<Definition, Wrong> {
    let fields = merged.fields.clone();
    let key = key(fields.key.as_deref())?;
    let value = match fields.value.ok_or_else(|| missing("value"))? {
        Shape::Hash if fields.map_key.is_some() => Shape::HashOfRows,
        value => value,
    };
    check_limit(&fields, value)?;
    check_form(&fields, value)?;
    let style = style(&fields, value)?;
    let place = place(&fields, value)?;
    check_empty(&fields, value, &key)?;
    let ttl = ttl(fields.ttl.as_deref())?;
    if owns.entries().is_empty() {
        let context = &id.context;
        let why = format!("the context {context} owns no table; name some in owns, or drop it");
        return Err(("owns", why));
    }
    check_sql(&fields.sql, fields.order_by.as_deref(), owns, databases)?;
    // What a text means is known for one database.
    let text = match databases {
        [grammar] => fields.sql.of(grammar.name).map(|sql| (sql, *grammar)),
        _ => None,
    };
    let documents = text.map(|(sql, grammar)| documents::columns(sql, grammar));
    Ok(Definition {
        documents: documents.unwrap_or_default(),
        document_sql: text.and_then(|(sql, grammar)| documents::without_literals(sql, grammar)),
        tracking: tracking(text, &key, value),
        spec: StrategySpec {
            ttl,
            key,
            value,
            version_field: fields.version_field.map(Into::into),
            ..merged.spec(id)
        },
        types: fields.types.unwrap_or_default().into_iter().collect(),
        style,
        place,
        empty: fields.empty.unwrap_or(false),
        order_by: fields.order_by,
        limit: fields.limit,
        sql: fields.sql,
        row_security: fields.row_security.unwrap_or_default(),
        fault: None,
    })
}

fn missing(field: &'static str) -> Wrong {
    (field, "missing; every strategy needs one".to_owned())
}

fn key(key: Option<&str>) -> Result<KeyTemplate, Wrong> {
    let key = key.ok_or_else(|| missing("key"))?;
    let key: KeyTemplate = key.parse().map_err(|e| ("key", format!("{e}")))?;
    match key.literal_start().starts_with(OWN) {
        true => Err((
            "key",
            format!("keys that begin with `{OWN}` are shopwarm's own; take another name"),
        )),
        false => Ok(key),
    }
}

/// What does not go together with the shape of the value.
fn check_limit(fields: &StrategyPatch, value: Shape) -> Result<(), Wrong> {
    let limit = |why: &str| Err(("limit", why.to_owned()));
    match fields.limit {
        Some(0) => limit("0 would warm nothing; leave it out for all rows, or set enabled = false"),
        Some(_) if value.groups_rows() => limit(&format!(
            "a `{}` has none: it would cut rows, and so values; limit them in the SQL",
            value.name()
        )),
        _ if fields.version_field.is_some() && !matches!(value, Shape::Object | Shape::Hash) => {
            let why = "only the value of one row, `object` or `hash`, has a field for it";
            Err(("version_field", why.to_owned()))
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
            return Err(("compress_from", why.to_owned()));
        }
        Format::Json => return Ok(()),
        _ => "format",
    };
    if Kind::of(value) != Kind::Text {
        let why = "only for a value that Redis keeps as one string, not for this `value`";
        return Err((field, why.to_owned()));
    }
    if fields.version_field.is_some() {
        let why = format!(
            "the cache can compare versions only in plain JSON; leave out `{field}` or this"
        );
        return Err(("version_field", why));
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
        return Err(("fields", why.to_owned()));
    }
    for (name, value) in &mut fields {
        // The parser's own name for a date.
        if let Some(date) = value.get_mut(TOML_DATE).map(Json::take) {
            *value = date;
        }
        if matches!(value, Json::Null | Json::Array(_) | Json::Object(_)) {
            let why = format!("`{name}` is not a text, finite number, true, false or date");
            return Err(("fields", why));
        }
    }
    Ok(fields)
}

const TOML_DATE: &str = "$__toml_private_datetime";

/// Which columns say where in its key's value a row belongs.
fn place(fields: &StrategyPatch, value: Shape) -> Result<Place<String>, Wrong> {
    let given = [
        (
            "map_key",
            &fields.map_key,
            &[Shape::Map, Shape::HashOfRows][..],
        ),
        ("score", &fields.score, &[Shape::SortedSet]),
        ("tree_id", &fields.tree_id, &[Shape::Tree]),
        ("tree_parent", &fields.tree_parent, &[Shape::Tree]),
    ];
    for (field, column, shapes) in given {
        if column.is_some() && !shapes.contains(&value) {
            return Err((field, format!("a value `{}` has none", value.name())));
        }
    }
    let column = |field, column: &Option<String>| column.clone().ok_or_else(|| missing(field));
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
    let wrong = |why: &str| Err(("empty", why.to_owned()));
    match fields.empty {
        Some(true) if !matches!(value, Shape::List | Shape::Map | Shape::Tree) => {
            wrong("only a `list`, a `map` or a `tree` can be empty")
        }
        Some(true) if !key.columns().is_empty() => {
            wrong("without a row its key is not known: the key has columns")
        }
        _ => Ok(()),
    }
}

fn ttl(ttl: Option<&str>) -> Result<Option<Duration>, Wrong> {
    ttl.map(ttl::parse).transpose().map_err(|e| ("ttl", e))
}

/// How to track changes of a definition's selection on the connected database.
fn tracking(text: Option<(&str, &'static Grammar)>, key: &KeyTemplate, value: Shape) -> Tracking {
    let none = |why: &str| Tracking::None(why.to_owned());
    match (text, value) {
        (_, value) if value.groups_rows() => {
            none(&format!("a `{}` is made of several rows", value.name()))
        }
        _ if key.columns().is_empty() => none("it has one key only"),
        (Some((sql, grammar)), _) => changes::tracking(sql, grammar, &key.columns()),
        (None, _) => none("no database is configured"),
    }
}

/// Checks the texts for the connected database; without one, each text for a database of its own.
fn check_sql(
    sql: &Sql,
    order_by: Option<&str>,
    owns: &Owns,
    databases: Databases<'_>,
) -> Result<(), Wrong> {
    let texts = sql.texts();
    if texts.iter().all(|(_, text)| text.is_none()) {
        return Err(missing("sql"));
    }
    for grammar in databases {
        let field = |name: &str| {
            let mut texts = texts.iter();
            texts
                .find(|(field, _)| field.strip_prefix("sql.") == Some(name))
                .copied()
        };
        let (own, any) = (field(grammar.name), field("any"));
        let given = [own, any]
            .into_iter()
            .flatten()
            .find_map(|(field, text)| Some((field, text?)));
        let Some((field, text)) = given else {
            if let ([_], Some((field, _))) = (databases, own) {
                let name = grammar.name;
                return Err((
                    field,
                    format!("there is no SQL for {name}; add it, or sql.any"),
                ));
            }
            continue;
        };
        ownership::check(text, grammar, owns).map_err(|e| (field, e.to_string()))?;
        if let Some(columns) = order_by {
            order_by::order_by_columns(columns, grammar)
                .map_err(|e| ("order_by", e.to_string()))?;
        }
    }
    Ok(())
}
