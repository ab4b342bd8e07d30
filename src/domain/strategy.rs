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
use super::style::Style;

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
        Self {
            context: context.into(),
            name: name.into(),
        }
    }
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

/// The column that says where a row lies in the database, where the engine asks for it.
pub const ROW_LOCATION: &str = "_row_location";

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
        })
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

/// How a row becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// The row as a JSON object.
    Object,
    /// All rows of one key, in order, as a JSON array of objects.
    List,
    /// The one stored column as text.
    Text,
    /// A Redis hash, a field per column.
    Hash,
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
    pub document_sql: Option<String>,
    pub order_by: Option<String>,
    /// Rows, not keys.
    pub limit: Option<u64>,
    pub sql: Sql,
    pub row_security: RowSecurity,
    /// How to find changes of the selection, on the database that it was checked for.
    pub tracking: Tracking,
    /// Why it is invalid; the other fields hold what is known of it.
    pub fault: Option<Failure>,
}
