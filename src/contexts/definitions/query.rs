//! A definition's SQL with its variables, checked for the database that is configured, or for all.

use std::collections::BTreeMap;

use super::merged::{Databases, ForEach, StrategyPatch};
use crate::application::ports::grammar::Grammar;
use crate::contexts::sql::owns::Owns;
use crate::contexts::sql::purity::is_varying_text;
use crate::contexts::sql::refusal::SqlRefused;
use crate::contexts::sql::{changes, documents, order_by, ownership, parameters};
use crate::domain::changes::Tracking;
use crate::domain::database::Sql;
use crate::domain::key::KeyTemplate;
use crate::domain::parameter::{Each, Statement, Vars, is_parameter_name};
use crate::domain::strategy::{Shape, StrategyId};

/// The field that is wrong, and why.
pub(super) type Wrong = (&'static str, String);

/// What a definition is completed with.
pub(super) struct Around<'a> {
    pub(super) owns: &'a Owns,
    /// The values of variables.
    pub(super) vars: &'a Vars,
    pub(super) databases: Databases<'a>,
}

/// A query that was checked.
#[derive(Default)]
pub(super) struct Query {
    /// Its text, with the database: what a text means is known for one only.
    pub(super) text: Option<(String, &'static Grammar)>,
    pub(super) statement: Option<Statement>,
    /// The variables that it uses.
    pub(super) vars: Vars,
    /// What it is repeated for.
    pub(super) each: Vec<(String, Each)>,
}

pub(super) fn missing(field: &'static str) -> Wrong {
    (field, "missing; every strategy needs one".to_owned())
}

/// Checks the SQL of a definition.
pub(super) fn query(
    fields: &StrategyPatch,
    id: &StrategyId,
    around: &Around<'_>,
) -> Result<Query, Wrong> {
    let owns = around.owns.filled(around.vars);
    let owns = owns.map_err(|refused| ("owns", refused.to_string()))?;
    if owns.entries().is_empty() {
        let context = &id.context;
        let why = format!("the context {context} owns no table; name some in owns, or drop it");
        return Err(("owns", why));
    }
    let each = fields.each.clone().unwrap_or_default();
    if let Some(name) = each.keys().find(|name| !is_parameter_name(name)) {
        let why = format!("`{name}` cannot be a name: letters, digits and _ only");
        return Err(("for", why));
    }
    let checks = Checks {
        owns: &owns,
        vars: around.vars,
        each: &each,
    };
    let order_by = fields.order_by.as_deref();
    let mut query = Query {
        text: checks.texts(&fields.sql, order_by, around.databases)?,
        ..Query::default()
    };
    if let Some((text, grammar)) = &query.text {
        let statement = parameters::statement(text, grammar);
        query.statement = Some(statement.map_err(|e| ("sql", e.to_string()))?);
    }
    for (name, for_each) in &each {
        let values = checks.values(name, for_each, around.databases)?;
        query.each.push((name.clone(), values));
    }
    let statements = query.each.iter().filter_map(|(_, each)| match each {
        Each::Query(statement) => Some(statement),
        Each::Values(_) => None,
    });
    let statements = statements.chain(&query.statement);
    let used: Vec<String> = statements.flat_map(|s| s.names.clone()).collect();
    let vars = around.vars.iter();
    let is_used = |name: &&String| used.contains(name) && !each.contains_key(*name);
    let vars = vars.filter(|(name, _)| is_used(name));
    query.vars = vars
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(query)
}

impl Query {
    /// The key's template with the variables that the SQL uses, and without what it is repeated for.
    pub(super) fn keys(&self, key: KeyTemplate) -> (KeyTemplate, KeyTemplate) {
        let mut filled = key;
        for (name, value) in &self.vars {
            filled = filled.filled(name, &value.to_string());
        }
        let mut of_rows = filled.clone();
        for (name, _) in &self.each {
            of_rows = of_rows.filled(name, name);
        }
        (filled, of_rows)
    }

    pub(super) fn documents(&self) -> Vec<String> {
        let text = self.text.as_ref();
        text.map_or_else(Vec::new, |(sql, grammar)| documents::columns(sql, grammar))
    }

    pub(super) fn document_sql(&self) -> Option<Statement> {
        let (sql, grammar) = self.text.as_ref()?;
        let sql = documents::without_literals(sql, grammar)?;
        parameters::statement(&sql, grammar).ok()
    }

    /// How to track changes of the selection on the connected database.
    pub(super) fn tracking(&self, key: &KeyTemplate, value: Shape) -> Tracking {
        let none = |why: &str| Tracking::None(why.to_owned());
        let may_vary = self
            .vars
            .values()
            .any(|value| is_varying_text(&value.to_string()));
        match (&self.text, value) {
            (_, value) if value.groups_rows() => {
                none(&format!("a `{}` is made of several rows", value.name()))
            }
            _ if key.columns().is_empty() => none("it has one key only"),
            _ if may_vary => none("a variable may mean the present moment"),
            (Some((sql, grammar)), _) => changes::tracking(sql, grammar, &key.columns()),
            (None, _) => none("no database is configured"),
        }
    }
}

/// What texts are checked with.
struct Checks<'a> {
    owns: &'a Owns,
    vars: &'a Vars,
    each: &'a BTreeMap<String, ForEach>,
}

impl Checks<'_> {
    /// Checks the texts for the connected database, and returns it; without one, each text for a
    /// database of its own.
    fn texts(
        &self,
        sql: &Sql,
        order_by: Option<&str>,
        databases: Databases<'_>,
    ) -> Result<Option<(String, &'static Grammar)>, Wrong> {
        let texts = sql.texts();
        if texts.iter().all(|(_, text)| text.is_none()) {
            return Err(missing("sql"));
        }
        let mut only = None;
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
                    let why = format!("there is no SQL for {name}; add it, or sql.any");
                    return Err((field, why));
                }
                continue;
            };
            let known =
                |name: &String| self.vars.contains_key(name) || self.each.contains_key(name);
            let checked = self
                .text(text, grammar, known, ownership::check)
                .map_err(|why| (field, why))?;
            only = (databases.len() == 1).then_some((checked, *grammar));
            if let Some(columns) = order_by {
                order_by::order_by_columns(columns, grammar)
                    .map_err(|e| ("order_by", e.to_string()))?;
            }
        }
        Ok(only)
    }

    /// Checks what a parameter is repeated for.
    fn values(&self, name: &str, each: &ForEach, databases: Databases<'_>) -> Result<Each, Wrong> {
        let sql = match each {
            ForEach::Values(values) => return Ok(Each::Values(values.clone())),
            ForEach::Query(sql) => sql,
        };
        let mut statement = Statement::plain(sql);
        for grammar in databases {
            let known = |name: &String| self.vars.contains_key(name);
            let checked = self.text(sql, grammar, known, ownership::check_reads);
            let checked = checked
                .and_then(|text| parameters::statement(&text, grammar).map_err(|e| e.to_string()));
            statement = checked.map_err(|why| ("for", format!("{name}: {why}")))?;
        }
        Ok(Each::Query(statement))
    }

    /// A text with its names filled in, checked for a database.
    fn text(
        &self,
        sql: &str,
        grammar: &'static Grammar,
        is_known: impl Fn(&String) -> bool,
        check: fn(&str, &'static Grammar, &Owns) -> Result<(), SqlRefused>,
    ) -> Result<String, String> {
        let text = parameters::with_names(sql, grammar, self.vars).map_err(|e| e.to_string())?;
        let statement = parameters::statement(&text, grammar).map_err(|e| e.to_string())?;
        if let Some(name) = statement.names.iter().find(|name| !is_known(name)) {
            let known = self.vars.keys().chain(self.each.keys());
            return Err(parameters::unknown(&format!(":{name}"), name, known));
        }
        check(&text, grammar, self.owns).map_err(|e| e.to_string())?;
        Ok(text)
    }
}
