//! A definition's SQL with its variables, checked for the database that is configured, or for all.

use std::collections::BTreeMap;

use super::merged::{Databases, ForEach, StrategyPatch};
use crate::application::ports::grammar::Grammar;
use crate::contexts::sql::owns::Owns;
use crate::contexts::sql::purity::is_varying_text;
use crate::contexts::sql::refusal::SqlRefused;
use crate::contexts::sql::{
    changes, columns, coverage, documents, driving_table, ownership, parameters, with,
};
use crate::domain::changes::Tracking;
use crate::domain::database::Sql;
use crate::domain::key::KeyTemplate;
use crate::domain::key_rows::KeyRows;
use crate::domain::parameter::{Each, Filled, Statement, Vars, is_parameter_name};
use crate::domain::place::Place;
use crate::domain::portion::DrivingTable;
use crate::domain::protection::NO_VERSION;
use crate::domain::strategy::{Shape, StrategyId, VERSION};
use crate::domain::written::Wrong;

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
    /// The text for each database.
    texts: Vec<(String, &'static Grammar)>,
    /// The names of its columns on each database, as far as its text tells.
    pub(super) columns: Vec<Vec<Option<String>>>,
    /// The variables that it uses.
    pub(super) vars: Vars,
    /// What it is repeated for.
    pub(super) each: Vec<(String, Each)>,
}

/// Checks the SQL of a definition.
pub(super) fn query(
    fields: &StrategyPatch,
    id: &StrategyId,
    around: &Around<'_>,
) -> Result<Query, Wrong> {
    let owns = around.owns.filled(around.vars);
    let owns = owns.map_err(|refused| Wrong::new("owns", refused))?;
    if owns.entries().is_empty() {
        let context = &id.context;
        let why = format!("the context {context} owns no table; list some in owns, or remove owns");
        return Err(Wrong::new("owns", why));
    }
    let each = fields.each.clone().unwrap_or_default();
    if let Some(name) = each.keys().find(|name| !is_parameter_name(name)) {
        let why = format!("`{name}` cannot be a name: letters, digits and _ only");
        return Err(Wrong::new("for", why));
    }
    let checks = Checks { owns: &owns, vars: around.vars, each: &each };
    let mut query = checks.texts(&fields.sql, around.databases)?;
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
    query.vars = vars.map(|(name, value)| (name.clone(), value.clone())).collect();
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

    /// Its text for the connected database; without one, those that are given.
    pub(super) fn sql(&self, given: Sql) -> Sql {
        match &self.text {
            Some((text, _)) => Sql::any(text),
            None => given,
        }
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

    /// The bytes of the statement that are the WITH that it begins with.
    pub(super) fn with_bytes(&self) -> usize {
        let bytes = self.text.as_ref().and_then(|(sql, grammar)| {
            let with = &sql[..with::leading_with(sql, grammar)];
            Some(parameters::statement(with, grammar).ok()?.sql.text.len())
        });
        bytes.unwrap_or(0)
    }

    /// Why its `_version` does not show all changes, as far as its text tells; a value of several rows
    /// is compared as a whole.
    pub(super) fn uncovered(&self, key: &KeyTemplate, value: Shape) -> Option<String> {
        let mut texts = self.texts.iter();
        texts.find_map(|(sql, grammar)| match names_version(sql) {
            false => Some(NO_VERSION.to_owned()),
            true if value.groups_rows() => None,
            true => coverage::uncovered(sql, grammar, &key.columns()),
        })
    }

    /// Whether a variable may mean the present moment.
    fn may_vary(&self) -> bool {
        self.vars.values().any(|value| is_varying_text(&value.to_string()))
    }

    /// The table of the connected database that it can be divided by; `Err`: why there is none,
    /// for people.
    pub(super) fn driving_table(&self, value: Shape) -> Result<DrivingTable, String> {
        match &self.text {
            None => Err("no database is configured".to_owned()),
            _ if value.groups_rows() => {
                Err(format!("a `{}` is made of several rows", value.name()))
            }
            _ if self.may_vary() => Err("a variable may mean the present moment".to_owned()),
            Some((sql, grammar)) => driving_table::driving_table(sql, grammar),
        }
    }

    /// How to track changes of the selection on the connected database. `is_trusted`: the operator
    /// says that `_changed_at` covers everything.
    pub(super) fn tracking(&self, key: &KeyTemplate, value: Shape, is_trusted: bool) -> Tracking {
        let none = |why: &str| Tracking::None(why.to_owned());
        let may_vary = self.may_vary();
        let Some((sql, grammar)) = &self.text else {
            return none("no database is configured");
        };
        match value.groups_rows() {
            true if !is_trusted => none(&format!("a `{}` is made of several rows", value.name())),
            _ if key.columns().is_empty() => none("it has one key only"),
            true => Tracking::Keys(KeyRows::default()),
            false if may_vary && !is_trusted => none("a variable may mean the present moment"),
            false if may_vary => Tracking::Keys(KeyRows::default()),
            false => match changes::tracking(sql, grammar, &key.columns()) {
                Tracking::None(_) | Tracking::Keys(_) if is_trusted => {
                    Tracking::Keys(KeyRows::default())
                }
                tracking => tracking,
            },
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
    /// Checks the text for the connected database. Without one, each text is checked for a database of
    /// its own, and a portable one must be valid for one at least: nobody knows yet which it is for.
    fn texts(&self, sql: &Sql, databases: Databases<'_>) -> Result<Query, Wrong> {
        let texts = sql.texts();
        if texts.iter().all(|(_, text)| text.is_none()) {
            return Err(Wrong::missing("sql"));
        }
        let mut query = Query::default();
        let mut refused = None;
        for grammar in databases {
            let field = |name: &str| {
                let mut texts = texts.iter();
                texts.find(|(field, _)| field.strip_prefix("sql.") == Some(name)).copied()
            };
            let (own, any) = (field(grammar.name), field("any"));
            let given =
                [own, any].into_iter().flatten().find_map(|(field, text)| Some((field, text?)));
            let Some((field, text)) = given else {
                if let ([_], Some((field, _))) = (databases, own) {
                    let name = grammar.name;
                    let why = format!("there is no SQL for {name}; add it, or sql.any");
                    return Err(Wrong::new(field, why));
                }
                continue;
            };
            let known =
                |name: &String| self.vars.contains_key(name) || self.each.contains_key(name);
            let statement = match self.statement((field, text), grammar, known, ownership::check) {
                Err(wrong) if databases.len() > 1 && field == "sql.any" => {
                    refused.get_or_insert(wrong);
                    continue;
                }
                statement => statement?,
            };
            let checked = statement.named.text.clone();
            query.columns.extend(columns::columns(&checked, grammar));
            query.texts.push((checked.clone(), *grammar));
            if databases.len() == 1 {
                query.text = Some((checked, *grammar));
                query.statement = Some(statement);
            }
        }
        match refused {
            Some(wrong) if query.texts.is_empty() => Err(wrong),
            _ => Ok(query),
        }
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
            let field = format!("for.{name}");
            statement = self.statement((&field, sql), grammar, known, ownership::check_reads)?;
        }
        Ok(Each::Query(statement))
    }

    /// The text of a field, checked for a database.
    fn statement(
        &self,
        (field, sql): (&str, &str),
        grammar: &'static Grammar,
        is_known: impl Fn(&String) -> bool,
        check: fn(&str, &'static Grammar, &Owns) -> Result<(), SqlRefused>,
    ) -> Result<Statement, Wrong> {
        let wrong = |named: &Filled, refused: SqlRefused| {
            let byte = refused.place().and_then(|place| place.byte(&named.text));
            let place = byte.map(|byte| Place::of(sql, named.origin(byte)));
            Wrong::new(field, &refused).within(place)
        };
        let named = parameters::with_names(sql, grammar, self.vars);
        let named = named.map_err(|refused| wrong(&Filled::of(sql), refused))?;
        let statement = parameters::statement(&named.text, grammar);
        let statement = statement.map_err(|refused| wrong(&named, refused))?;
        if let Some(name) = statement.names.iter().find(|name| !is_known(name)) {
            let known = self.vars.keys().chain(self.each.keys());
            let why = parameters::unknown(&format!(":{name}"), name, known);
            return Err(Wrong::new(field, why));
        }
        check(&named.text, grammar, self.owns).map_err(|refused| wrong(&named, refused))?;
        Ok(Statement { written: sql.to_owned(), named, ..statement })
    }
}

/// Whether a text has the column's name as a word.
fn names_version(sql: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    sql.split(|c| !is_part(c)).any(|word| word == VERSION)
}
