//! Definition files: parsed one by one, merged field by field, then checked as a whole.

mod complete;
mod file;
mod folder;
mod merged;
mod names;
mod origin;
mod places;
mod query;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use serde_json::Value;

use self::complete::{complete, whole};
use self::file::{File, of_code, parse, unreadable};
use self::folder::find;
pub use self::merged::{Databases, Merged};
pub use self::origin::Origin;
use self::query::Around;
use super::registry::Registry;
use super::shipped::SHIPPED;
pub use super::sql::owns::Owns;
use super::sql::parse::{on_deep_thread, ready};
use super::sql::refusal::SqlRefused;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::nearest::nearest;
use crate::domain::parameter::{Parameter, Vars};
use crate::domain::strategy::{Definition, StrategyId};
use crate::domain::written::Wrong;

/// All definitions, merged.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    contexts: BTreeMap<String, MergedContext>,
    /// The variables of all files.
    vars: BTreeMap<String, (Parameter, Origin)>,
    /// What was merged, in order.
    files: Vec<PathBuf>,
    /// Files in folders of definitions that are not read.
    ignored: Vec<PathBuf>,
    with_shipped: bool,
    /// The strategies that are code.
    registry: Registry,
}

#[derive(Clone, Debug, Default)]
struct MergedContext {
    owns: Owns,
    /// Whether it is on, and who says so.
    enabled: Option<(bool, Origin)>,
    strategies: BTreeMap<String, Merged>,
}

impl Definitions {
    /// The registered strategies and the operator's definitions, merged in the order of their files;
    /// a folder means the `.toml` files in it and its folders, by name. The shipped ones are there where there are no
    /// others, or below them where a file says `extends = "shipped"`.
    ///
    /// # Errors
    /// The first file that cannot be read or parsed, with file and line.
    pub fn load(paths: &[PathBuf], registry: &Registry) -> Result<Self, Failure> {
        ready()?;
        let mut own = Vec::new();
        for spec in registry.specs() {
            own.push((of_code(spec)?, Origin::Code));
        }
        let mut ignored = Vec::new();
        for path in paths {
            let found = find(path)?;
            ignored.extend(found.ignored);
            for file in found.files {
                let text = std::fs::read_to_string(&file).map_err(|e| unreadable(&file, &e))?;
                let origin = Origin::File(file);
                own.push((parse(&text, &origin)?, origin));
            }
        }
        let mut all = Self {
            with_shipped: own.is_empty()
                || registry.extends_shipped()
                || own.iter().any(|(file, _)| file.extends.is_some()),
            registry: registry.clone(),
            ignored,
            ..Self::default()
        };
        if all.with_shipped {
            for context in SHIPPED {
                all.add(parse(context.definitions, &Origin::Shipped)?, &Origin::Shipped)?;
            }
        }
        for (file, origin) in own {
            all.add(file, &origin)?;
        }
        for context in all.contexts.values_mut() {
            if let Some((false, origin)) = &context.enabled {
                let strategies = context.strategies.values_mut();
                strategies.for_each(|merged| merged.disable(origin));
            }
        }
        Ok(all)
    }

    fn add(&mut self, file: File, origin: &Origin) -> Result<(), Failure> {
        if let Origin::File(path) = origin {
            self.files.push(path.clone());
        }
        for (name, value) in file.vars {
            let earlier = self.vars.entry(name.clone());
            let (known, other) = earlier.or_insert_with(|| (value.clone(), origin.clone()));
            if *known != value {
                let what = format!("{origin} and {other} give {name} two values");
                let why = format!("`{value}` and `{known}`; variables hold for all files");
                return Err(Failure::new(FailureKind::Config, what, why)
                    .hint("use two names, or set the value in shopwarm.toml or with --var"));
            }
        }
        let Some(table) = file.context else {
            return Ok(());
        };
        let context = self.contexts.entry(table.name).or_default();
        if let Some(owns) = table.owns {
            context.owns.add(owns);
        }
        if let Some(enabled) = table.enabled {
            context.enabled = Some((enabled, origin.clone()));
        }
        for (name, patch) in file.strategies {
            let places = file.places.get(&name);
            let merged = context.strategies.entry(name).or_default();
            merged.apply(&patch, origin, places.cloned().unwrap_or_default());
        }
        Ok(())
    }

    /// The values of all variables: those that are given, over those of the files.
    fn vars(&self, given: &Vars) -> Vars {
        let mut vars: Vars = given.clone();
        for (name, (value, _)) in &self.vars {
            let given = vars.remove(name);
            let value = given.map_or_else(|| value.clone(), |given| given.like(value));
            vars.insert(name.clone(), value);
        }
        vars
    }

    /// Checks the variables that are given: `given` of a name that nothing uses would do nothing.
    ///
    /// # Errors
    /// The first that nothing uses, or that is not of the type that a file gives it.
    pub fn check_vars(&self, given: &Vars) -> Result<(), Failure> {
        let refused = |name: &String, why: String| {
            Failure::new(FailureKind::Config, format!("the variable {name}"), why)
        };
        let mut texts: Vec<String> = Vec::new();
        for context in self.contexts.values() {
            texts.extend(context.owns.entries().into_iter().map(str::to_owned));
            let strategies = context.strategies.values();
            texts.extend(strategies.map(|merged| Value::Object(merged.shown()).to_string()));
        }
        for (name, value) in given {
            if let Some((base, origin)) = self.vars.get(name)
                && !value.clone().like(base).is_like(base)
            {
                let why = format!("`{value}` is not of the type that {origin} gives it (`{base}`)");
                return Err(refused(name, why));
            }
            let is_used = |text: &String| {
                text.contains(&format!(":{name}")) || (text.contains("{{") && text.contains(name))
            };
            if !self.vars.contains_key(name) && !texts.iter().any(is_used) {
                let what = format!(
                    "no definition uses the variable {name} (as :{name} or {{{{{name}}}}})"
                );
                let failure = Failure::new(FailureKind::Config, what, "");
                return Err(match nearest(name, self.vars.keys().map(String::as_str)) {
                    Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                    None => failure,
                });
            }
        }
        Ok(())
    }

    /// The variables that the files give a value.
    pub fn var_names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().map(String::as_str)
    }

    /// Whether the shipped definitions are among them.
    pub fn with_shipped(&self) -> bool {
        self.with_shipped
    }

    /// Every strategy, enabled or not, in order of context and name.
    pub fn merged(&self) -> impl Iterator<Item = (StrategyId, &Merged)> {
        self.contexts.iter().flat_map(|(context, merged)| {
            let strategies = merged.strategies.iter();
            strategies.map(move |(name, merged)| (StrategyId::new(context, name), merged))
        })
    }

    /// The operator's files, in the order in which they were merged.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The files in the operator's folders that are not read.
    pub fn ignored(&self) -> &[PathBuf] {
        &self.ignored
    }

    /// The tables a context may read.
    pub fn owns(&self, context: &str) -> Owns {
        let context = self.contexts.get(context);
        context.map_or_else(Owns::default, |context| context.owns.clone())
    }

    /// The contexts with queries that say nothing about the tables that they may read.
    pub fn unbounded(&self) -> Vec<&str> {
        let reads = |context: &MergedContext| context.strategies.values().any(Merged::has_sql);
        let contexts = self.contexts.iter();
        contexts
            .filter(|(_, context)| !context.owns.is_said() && reads(context))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The enabled definitions, complete and checked as far as that goes without a database.
    ///
    /// # Errors
    /// Everything that is wrong, a line each.
    pub fn validate(
        &self,
        databases: Databases<'_>,
        given: &Vars,
    ) -> Result<Vec<Definition>, Failure> {
        let all = self.checked(databases, given);
        match faults(&all) {
            None => Ok(all),
            Some(failure) => Err(failure),
        }
    }

    /// The enabled definitions, each with its fault where it has one. One that is repeated for values
    /// is one for each, unless only the database knows the values. `given`: values of variables.
    pub fn checked(&self, databases: Databases<'_>, given: &Vars) -> Vec<Definition> {
        let checked = on_deep_thread(|| self.checked_here(databases, given));
        checked.unwrap_or_else(|refused| self.all_faulty(&refused))
    }

    fn all_faulty(&self, refused: &SqlRefused) -> Vec<Definition> {
        let wrong = Wrong::new("sql", refused);
        self.enabled().map(|(id, merged)| merged.faulty(&id, &wrong)).collect()
    }

    fn enabled(&self) -> impl Iterator<Item = (StrategyId, &Merged)> {
        self.merged().filter(|(_, merged)| merged.is_enabled())
    }

    fn checked_here(&self, databases: Databases<'_>, given: &Vars) -> Vec<Definition> {
        let vars = &self.vars(given);
        let check = |(id, merged): (StrategyId, &Merged)| {
            if self.registry.get(&id).is_some() {
                let whole = whole(&id, merged);
                return vec![whole.unwrap_or_else(|wrong| merged.faulty(&id, &wrong))];
            }
            let around = Around { owns: &self.owns(&id.context), vars, databases };
            let complete =
                complete(&id, merged, &around).and_then(|definition| match definition.is_open() {
                    true => Ok(vec![definition]),
                    false => definition.repeated(),
                });
            complete.unwrap_or_else(|wrong| vec![merged.faulty(&id, &wrong)])
        };
        let mut all: Vec<Definition> = self.enabled().flat_map(check).collect();
        for (earlier, later) in same_keys(&all) {
            let why = self.both_make(&all[earlier], &all[later]);
            // Neither is known to be the one that is meant.
            for index in [earlier, later] {
                all[index].fault.get_or_insert_with(|| why.clone());
            }
        }
        all
    }

    fn both_make(&self, one: &Definition, other: &Definition) -> Failure {
        let file = |of: &Definition| {
            let written = of.written.get("key");
            written.map_or_else(|| "code".to_owned(), |written| written.at(None))
        };
        let (one, other, files) = (&one.spec, &other.spec, [file(one), file(other)]);
        let what = format!("{} and {} make the same keys", one.id, other.id);
        let why = format!("{} and {} (in {})", one.key, other.key, files.join(" and "));
        Failure::new(FailureKind::Config, what, why)
    }
}

/// What is wrong with any of some definitions, a line each.
pub fn faults(all: &[Definition]) -> Option<Failure> {
    let mut lines: Vec<String> = Vec::new();
    for fault in all.iter().filter_map(|definition| definition.fault.as_ref()) {
        let line = fault.to_string();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let what = match lines.len() {
        0 => return None,
        1 => "1 definition is not valid".to_owned(),
        n => format!("{n} definitions are not valid"),
    };
    Some(Failure::new(FailureKind::Config, what, lines.join("\n  ")))
}

/// Pairs of definitions that would write over each other's keys.
fn same_keys(all: &[Definition]) -> Vec<(usize, usize)> {
    let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
    let mut pairs = Vec::new();
    for (index, definition) in all.iter().enumerate().filter(|(_, d)| d.fault.is_none()) {
        match shapes.entry(definition.spec.key.shape()) {
            Entry::Occupied(earlier) => pairs.push((*earlier.get(), index)),
            Entry::Vacant(place) => {
                place.insert(index);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    fn merged(files: &[&str]) -> Result<Vec<Definition>, Failure> {
        let mut all = Definitions::default();
        for (i, text) in files.iter().enumerate() {
            let origin = Origin::File(format!("{i}.toml").into());
            all.add(parse(text, &origin)?, &origin)?;
        }
        all.validate(&[POSTGRES], &Vars::new())
    }

    const BASE: &str = r#"
        [context]
        name = "shop"
        owns = ["products"]
        [strategies.hot]
        key = "P:{id}"
        value = "object"
        ttl = "2h"
        limit = 100
        sql.any = "SELECT id FROM products"
    "#;

    #[test]
    fn shipped_definitions_are_valid_for_every_database() {
        let shipped = Definitions::load(&[], &Registry::default()).expect("they parse");
        for database in [POSTGRES, MYSQL, SQLITE] {
            let ids: Vec<String> = match shipped.validate(&[database], &Vars::new()) {
                Ok(all) => all.iter().map(|d| d.spec.id.to_string()).collect(),
                Err(failure) => panic!("{}: {failure}", database.name),
            };
            assert_eq!(
                ids,
                [
                    "catalog/categories",
                    "catalog/category-list",
                    "catalog/category-tree",
                    "catalog/hot-products",
                    "catalog/recommendations",
                    "identity/active-user-sessions",
                    "ordering/recent-orders",
                ]
            );
        }
    }

    #[test]
    fn without_a_thread_no_definition_passes_unchecked() {
        let all = Definitions::load(&[], &Registry::default()).expect("the shipped ones");
        let checked = all.all_faulty(&SqlRefused::NoThread("no memory".to_owned()));
        assert_eq!(checked.len(), all.checked(&[POSTGRES], &Vars::default()).len());
        for definition in checked {
            let fault = definition.fault.map(|fault| fault.to_string()).unwrap_or_default();
            let id = definition.spec.id.to_string();
            assert!(fault.contains(&id) && fault.contains("no memory"), "{id}: {fault}");
        }
    }

    #[test]
    fn overrides_merge_field_by_field() {
        let one = merged(&[BASE, "[context]\nname = \"shop\"\n[strategies.hot]\nlimit = 500"])
            .expect("valid");
        assert_eq!((one[0].limit, one[0].spec.ttl), (Some(500), Some(Duration::from_hours(2))));
        assert!(
            merged(&[BASE, "[context]\nname = \"shop\"\n[strategies.hot]\nenabled = false"])
                .expect("valid")
                .is_empty()
        );
    }

    #[test]
    fn a_new_portable_text_replaces_the_old_one_for_every_database() {
        let base = BASE.replace("sql.any", "sql.postgres");
        let patch = "[context]\nname = \"shop\"\n[strategies.hot]\nsql.any = \"SELECT id FROM products WHERE id > 1\"";
        let all = merged(&[&base, patch]).expect("valid");
        assert!(all[0].sql.of("postgres").is_some_and(|sql| sql.ends_with("id > 1")));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let with = |from: &str, to: &str| BASE.replace(from, to);
        for (text, expected) in [
            (with("ttl =", "tll ="), "0.toml, line 8: unknown field `tll`"),
            (with("\"object\"", "\"objekt\""), "line 7: unknown value `objekt`: use one of "),
            (
                with("P:{id}", "P:{id"),
                "shop/hot: 0.toml, line 6: key: `{` at character 3 is not closed",
            ),
            (
                with("2h", "2 parsecs"),
                "shop/hot: 0.toml, line 8: ttl: `2 parsecs` is not a duration",
            ),
            (with("\"object\"", "\"list\""), "limit: a `list` has none"),
            (with("FROM products", "FROM users"), "sql.any: "),
            (with("limit = 100", "limit = 0"), "limit: 0 would warm nothing"),
            (with("owns = [\"products\"]", "owns = []"), "owns: the context shop owns no table"),
            (with("\"shop\"", "\"Shop\""), "`Shop` cannot be a name"),
            (with("\"shop\"", "\"all\""), "`all` cannot be a name"),
            (
                format!(
                    "{BASE}\n[strategies.cold]\nkey = \"P:{{x}}\"\nvalue = \"object\"\nsql.any = \"SELECT x FROM products\""
                ),
                "shop/cold and shop/hot make the same keys",
            ),
        ] {
            let failure = merged(&[&text]).expect_err(expected);
            assert!(failure.to_string().contains(expected), "{expected}\n got {failure}");
        }
        let failure = merged(&[&with("ttl =", "tll =")]).expect_err("unknown field");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `ttl`?"));
    }
}
