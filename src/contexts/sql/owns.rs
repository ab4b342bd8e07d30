//! The tables that a context may read.

use super::parameters::named;
use super::refusal::SqlRefused;
use crate::application::ports::grammar::Grammar;
use crate::domain::parameter::Vars;
use crate::domain::wildcard;

/// `owns` of a context: tables by their stored names, with a schema where the SQL names it so, and
/// patterns such as `oc_*`.
#[derive(Clone, Debug, Default)]
pub struct Owns(Option<Vec<String>>);

impl Owns {
    /// A context that says nothing may read any table.
    pub fn is_said(&self) -> bool {
        self.0.is_some()
    }

    pub fn add(&mut self, more: Vec<String>) {
        let all = self.0.get_or_insert_default();
        for entry in more {
            if !all.contains(&entry) {
                all.push(entry);
            }
        }
    }

    /// With the variables in its entries.
    ///
    /// # Errors
    /// A variable does not exist, or is no part of a name.
    pub fn filled(&self, vars: &Vars) -> Result<Self, SqlRefused> {
        let Some(entries) = &self.0 else {
            return Ok(Self(None));
        };
        let filled = entries.iter().map(|entry| named(entry, vars));
        Ok(Self(Some(filled.collect::<Result<_, _>>()?)))
    }

    /// As a file would say it.
    pub fn entries(&self) -> Vec<&str> {
        match &self.0 {
            Some(entries) => entries.iter().map(String::as_str).collect(),
            None => vec!["*"],
        }
    }

    /// Whether a table is owned, by the parts of its stored name.
    pub(super) fn covers(&self, table: &[String], grammar: &Grammar) -> bool {
        let table: Vec<&str> = table.iter().map(String::as_str).collect();
        self.entries().iter().any(|entry| *entry == "*" || is_entry(entry, &table, grammar))
    }

    /// The entry of which `table` looks like a slip, be it in spelling, case or schema.
    pub(super) fn nearest(&self, table: &str) -> Option<&str> {
        let alike = |a: &str, b: &str| {
            strsim::normalized_damerau_levenshtein(&a.to_ascii_lowercase(), &b.to_ascii_lowercase())
        };
        let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let entries = self.entries().into_iter();
        entries
            .filter(|entry| alike(&bare(entry), &bare(table)) >= 0.7)
            .max_by(|a, b| alike(a, table).total_cmp(&alike(b, table)))
    }
}

/// Whether an entry means a table, with or without the schema that names without one are in.
fn is_entry(entry: &str, table: &[&str], grammar: &Grammar) -> bool {
    let entry: Vec<&str> = entry.split('.').collect();
    let (entry, table) = (bare(&entry, grammar), bare(table, grammar));
    let is_same = |(entry, part): (&&str, &&str)| match grammar.is_case_sensitive {
        true => wildcard::matches(entry, part),
        false => wildcard::matches(&entry.to_ascii_lowercase(), &part.to_ascii_lowercase()),
    };
    entry.len() == table.len() && entry.iter().zip(table).all(is_same)
}

fn bare<'n, 'a>(name: &'n [&'a str], grammar: &Grammar) -> &'n [&'a str] {
    match name {
        [schema, table @ ..] if table.len() == 1 && *schema == grammar.default_schema => table,
        name => name,
    }
}
