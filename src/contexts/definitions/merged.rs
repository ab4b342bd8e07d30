//! A strategy's fields as its files give them, one after the other.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::origin::Origin;
use crate::application::ports::grammar::Grammar;
use crate::domain::changes::Tracking;
use crate::domain::coding::{Coding, Compression, Format};
use crate::domain::database::Sql;
use crate::domain::encode::Hint;
use crate::domain::order_by::OrderBy;
use crate::domain::parameter::{Parameter, Vars};
use crate::domain::quantity::Quantity;
use crate::domain::strategy::{
    Accepted, Changed, Definition, Place, RowSecurity, Shape, StrategyId, StrategySpec, Wanted,
};
use crate::domain::style::{Dates, Numbers, Style};
use crate::domain::ttl;
use crate::domain::written::{Fields, Wrong};

/// The database that is configured, or all that are known where none is.
pub type Databases<'a> = &'a [&'static Grammar];

/// A strategy in one file: any part of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StrategyPatch {
    pub(super) description: Option<String>,
    pub(super) key: Option<String>,
    pub(super) value: Option<Shape>,
    pub(super) format: Option<Format>,
    pub(super) compress: Option<Compression>,
    pub(super) compress_from: Option<Quantity>,
    pub(super) priority: Option<i32>,
    #[serde(default, deserialize_with = "lifetime")]
    pub(super) ttl: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) min_keys: Option<u64>,
    pub(super) enabled: Option<bool>,
    pub(super) types: Option<BTreeMap<String, Hint>>,
    pub(super) numbers: Option<Numbers>,
    pub(super) dates: Option<Dates>,
    pub(super) fields: Option<Map<String, Value>>,
    pub(super) map_key: Option<String>,
    pub(super) tree_id: Option<String>,
    pub(super) tree_parent: Option<String>,
    pub(super) score: Option<String>,
    pub(super) empty: Option<bool>,
    pub(super) order_by: Option<String>,
    pub(super) limit: Option<u64>,
    pub(super) version_field: Option<String>,
    pub(super) changed: Option<Changed>,
    pub(super) unprotected: Option<Accepted>,
    pub(super) unordered: Option<Accepted>,
    pub(super) row_security: Option<RowSecurity>,
    #[serde(rename = "for")]
    pub(super) each: Option<BTreeMap<String, ForEach>>,
    #[serde(default, deserialize_with = "texts")]
    pub(super) sql: Sql,
}

/// What a parameter is repeated for.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ForEach {
    Values(Vec<Parameter>),
    Query(String),
}

impl<'de> Deserialize<'de> for ForEach {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Said;
        impl<'de> Visitor<'de> for Said {
            type Value = ForEach;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or a query over one column")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ForEach, E> {
                Ok(ForEach::Query(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ForEach, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(ForEach::Values(values))
            }
        }
        from.deserialize_any(Said)
    }
}

impl StrategyPatch {
    /// The fields that are given, by name; those of `sql` as `sql.any` and so on.
    fn shown(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        // Nothing in it has no JSON form.
        if let Ok(Value::Object(fields)) = serde_json::to_value(self) {
            for (field, value) in fields {
                match value {
                    Value::Object(texts) if field == "sql" => {
                        let texts = texts.into_iter().filter(|(_, text)| !text.is_null());
                        shown.extend(texts.map(|(name, text)| (format!("sql.{name}"), text)));
                    }
                    Value::Null => {}
                    value => drop(shown.insert(field, value)),
                }
            }
        }
        shown
    }

    fn of(shown: Map<String, Value>) -> Self {
        let mut fields = Map::new();
        let mut sql = Map::new();
        for (field, value) in shown {
            match field.strip_prefix("sql.") {
                Some(name) => sql.insert(name.to_owned(), value),
                None => fields.insert(field, value),
            };
        }
        fields.insert("sql".to_owned(), Value::Object(sql));
        serde_json::from_value(Value::Object(fields)).unwrap_or_default()
    }
}

/// A strategy's merged fields, each with its origin.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    pub(super) fields: StrategyPatch,
    pub origins: BTreeMap<String, Origin>,
    /// Where each is written.
    pub(super) written: Fields,
}

impl Merged {
    /// Takes the fields that a later file gives.
    pub(super) fn apply(&mut self, patch: &StrategyPatch, origin: &Origin, written: Fields) {
        // A new portable text stands for all databases: what was said for one of them before is about
        // another query.
        if patch.sql.own("any").is_some() {
            self.fields.sql = Sql::default();
            self.origins.retain(|field, _| !field.starts_with("sql."));
            let places = &mut self.written.0;
            places.retain(|field, _| !field.starts_with("sql."));
        }
        let mut fields = self.shown();
        for (field, value) in patch.shown() {
            self.origins.insert(field.clone(), origin.clone());
            fields.insert(field, value);
        }
        self.fields = StrategyPatch::of(fields);
        self.written.0.extend(written.0);
    }

    /// Turns it off, whatever its own files say.
    pub(super) fn disable(&mut self, origin: &Origin) {
        self.fields.enabled = Some(false);
        self.origins.insert("enabled".to_owned(), origin.clone());
    }

    /// Each field with its value as a definition file would write it.
    pub fn shown(&self) -> Map<String, Value> {
        self.fields.shown()
    }

    /// Whether it reads a database.
    pub fn has_sql(&self) -> bool {
        self.fields.sql != Sql::default()
    }

    pub fn is_enabled(&self) -> bool {
        self.fields.enabled.unwrap_or(true)
    }

    pub fn priority(&self) -> i32 {
        self.fields.priority.unwrap_or(0)
    }

    /// Whether it says that nothing protects it.
    pub fn is_known_unprotected(&self) -> bool {
        self.fields.unprotected.is_some()
    }

    /// What the engine must know of the strategy, as far as known.
    pub(super) fn spec(&self, id: &StrategyId) -> StrategySpec {
        let fields = self.fields.clone();
        let key = fields.key.and_then(|key| key.parse().ok());
        StrategySpec {
            id: id.clone(),
            description: fields.description.unwrap_or_default(),
            priority: self.priority(),
            ttl: fields.ttl.and_then(|ttl| ttl::parse(&ttl).ok()),
            tags: fields.tags.unwrap_or_default(),
            min_keys: fields.min_keys.unwrap_or(1),
            key: key.unwrap_or_default(),
            value: fields.value.unwrap_or(Shape::Object),
            coding: Coding {
                format: fields.format.unwrap_or_default(),
                compression: fields.compress.unwrap_or_default(),
                compress_from: fields.compress_from.map_or(0, |from| from.get() as usize),
            },
            version_field: None,
            uncovered: None,
            unprotected_ok: fields.unprotected.is_some(),
        }
    }

    /// What is known of a strategy that is not valid.
    pub(super) fn faulty(&self, id: &StrategyId, wrong: &Wrong) -> Definition {
        Definition {
            fault: Some(self.written.fault(&id.to_string(), wrong)),
            ..self.without_sql(id, "its definition is not valid")
        }
    }

    /// The definition of a strategy that has no query; `untracked`: why its changes cannot be told.
    pub(super) fn without_sql(&self, id: &StrategyId, untracked: &str) -> Definition {
        Definition {
            spec: self.spec(id),
            types: Vec::new(),
            style: Style::default(),
            place: Place::default(),
            empty: false,
            order_by: OrderBy::default(),
            limit: None,
            documents: Vec::new(),
            document_sql: None,
            sql: Sql::default(),
            statement: None,
            with_bytes: 0,
            vars: Vars::new(),
            each: Vec::new(),
            wanted: Wanted::default(),
            written: self.written.clone(),
            trusts_changed_at: self.fields.changed.is_some(),
            unordered_ok: self.fields.unordered.is_some(),
            row_security: self.fields.row_security.unwrap_or_default(),
            driving_table: Err(untracked.to_owned()),
            tracking: Tracking::None(untracked.to_owned()),
            fault: None,
        }
    }
}

/// One text for all databases, or a table of them.
fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Sql, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Sql;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a query, or a table such as sql.postgres")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Sql, E> {
            Ok(Sql::any(text))
        }

        fn visit_map<A: MapAccess<'de>>(self, texts: A) -> Result<Sql, A::Error> {
            Sql::deserialize(MapAccessDeserializer::new(texts))
        }
    }
    from.deserialize_any(Texts)
}

/// A text such as `2h`, or a number of seconds.
fn lifetime<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a duration such as \"2h\", a number of seconds, or \"none\""
    )]
    enum Said {
        Text(String),
        Seconds(u64),
    }
    Ok(Some(match Said::deserialize(from)? {
        Said::Text(text) => text,
        Said::Seconds(seconds) => format!("{seconds}s"),
    }))
}
