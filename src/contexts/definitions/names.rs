//! Whether a definition's fields name columns of its query, as far as the query's text tells.

use super::merged::StrategyPatch;
use crate::domain::key::KeyTemplate;
use crate::domain::order_by::OrderBy;
use crate::domain::strategy::{Place, Shape};
use crate::domain::written::Wrong;

/// What names columns.
pub(super) struct Names<'a> {
    pub(super) fields: &'a StrategyPatch,
    pub(super) key: &'a KeyTemplate,
    pub(super) place: &'a Place<String>,
    pub(super) order_by: &'a OrderBy,
    pub(super) value: Shape,
}

impl Names<'_> {
    /// Checks them against the query's columns on each database.
    pub(super) fn check_all(&self, databases: &[Vec<Option<String>>]) -> Result<(), Wrong> {
        let mut all = databases.iter();
        all.try_for_each(|columns| self.check(columns))
    }

    /// `columns`: those of the query; without a name those that the database names. Databases differ
    /// in the case that they report, so it decides nothing here.
    fn check(&self, columns: &[Option<String>]) -> Result<(), Wrong> {
        let is_stored = |name: &&Option<String>| name.as_ref().is_none_or(|n| !n.starts_with('_'));
        match (self.value, columns.iter().filter(is_stored).count()) {
            (Shape::Text, n) if n > 1 => return Err(Wrong::several_texts(n)),
            _ => {}
        }
        let known: Option<Vec<&str>> = columns.iter().map(Option::as_deref).collect();
        let Some(known) = known else {
            return Ok(());
        };
        let has = |name: &str| known.iter().any(|column| column.eq_ignore_ascii_case(name));
        let check = |field, name: &str| match has(name) {
            true => Ok(()),
            false => Err(Wrong::no_column(field, name, &known)),
        };
        for name in self.key.columns() {
            check("key", name)?;
        }
        for name in self.fields.types.iter().flatten().map(|(name, _)| name) {
            check("types", name)?;
        }
        self.place.try_map(|field, name| check(field, name))?;
        for term in &self.order_by.0 {
            check("order_by", &term.column)?;
        }
        match &self.fields.version_field {
            Some(name) => check("version_field", name),
            None => Ok(()),
        }
    }
}
