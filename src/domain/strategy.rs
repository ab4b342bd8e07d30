//! Strategies and the definitions that describe them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::changes::Tracking;
use super::coding::Coding;
use super::database::Sql;
use super::encode::Hint;
use super::failure::{Failure, FailureKind};
use super::key::{KeyTemplate, TemplateError};
use super::order_by::OrderBy;
use super::parameter::{Each, Statement, Vars};
use super::portion::DrivingTable;
use super::protection::NO_VERSION;
use super::style::Style;
use super::wildcard::matches;
use super::written::Fields;

/// The TTL if neither the definition nor the operator sets one.
pub const DEFAULT_TTL: Duration = Duration::from_hours(1);

/// `catalog/hot-products`: a strategy's name within its bounded context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrategyId {
    pub context: String,
    pub name: String,
}

impl StrategyId {
    pub fn new(context: impl Into<String>, name: impl Into<String>) -> Self {
        Self { context: context.into(), name: name.into() }
    }

    /// The id of the definition's repetition with these values: `catalog/product-page:en`.
    #[must_use]
    pub fn variant<'v>(&self, values: impl Iterator<Item = &'v str>) -> Self {
        let mut name = self.name.clone();
        for value in values {
            name.push(OF_VALUE);
            name.push_str(&plain(value));
        }
        Self::new(&self.context, name)
    }

    /// The id of the definition that it is a repetition of; of any other its own.
    #[must_use]
    pub fn family(&self) -> Self {
        let name = self.name.split(OF_VALUE).next().unwrap_or_default();
        Self::new(&self.context, name)
    }
}

/// Between a strategy's name and the values that it is repeated for.
pub const OF_VALUE: char = ':';

/// A value as a part of a name: what means something elsewhere is escaped as in URLs.
fn plain(value: &str) -> String {
    let mut name = String::new();
    for c in value.chars() {
        match c.is_alphanumeric() || "-_.@+".contains(c) {
            true => name.push(c),
            false => {
                let bytes = c.to_string().into_bytes();
                name.extend(bytes.iter().map(|byte| format!("%{byte:02X}")));
            }
        }
    }
    name
}

impl fmt::Display for StrategyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.context, self.name)
    }
}

/// The column that changes whenever its row does.
pub const VERSION: &str = "_version";

/// The column that says when a row changed.
pub const CHANGED_AT: &str = "_changed_at";

/// Names of contexts, strategies and jobs: a lower-case letter, then lower-case letters, digits, `-`
/// and `_`; at most 64 characters.
pub fn is_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(known)
}

/// What the engine must know of a strategy before it runs.
#[derive(Clone, Debug)]
pub struct StrategySpec {
    pub id: StrategyId,
    pub description: String,
    /// Higher first.
    pub priority: i32,
    /// `None`: the run's default.
    pub ttl: Option<Duration>,
    pub tags: Vec<String>,
    /// Fewer keys than this is a failure.
    pub min_keys: u64,
    pub key: KeyTemplate,
    pub value: Shape,
    /// Which bytes are stored of a value.
    pub coding: Coding,
    /// The stored field with a value's version: a newer value stays.
    pub version_field: Option<Arc<str>>,
    /// Which changes its version does not show, for people, as far as its text tells.
    pub uncovered: Option<Arc<str>>,
    /// The operator knows that nothing tells whether its rows change.
    pub unprotected_ok: bool,
}

impl StrategySpec {
    /// A strategy's context and name, and the template of its keys: `Greeting:{language}`.
    ///
    /// # Errors
    /// A [`FailureKind::Config`] failure where the template cannot be read.
    pub fn new(context: &str, name: &str, key: &str) -> Result<Self, Failure> {
        let id = StrategyId::new(context, name);
        let key = key.parse().map_err(|error: TemplateError| {
            let what = format!("{id} is not valid");
            Failure::new(FailureKind::Config, what, format!("key: {error}"))
        })?;
        Ok(Self {
            id,
            description: String::new(),
            priority: 0,
            ttl: None,
            tags: Vec::new(),
            min_keys: 1,
            key,
            value: Shape::Object,
            coding: Coding::default(),
            version_field: None,
            uncovered: None,
            unprotected_ok: false,
        })
    }

    /// Which changes a version that is there does not show.
    pub fn gap(&self) -> Option<&Arc<str>> {
        let gap = self.uncovered.as_ref();
        gap.filter(|why| why.as_ref() != NO_VERSION)
    }

    #[must_use]
    pub fn description(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    /// Higher runs earlier; 0 where none is given.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

/// How rows become a value.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Shape {
    /// The row as a JSON object.
    Object,
    /// All rows of one key, in order, as a JSON array.
    List,
    /// All rows of one key as a JSON object: each under the text of one of its columns.
    Map,
    /// All rows of one key as a JSON array of nested objects.
    Tree,
    /// The one stored column as text.
    Text,
    /// A Redis hash, a field per column.
    Hash,
    /// A Redis hash of all rows of one key, a field per row: `hash` with a `map_key`.
    #[serde(rename = "hash", skip_deserializing)]
    #[strum(serialize = "hash")]
    HashOfRows,
    /// A Redis set, a member per row.
    Set,
    /// A Redis sorted set, a member with its score per row.
    #[serde(rename = "zset")]
    #[strum(serialize = "zset")]
    SortedSet,
    /// The row as a document of RedisJSON.
    Json,
}

impl Shape {
    /// As a definition names it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether all rows of one key make its value together.
    pub fn groups_rows(self) -> bool {
        matches!(
            self,
            Self::List | Self::Map | Self::Tree | Self::HashOfRows | Self::Set | Self::SortedSet
        )
    }
}

/// Where in its key's value a row belongs, by columns: their names, or their indexes in a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place<C> {
    /// After the row before it, or the row is the value.
    #[default]
    Next,
    /// Under the text of `map_key`.
    Key(C),
    /// Among the children of the row that has the id `tree_parent`.
    Node { id: C, parent: C },
    /// By its score.
    Score(C),
}

impl<C> Place<C> {
    /// The same with other columns. `find` takes the field of the definition and its column.
    ///
    /// # Errors
    /// The first of `find`.
    pub fn try_map<D, E>(
        &self,
        find: impl Fn(&'static str, &C) -> Result<D, E>,
    ) -> Result<Place<D>, E> {
        Ok(match self {
            Self::Next => Place::Next,
            Self::Key(key) => Place::Key(find("map_key", key)?),
            Self::Node { id, parent } => {
                Place::Node { id: find("tree_id", id)?, parent: find("tree_parent", parent)? }
            }
            Self::Score(score) => Place::Score(find("score", score)?),
        })
    }
}

/// How to read a PostgreSQL table with row-level security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowSecurity {
    /// Reading it is an error.
    #[default]
    Refuse,
    /// Reads the rows that its policies show.
    Apply,
}

/// What a definition says of its `_changed_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// It covers everything that the value is made of.
    Trust,
}

/// What the operator knows of, and needs no warning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Accepted {
    Ok,
}

/// A strategy written as data, checked in itself (not yet against a database).
#[derive(Clone, Debug)]
pub struct Definition {
    pub spec: StrategySpec,
    pub types: Vec<(String, Hint)>,
    pub style: Style,
    /// Columns that come from JSON functions, in lower case; on the database that it was checked for.
    pub documents: Vec<String>,
    /// The SQL in which each choice between a column and JSON literals is the column alone: if that
    /// column is a document, so is the choice.
    pub document_sql: Option<Statement>,
    pub place: Place<String>,
    /// Whether its one key has a value where there is no row.
    pub empty: bool,
    pub order_by: OrderBy,
    /// Rows, not keys.
    pub limit: Option<u64>,
    pub sql: Sql,
    /// The SQL as it is run on the database that it was checked for.
    pub statement: Option<Statement>,
    /// The bytes of its text that are the WITH that it begins with.
    pub with_bytes: usize,
    /// The values of its parameters.
    pub vars: Vars,
    /// The parameters that it is repeated for, until their values are known.
    pub each: Vec<(String, Each)>,
    /// Which of its repetitions are selected.
    pub wanted: Wanted,
    /// Where its fields are written.
    pub written: Fields,
    /// Whether `_changed_at` covers all that a value is made of.
    pub trusts_changed_at: bool,
    /// The operator knows that the rows of its lists come in any order.
    pub unordered_ok: bool,
    pub row_security: RowSecurity,
    /// The table that it can be divided by; `Err`: why there is none, for people.
    pub driving_table: Result<DrivingTable, String>,
    /// How to find changes of the selection, on the database that it was checked for.
    pub tracking: Tracking,
    /// Why it is invalid; the other fields hold what is known of it.
    pub fault: Option<Failure>,
}

/// Which repetitions are selected, of a definition whose values only the database knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names and patterns of ids; empty: all.
    pub only: Vec<String>,
    pub except: Vec<String>,
}

impl Wanted {
    /// A name that means none of these ids.
    pub fn unknown(&self, ids: &[String]) -> Option<&String> {
        let mut names = self.only.iter().chain(&self.except);
        names.find(|name| !ids.iter().any(|id| matches(name, id)))
    }

    pub fn takes(&self, id: &StrategyId) -> bool {
        let id = id.to_string();
        let is_named = |names: &[String]| names.iter().any(|name| matches(name, &id));
        (self.only.is_empty() || is_named(&self.only)) && !is_named(&self.except)
    }
}

impl Definition {
    /// The SQL for a database, as it is run there.
    pub fn statement(&self, database: &str) -> Option<Statement> {
        let plain = || self.sql.of(database).map(Statement::plain);
        self.statement.clone().or_else(plain)
    }

    /// The table, if the definition can be read in portions.
    ///
    /// # Errors
    /// Why it cannot, for people.
    pub fn in_portions(&self) -> Result<&DrivingTable, String> {
        let why_not = [
            (self.limit.is_some(), "it has a limit"),
            (!self.order_by.is_empty(), "it has an order_by"),
            (self.row_security == RowSecurity::Apply, "row-level security selects its rows"),
            (self.spec.key.columns().is_empty(), "its key has no column"),
        ];
        match why_not.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, why)) => Err(why.to_owned()),
            None => self.driving_table.as_ref().map_err(Clone::clone),
        }
    }

    /// Which changes are not seen, for people, as far as its text tells. Rows that name their writers show
    /// all.
    pub fn gap(&self) -> Option<Arc<str>> {
        let is_seen = self.in_portions().is_ok_and(|table| table.alone.is_some());
        self.spec.uncovered.clone().filter(|_| !is_seen)
    }

    /// Whether the rows of its lists come in an order of the database's choice.
    pub fn is_unordered(&self) -> bool {
        let is_query = self.fault.is_none() && self.sql != Sql::default();
        let is_open = self.order_by.is_empty() && !self.unordered_ok;
        is_query && is_open && self.spec.value == Shape::List
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_named_by_its_values() {
        let id = StrategyId::new("catalog", "page");
        let variant = id.variant(["en-GB", "a/b, */", "ä"].into_iter());
        assert_eq!(variant.to_string(), "catalog/page:en-GB:a%2Fb%2C%20%2A%2F:ä");
        assert_eq!((variant.family(), id.family()), (id.clone(), id));
    }
}
