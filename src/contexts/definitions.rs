//! Definition files: parsed one by one, merged field by field, then checked as a whole.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SHIPPED, changes, coded, documents, ownership};
use crate::domain::Dialect;
use crate::domain::changes::Tracking;
use crate::domain::encode::Hint;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{KeyTemplate, OWN};
use crate::domain::settings_text::{parse_toml, parse_ttl};
use crate::domain::strategy::{
    Definition, RowSecurity, Shape, Sql, StrategyId, StrategySpec, VERSION, is_name,
};

/// Where a field's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Shipped,
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// All definitions, merged.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    contexts: BTreeMap<String, MergedContext>,
    /// What was merged, in order.
    files: Vec<PathBuf>,
    with_shipped: bool,
}

#[derive(Clone, Debug, Default)]
struct MergedContext {
    owns: Option<(Vec<String>, Origin)>,
    strategies: BTreeMap<String, Merged>,
}

/// A strategy's fields as they stand after merging, each with where it came from.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    fields: StrategyPatch,
    pub origins: BTreeMap<&'static str, Origin>,
    /// The last file that names it, whether or not it gives a field.
    named_in: Option<Origin>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    extends: Option<Base>,
    context: ContextTable,
    #[serde(default)]
    strategies: BTreeMap<String, StrategyPatch>,
}

/// What a file builds on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Base {
    Shipped,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextTable {
    name: String,
    owns: Option<Vec<String>>,
}

/// A strategy in one file: any part of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrategyPatch {
    description: Option<String>,
    key: Option<String>,
    value: Option<Shape>,
    priority: Option<i32>,
    ttl: Option<String>,
    tags: Option<Vec<String>>,
    min_keys: Option<u64>,
    enabled: Option<bool>,
    types: Option<BTreeMap<String, Hint>>,
    order_by: Option<String>,
    limit: Option<u64>,
    version_field: Option<String>,
    row_security: Option<RowSecurity>,
    sql: Option<SqlPatch>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlPatch {
    any: Option<String>,
    postgres: Option<String>,
    mysql: Option<String>,
    sqlite: Option<String>,
}

impl Merged {
    fn apply(&mut self, patch: StrategyPatch, origin: &Origin) {
        self.named_in = Some(origin.clone());
        macro_rules! take {
            ($($field:ident),*) => {$(
                if patch.$field.is_some() {
                    self.fields.$field = patch.$field;
                    self.origins.insert(stringify!($field), origin.clone());
                }
            )*};
        }
        take!(
            description,
            key,
            value,
            priority,
            ttl,
            tags,
            min_keys,
            enabled,
            types,
            order_by,
            limit,
            version_field,
            row_security
        );
        let Some(new) = patch.sql else { return };
        let sql = self.fields.sql.get_or_insert_default();
        // A new portable text stands for all databases: what was said for one of them before is
        // about another query.
        if new.any.is_some() {
            *sql = SqlPatch::default();
            self.origins.retain(|field, _| !field.starts_with("sql."));
        }
        macro_rules! take_sql {
            ($($dialect:ident),*) => {$(
                if new.$dialect.is_some() {
                    sql.$dialect = new.$dialect;
                    self.origins.insert(concat!("sql.", stringify!($dialect)), origin.clone());
                }
            )*};
        }
        take_sql!(any, postgres, mysql, sqlite);
    }

    pub fn is_enabled(&self) -> bool {
        self.fields.enabled.unwrap_or(true)
    }

    pub fn priority(&self) -> i32 {
        self.fields.priority.unwrap_or(0)
    }

    /// Whether its query says which version each row is, as far as its text tells; the text for this
    /// database, or else any of them.
    pub fn is_versioned(&self, dialect: Option<Dialect>) -> bool {
        let Some(sql) = &self.fields.sql else {
            return false;
        };
        let own = dialect.and_then(|dialect| match dialect {
            Dialect::Postgres => sql.postgres.as_ref(),
            Dialect::Mysql => sql.mysql.as_ref(),
            Dialect::Sqlite => sql.sqlite.as_ref(),
        });
        let all = [&sql.any, &sql.postgres, &sql.mysql, &sql.sqlite];
        let mut texts = all.into_iter().flatten();
        match own.or(sql.any.as_ref().filter(|_| dialect.is_some())) {
            Some(text) => names_version(text),
            None => texts.any(|text| names_version(text)),
        }
    }

    /// The file that gives a field; of one that is missing, the last file that names the strategy.
    fn origin(&self, field: &str) -> String {
        let origin = self.origins.get(field).or(self.named_in.as_ref());
        origin.map_or_else(String::new, ToString::to_string)
    }

    /// What is known of a strategy whose `field` is wrong.
    fn faulty(&self, id: &StrategyId, field: &'static str, why: &str) -> Definition {
        let fields = self.fields.clone();
        let key = fields.key.and_then(|key| key.parse().ok());
        let what = format!("{id} ({})", self.origin(field));
        Definition {
            spec: StrategySpec {
                id: id.clone(),
                description: fields.description.unwrap_or_default(),
                priority: fields.priority.unwrap_or(0),
                ttl: fields.ttl.and_then(|ttl| parse_ttl(&ttl).ok()),
                tags: fields.tags.unwrap_or_default(),
                min_keys: fields.min_keys.unwrap_or(1),
                key: key.unwrap_or_default(),
                value: fields.value.unwrap_or(Shape::Object),
                version_field: None,
            },
            types: Vec::new(),
            order_by: None,
            limit: None,
            documents: Vec::new(),
            document_sql: None,
            sql: Sql::default(),
            row_security: fields.row_security.unwrap_or_default(),
            tracking: Tracking::None("its definition is not valid".to_owned()),
            fault: Some(Failure::new(
                FailureKind::Config,
                what,
                format!("{field}: {why}"),
            )),
        }
    }

    /// Each field with its value as a definition file would write it.
    pub fn shown(&self) -> Vec<(&'static str, serde_json::Value)> {
        let f = &self.fields;
        let sql = f.sql.clone().unwrap_or_default();
        let types = f.types.as_ref().map(|types| {
            let shown = types
                .iter()
                .map(|(k, v)| (k.clone(), format!("{v:?}").to_lowercase().into()));
            serde_json::Value::Object(shown.collect())
        });
        let text = |text: &Option<String>| text.clone().map(Into::into);
        let all = [
            ("description", text(&f.description)),
            ("key", text(&f.key)),
            (
                "value",
                f.value.map(|v| format!("{v:?}").to_lowercase().into()),
            ),
            ("priority", f.priority.map(Into::into)),
            ("ttl", text(&f.ttl)),
            ("tags", f.tags.clone().map(Into::into)),
            ("min_keys", f.min_keys.map(Into::into)),
            ("enabled", f.enabled.map(Into::into)),
            ("types", types),
            ("order_by", text(&f.order_by)),
            ("limit", f.limit.map(Into::into)),
            ("version_field", text(&f.version_field)),
            (
                "row_security",
                f.row_security
                    .map(|v| format!("{v:?}").to_lowercase().into()),
            ),
            ("sql.any", text(&sql.any)),
            ("sql.postgres", text(&sql.postgres)),
            ("sql.mysql", text(&sql.mysql)),
            ("sql.sqlite", text(&sql.sqlite)),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

impl Definitions {
    /// The operator's definitions, merged in the order of their files; a folder stands for the
    /// `.toml` files in it, by name. The shipped ones are there where the operator has none, or
    /// below those of the operator where a file says `extends = "shipped"`.
    ///
    /// # Errors
    /// The first file that cannot be read or parsed, with file and line.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Failure> {
        ownership::ready()?;
        let mut own = Vec::new();
        for path in paths {
            for file in files(path)? {
                let text = std::fs::read_to_string(&file).map_err(|e| unreadable(&file, &e))?;
                let origin = Origin::File(file);
                own.push((parse(&text, &origin)?, origin));
            }
        }
        let mut all = Self {
            with_shipped: own.is_empty() || own.iter().any(|(file, _)| file.extends.is_some()),
            ..Self::default()
        };
        if all.with_shipped {
            for context in SHIPPED {
                all.add(
                    parse(context.definitions, &Origin::Shipped)?,
                    &Origin::Shipped,
                );
            }
        }
        for (file, origin) in own {
            all.add(file, &origin);
        }
        Ok(all)
    }

    fn add(&mut self, file: File, origin: &Origin) {
        if let Origin::File(path) = origin {
            self.files.push(path.clone());
        }
        let context = self.contexts.entry(file.context.name).or_default();
        if let Some(owns) = file.context.owns {
            context.owns = Some((owns, origin.clone()));
        }
        for (name, patch) in file.strategies {
            context
                .strategies
                .entry(name)
                .or_default()
                .apply(patch, origin);
        }
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

    /// The tables a context may read.
    pub fn owns(&self, context: &str) -> &[String] {
        let owns = self
            .contexts
            .get(context)
            .and_then(|context| context.owns.as_ref());
        owns.map_or(&[], |(owns, _)| owns)
    }

    /// The enabled definitions, complete and checked as far as that goes without a database.
    ///
    /// # Errors
    /// Everything that is wrong, a line each.
    pub fn validate(&self, dialect: Option<Dialect>) -> Result<Vec<Definition>, Failure> {
        let all = self.checked(dialect);
        match faults(&all) {
            None => Ok(all),
            Some(failure) => Err(failure),
        }
    }

    /// The enabled definitions, each with its fault where it has one.
    pub fn checked(&self, dialect: Option<Dialect>) -> Vec<Definition> {
        let enabled = self.merged().filter(|(_, merged)| merged.is_enabled());
        let check = |(id, merged): (StrategyId, &Merged)| {
            complete(&id, merged, self.owns(&id.context), dialect)
                .unwrap_or_else(|(field, why)| merged.faulty(&id, field, &why))
        };
        let mut all: Vec<Definition> = enabled.map(check).collect();
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
            let mut all = self.merged();
            let found = all.find(|(id, _)| *id == of.spec.id);
            found.map_or_else(String::new, |(_, merged)| merged.origin("key"))
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
    for fault in all
        .iter()
        .filter_map(|definition| definition.fault.as_ref())
    {
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

/// A definition file, its names checked.
fn parse(text: &str, origin: &Origin) -> Result<File, Failure> {
    let file: File = parse_toml(text, &origin.to_string())?;
    for name in file.strategies.keys().chain([&file.context.name]) {
        if !is_name(name) || name == "all" {
            let why = format!(
                "`{name}` cannot be a name: a lower-case letter, then lower-case letters, digits, \
                 - and _; not `all`"
            );
            return Err(Failure::new(FailureKind::Config, origin.to_string(), why));
        }
    }
    Ok(file)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| unreadable(path, &e))? {
        let file = entry.map_err(|e| unreadable(path, &e))?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        let what = format!("no definitions in {}", path.display());
        return Err(Failure::new(
            FailureKind::Config,
            what,
            "the folder has no .toml file",
        ));
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        FailureKind::Config,
        format!("cannot read {}", path.display()),
        error.to_string(),
    )
}

/// Whether a text has the column's name as a word.
fn names_version(sql: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    sql.split(|c| !is_part(c)).any(|word| word == VERSION)
}

/// A complete definition, or the field that is wrong and why.
fn complete(
    id: &StrategyId,
    merged: &Merged,
    owns: &[String],
    dialect: Option<Dialect>,
) -> Result<Definition, (&'static str, String)> {
    let fields = merged.fields.clone();
    let missing = |field| move || (field, "is missing".to_owned());
    let key: KeyTemplate = fields
        .key
        .ok_or_else(missing("key"))?
        .parse()
        .map_err(|e| ("key", format!("{e}")))?;
    if key.literal_start().starts_with(OWN) {
        let why = format!("keys that begin with `{OWN}` are shopwarm's own; take another name");
        return Err(("key", why));
    }
    let value = match (fields.value, coded(id).is_some()) {
        (Some(_), true) => return Err(("value", "this strategy makes its value itself".into())),
        (Some(value), false) => value,
        (None, true) => Shape::Object,
        (None, false) => return Err(missing("value")()),
    };
    if fields.limit == Some(0) {
        return Err((
            "limit",
            "0 would warm nothing; leave it out for all rows, or set enabled = false".into(),
        ));
    }
    if coded(id).is_some() && fields.limit.is_some() {
        return Err(("limit", "this strategy is made of all its rows".into()));
    }
    if value == Shape::List && fields.limit.is_some() {
        return Err((
            "limit",
            "a `list` has none: it would cut rows, and so lists; limit them in the SQL".into(),
        ));
    }
    if fields.version_field.is_some() && !matches!(value, Shape::Object | Shape::Hash) {
        return Err((
            "version_field",
            "only the value of one row, `object` or `hash`, has a field for it".into(),
        ));
    }
    let ttl = fields
        .ttl
        .as_deref()
        .map(parse_ttl)
        .transpose()
        .map_err(|e| ("ttl", e))?;
    if owns.is_empty() {
        return Err((
            "owns",
            format!(
                "the context {} owns no table; add owns = [...] to [context]",
                id.context
            ),
        ));
    }
    let sql = fields.sql.ok_or_else(missing("sql"))?;
    let sql = Sql {
        any: sql.any,
        postgres: sql.postgres,
        mysql: sql.mysql,
        sqlite: sql.sqlite,
    };
    check_sql(&sql, fields.order_by.as_deref(), owns, dialect)?;
    let text = dialect.and_then(|dialect| Some((sql.for_dialect(dialect)?, dialect)));
    let documents = text.map(|(sql, dialect)| documents::columns(sql, dialect));
    let document_sql = text.and_then(|(sql, dialect)| documents::without_literals(sql, dialect));
    Ok(Definition {
        documents: documents.unwrap_or_default(),
        document_sql,
        tracking: tracking(id, &sql, dialect, &key, value),
        spec: StrategySpec {
            id: id.clone(),
            description: fields.description.unwrap_or_default(),
            priority: fields.priority.unwrap_or(0),
            ttl,
            tags: fields.tags.unwrap_or_default(),
            min_keys: fields.min_keys.unwrap_or(1),
            key,
            value,
            version_field: fields.version_field.map(Into::into),
        },
        types: fields.types.unwrap_or_default().into_iter().collect(),
        order_by: fields.order_by,
        limit: fields.limit,
        sql,
        row_security: fields.row_security.unwrap_or_default(),
        fault: None,
    })
}

/// How changes of a definition's selection can be told on the connected database.
fn tracking(
    id: &StrategyId,
    sql: &Sql,
    dialect: Option<Dialect>,
    key: &KeyTemplate,
    value: Shape,
) -> Tracking {
    let none = |why: &str| Tracking::None(why.to_owned());
    let text = dialect.and_then(|dialect| Some((sql.for_dialect(dialect)?, dialect)));
    match (text, value) {
        _ if coded(id).is_some() => none("its value is made of all its rows"),
        (_, Shape::List) => none("a `list` is made of several rows"),
        _ if key.columns().is_empty() => none("it has one key only"),
        (Some((sql, dialect)), _) => changes::tracking(sql, dialect, &key.columns()),
        (None, _) => none("no database is configured"),
    }
}

/// Checks the texts for the connected database; without one, each text for a database of its own.
fn check_sql(
    sql: &Sql,
    order_by: Option<&str>,
    owns: &[String],
    dialect: Option<Dialect>,
) -> Result<(), (&'static str, String)> {
    let all = [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite];
    let of = |dialect| match dialect {
        Dialect::Postgres => ("sql.postgres", &sql.postgres),
        Dialect::Mysql => ("sql.mysql", &sql.mysql),
        Dialect::Sqlite => ("sql.sqlite", &sql.sqlite),
    };
    let checked: Vec<Dialect> = dialect.map_or(all.to_vec(), |dialect| vec![dialect]);
    for dialect in &checked {
        let (field, own) = of(*dialect);
        let (field, text) = match (own, &sql.any) {
            (Some(text), _) => (field, text),
            (None, Some(text)) => ("sql.any", text),
            (None, None) if checked.len() == 1 => {
                let why = format!("there is no SQL for {}; add it, or sql.any", dialect.name());
                return Err((field, why));
            }
            (None, None) => continue,
        };
        ownership::check(text, *dialect, owns).map_err(|e| (field, e.to_string()))?;
        if let Some(order_by) = order_by {
            ownership::order_by_columns(order_by, *dialect)
                .map_err(|e| ("order_by", e.to_string()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn merged(files: &[&str]) -> Result<Vec<Definition>, Failure> {
        let mut all = Definitions::default();
        for (i, text) in files.iter().enumerate() {
            let origin = Origin::File(format!("{i}.toml").into());
            all.add(parse(text, &origin)?, &origin);
        }
        all.validate(Some(Dialect::Postgres))
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
        let shipped = Definitions::load(&[]).expect("they parse");
        for dialect in [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite] {
            let ids: Vec<String> = match shipped.validate(Some(dialect)) {
                Ok(all) => all.iter().map(|d| d.spec.id.to_string()).collect(),
                Err(failure) => panic!("{}: {failure}", dialect.name()),
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
    fn overrides_merge_field_by_field() {
        let one = merged(&[
            BASE,
            "[context]\nname = \"shop\"\n[strategies.hot]\nlimit = 500",
        ])
        .expect("valid");
        assert_eq!(
            (one[0].limit, one[0].spec.ttl),
            (Some(500), Some(Duration::from_secs(7200)))
        );
        assert!(
            merged(&[
                BASE,
                "[context]\nname = \"shop\"\n[strategies.hot]\nenabled = false"
            ])
            .expect("valid")
            .is_empty()
        );
    }

    #[test]
    fn a_new_portable_text_replaces_the_old_one_for_every_database() {
        let base = BASE.replace("sql.any", "sql.postgres");
        let patch = "[context]\nname = \"shop\"\n[strategies.hot]\nsql.any = \"SELECT id FROM products WHERE id > 1\"";
        let all = merged(&[&base, patch]).expect("valid");
        assert!(
            all[0]
                .sql
                .for_dialect(Dialect::Postgres)
                .is_some_and(|sql| sql.ends_with("id > 1"))
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let with = |from: &str, to: &str| BASE.replace(from, to);
        for (text, expected) in [
            (
                with("ttl =", "tll ="),
                "0.toml, line 8: unknown field `tll`",
            ),
            (
                with("\"object\"", "\"objekt\""),
                "line 7: unknown variant `objekt`",
            ),
            (
                with("P:{id}", "P:{id"),
                "shop/hot (0.toml): key: `{` at character 3 is not closed",
            ),
            (
                with("2h", "2 parsecs"),
                "shop/hot (0.toml): ttl: `2 parsecs` is no duration",
            ),
            (with("\"object\"", "\"list\""), "limit: a `list` has none"),
            (with("FROM products", "FROM users"), "sql.any: "),
            (
                with("limit = 100", "limit = 0"),
                "limit: 0 would warm nothing",
            ),
            (
                with("owns = [\"products\"]", ""),
                "owns: the context shop owns no table",
            ),
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
            assert!(
                failure.to_string().contains(expected),
                "{expected}\n got {failure}"
            );
        }
        let failure = merged(&[&with("ttl =", "tll =")]).expect_err("unknown field");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `ttl`?"));
    }
}
