//! Reads off a definition's SQL how its changes can be told.
//!
//! A run that reads only what changed must find every key whose value or presence a full run would
//! find changed. Where the text does not show that it can, the answer is that it cannot: a full read
//! is always right. Only what stands in the text can be seen; of a view, a trigger or a server's own
//! function nothing is known, and `_changed_at` is taken at its word.

mod key_rows;

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
    TableWithJoins, Value, Visit, Visitor, WildcardAdditionalOptions,
};

use key_rows::{is_varying_text, key_rows, may_be_text};

use super::ownership::{self, SqlRefused, identifiers, lists, parse, stored_name};
use crate::domain::Dialect;
use crate::domain::changes::{TrackedTable, Tracking};
use crate::domain::key_rows::TableName;

/// The column that says when a row changed.
const CHANGED_AT: &str = "_changed_at";

/// Functions that give the same for the same arguments, and read nothing else.
const PURE_FUNCTIONS: &str = "abs btrim ceil ceiling char_length character_length coalesce concat \
    concat_ws convert floor greatest hex if ifnull iif instr json json_array json_build_array \
    json_build_object json_extract json_object json_quote json_unquote jsonb_build_array \
    jsonb_build_object least left length lower lpad ltrim md5 mod nullif octet_length printf replace \
    reverse right round row_to_json rpad rtrim sign split_part strpos substr substring to_json \
    to_jsonb trim trunc upper";

/// The same where they have several arguments; with one they are aggregates.
const PURE_OF_SEVERAL: &str = "max min";

/// Words that some databases read as the present moment or user, without parentheses.
const VARYING_WORDS: &str = "current_catalog current_date current_role current_schema current_time \
    current_timestamp current_user localtime localtimestamp session_user sysdate system_user user \
    utc_date utc_time utc_timestamp";

/// How changes of what a checked query selects can be told. `keys`: the columns of the key's
/// template.
pub fn tracking(sql: &str, dialect: Dialect, keys: &[&str]) -> Tracking {
    let read = || -> Result<Tracking, SqlRefused> {
        let text = ownership::harmless_text(sql, dialect)?;
        ownership::on_deep_stack(|| {
            let query = parse(&text, dialect, |parser| parser.parse_query())?;
            Ok(of_query(&query, dialect, keys).unwrap_or_else(|why| Tracking::None(why.into())))
        })
    };
    read().unwrap_or_else(|refused| Tracking::None(refused.to_string()))
}

/// Why not, for people.
type Why = &'static str;

fn of_query(query: &Query, dialect: Dialect, keys: &[&str]) -> Result<Tracking, Why> {
    let select = plain_select(query)?;
    let reading = Reading {
        dialect,
        select,
        tables: tables(&select.from, dialect)?,
    };
    let changed_at = reading
        .column(CHANGED_AT)
        .ok_or("it selects no column `_changed_at`")?;
    for item in &select.projection {
        reading.check_item(item)?;
    }
    let named: Vec<_> = keys.iter().map(|key| (*key, reading.column(key))).collect();
    let tables = reading.tables.iter();
    let tables = tables.map(|table| (table.name(), table.alias.clone()));
    let rows = key_rows(dialect, select, tables.collect(), &named);
    match reading.tables.as_slice() {
        [table] => Ok(match reading.rows(table, changed_at, keys) {
            Ok(table) => Tracking::Rows(table, rows),
            Err(_) => Tracking::Keys(rows),
        }),
        _ => {
            reading.check_joins(changed_at)?;
            Ok(Tracking::Keys(rows))
        }
    }
}

/// The one SELECT that a query is, where each of its rows comes of one row of each table.
fn plain_select(query: &Query) -> Result<&Select, Why> {
    if query.with.is_some() {
        return Err("it has a WITH");
    }
    let select = match &*query.body {
        SetExpr::Select(select) => select,
        SetExpr::Query(inner) => return plain_select(inner),
        _ => return Err("it is not one plain SELECT"),
    };
    let groups = match &select.group_by {
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if groups || select.having.is_some() || select.distinct.is_some() {
        return Err("it makes one row of several (GROUP BY, HAVING or DISTINCT)");
    }
    if select.qualify.is_some() || !select.lateral_views.is_empty() {
        return Err("it is not one plain SELECT");
    }
    Ok(select)
}

/// A table in FROM.
struct Table {
    /// As it is written.
    written: String,
    parts: Vec<String>,
    /// What its columns are called by.
    alias: String,
    /// Nothing else stands with it.
    is_plain: bool,
}

impl Table {
    fn name(&self) -> TableName {
        TableName {
            name: self.written.clone(),
            parts: self.parts.clone(),
        }
    }
}

/// The tables whose rows are put together; of any other kind of FROM, why it is none.
fn tables(from: &[TableWithJoins], dialect: Dialect) -> Result<Vec<Table>, Why> {
    let mut tables = Vec::new();
    for item in from {
        tables.push(table(&item.relation, dialect)?);
        for join in &item.joins {
            let is_inner = matches!(
                join.join_operator,
                JoinOperator::Join(_)
                    | JoinOperator::Inner(_)
                    | JoinOperator::CrossJoin(_)
                    | JoinOperator::StraightJoin(_)
            );
            if !is_inner {
                return Err("it has an outer join: a row that goes from there changes the value");
            }
            tables.push(table(&join.relation, dialect)?);
        }
    }
    match tables.is_empty() {
        true => Err("it reads no table"),
        false => Ok(tables),
    }
}

fn table(factor: &TableFactor, dialect: Dialect) -> Result<Table, Why> {
    let none = "it reads something else than tables (a subquery or a function in FROM)";
    let TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions,
        json_path: None,
        sample,
        index_hints,
    } = factor
    else {
        return Err(none);
    };
    if sample.is_some() {
        return Err("it samples its table");
    }
    let names = identifiers(name).ok_or(none)?;
    let called = alias.as_ref().map_or(names[names.len() - 1], |a| &a.name);
    let renames = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
    let is_plain =
        with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() && !renames;
    Ok(Table {
        written: name.to_string(),
        parts: names
            .iter()
            .map(|name| stored_name(name, dialect))
            .collect(),
        alias: stored_name(called, dialect),
        is_plain,
    })
}

/// A plain SELECT being read.
struct Reading<'a> {
    dialect: Dialect,
    select: &'a Select,
    tables: Vec<Table>,
}

impl<'a> Reading<'a> {
    /// What a column of the result is made of, where the text names it.
    fn column(&self, name: &str) -> Option<&'a Expr> {
        self.select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias }
                if stored_name(alias, self.dialect) == name =>
            {
                Some(expr)
            }
            SelectItem::UnnamedExpr(expr) if self.plain(expr).as_deref() == Some(name) => {
                Some(expr)
            }
            _ => None,
        })
    }

    /// The stored name of the column that an expression is, where it is nothing more.
    fn plain(&self, expr: &Expr) -> Option<String> {
        let column = match expr {
            Expr::Identifier(column) => column,
            Expr::CompoundIdentifier(parts) => parts.last()?,
            _ => return None,
        };
        let stored = stored_name(column, self.dialect);
        (!may_be_text(column, self.dialect) && !varies(column)).then_some(stored)
    }

    /// Whether a stored column depends on nothing but its rows.
    fn check_item(&self, item: &SelectItem) -> Result<(), Why> {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                check_pure(expr, self.dialect, PURE_FUNCTIONS)
            }
            SelectItem::Wildcard(options) => check_wildcard(options),
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(_),
                options,
            ) => check_wildcard(options),
            _ => Err("it has a column of a kind that is not known"),
        }
    }

    /// The table's columns, where its changed rows say everything.
    fn rows(&self, table: &Table, changed_at: &Expr, keys: &[&str]) -> Result<TrackedTable, Why> {
        if !table.is_plain {
            return Err("its table has hints, partitions or columns renamed in FROM");
        }
        if let Some(selection) = &self.select.selection {
            check_pure(selection, self.dialect, "").map_err(
                |_| "its WHERE has a function, a subquery or a word that changes with time",
            )?;
        }
        let changed_at = self
            .plain(changed_at)
            .ok_or("_changed_at is no plain column")?;
        let has_wildcard = self.select.projection.iter().any(|item| {
            matches!(
                item,
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
            )
        });
        let column = |name: &&str| match self.column(name) {
            Some(expr) => self.plain(expr),
            None => has_wildcard.then(|| (*name).to_owned()),
        };
        let key: Option<Vec<String>> = keys.iter().map(column).collect();
        Ok(TrackedTable {
            table: table.name(),
            key: key.ok_or("a column of its key is no plain column of the table")?,
            changed_at,
        })
    }

    /// Whether `_changed_at` tells of a change in any of several tables, and the same rows come
    /// together as long as none of them changes.
    fn check_joins(&self, changed_at: &Expr) -> Result<(), Why> {
        let varies = "it joins tables by something that may change without them";
        if let Some(selection) = &self.select.selection {
            check_pure(selection, self.dialect, PURE_FUNCTIONS).map_err(|_| varies)?;
        }
        for from in &self.select.from {
            for join in &from.joins {
                check_pure(&join.join_operator, self.dialect, PURE_FUNCTIONS)
                    .map_err(|_| varies)?;
            }
        }
        let covered = self.latest_of(changed_at).unwrap_or_default();
        let is_covered = |table: &Table| covered.contains(&table.alias);
        match self.tables.iter().all(is_covered) {
            true => Ok(()),
            false => Err(
                "it joins tables, and its _changed_at is not the latest of all of them \
                 (GREATEST(a.updated_at, b.updated_at), in SQLite max(...))",
            ),
        }
    }

    /// The tables whose columns a call of GREATEST takes the latest of.
    fn latest_of(&self, expr: &Expr) -> Option<Vec<String>> {
        let Expr::Function(function) = expr else {
            return None;
        };
        let name = function.name.to_string().to_ascii_lowercase();
        if name != "greatest" && !(name == "max" && self.dialect == Dialect::Sqlite) {
            return None;
        }
        let alias = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))
                if parts.len() == 2 =>
            {
                Some(stored_name(&parts[0], self.dialect))
            }
            _ => None,
        };
        arguments(function)?.iter().map(alias).collect()
    }
}

fn check_wildcard(options: &WildcardAdditionalOptions) -> Result<(), Why> {
    let is_plain = options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none();
    match is_plain {
        true => Ok(()),
        false => Err("it has a * with exceptions"),
    }
}

fn arguments(function: &Function) -> Option<&[FunctionArg]> {
    match &function.args {
        FunctionArguments::List(list)
            if list.clauses.is_empty() && list.duplicate_treatment.is_none() =>
        {
            Some(&list.args)
        }
        _ => None,
    }
}

/// Whether what an expression gives depends on its columns alone; `allowed`: the functions that it
/// may call.
fn check_pure(expr: &impl Visit, dialect: Dialect, allowed: &'static str) -> Result<(), Why> {
    let mut pure = Pure { dialect, allowed };
    match expr.visit(&mut pure) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(why) => Err(why),
    }
}

struct Pure {
    dialect: Dialect,
    allowed: &'static str,
}

impl Visitor for Pure {
    type Break = Why;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Why> {
        ControlFlow::Break("it has a subquery, whose rows may change without the row")
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Why> {
        let is_pure = match expr {
            Expr::Function(function) => self.allows(function),
            Expr::Identifier(word) => !varies(word),
            Expr::Value(value) => match &value.value {
                Value::Placeholder(_) => false,
                Value::Number(..) | Value::Boolean(_) | Value::Null => true,
                text => !is_varying_text(&text.to_string()),
            },
            Expr::TypedString(typed) => !is_varying_text(&typed.value.to_string()),
            _ => true,
        };
        match is_pure {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(
                "it has a function, or a word for the moment, that may give another value without \
                 the row changing",
            ),
        }
    }
}

impl Pure {
    fn allows(&self, function: &Function) -> bool {
        let parts = identifiers(&function.name).unwrap_or_default();
        let name = match parts.as_slice() {
            [name] => name.value.to_ascii_lowercase(),
            [schema, name] if schema.value == "pg_catalog" => name.value.to_ascii_lowercase(),
            _ => return false,
        };
        let several = |arguments: &[FunctionArg]| {
            self.dialect == Dialect::Sqlite && arguments.len() > 1 && lists(PURE_OF_SEVERAL, &name)
        };
        let is_plain = function.over.is_none()
            && function.filter.is_none()
            && function.within_group.is_empty()
            && function.null_treatment.is_none();
        let known = arguments(function).is_some_and(|arguments| {
            lists(self.allowed, &name) || (!self.allowed.is_empty() && several(arguments))
        });
        is_plain && known
    }
}

/// Whether an unquoted word may mean something that changes by itself.
fn varies(word: &Ident) -> bool {
    word.quote_style.is_none() && lists(VARYING_WORDS, &word.value.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Mysql, Postgres, Sqlite};
    use super::*;

    fn rows(dialect: Dialect, sql: &str) -> TrackedTable {
        match tracking(sql, dialect, &["id"]) {
            Tracking::Rows(rows, _) => rows,
            other => panic!("{sql}\n{other:?}"),
        }
    }

    #[test]
    fn a_plain_select_over_one_table_is_told_by_its_rows() {
        let expected = TrackedTable {
            table: TableName {
                name: "products".into(),
                parts: vec!["products".into()],
            },
            key: vec!["id".into()],
            changed_at: "updated_at".into(),
        };
        for dialect in [Postgres, Mysql, Sqlite] {
            for sql in [
                "SELECT id, name, updated_at AS _changed_at FROM products",
                "SELECT *, updated_at AS _changed_at FROM products WHERE is_active AND deleted_at IS NULL",
                "SELECT p.id, lower(p.name) AS name, p.updated_at AS _changed_at FROM products p
                 WHERE p.price > 10.5 AND p.brand IN ('Acme', 'B') -- or more",
                "(SELECT id, CASE WHEN stock > 0 THEN 'yes' END AS s, updated_at AS _changed_at FROM products)",
            ] {
                assert_eq!(rows(dialect, sql), expected, "{dialect:?}: {sql}");
            }
        }
        let quoted = rows(
            Postgres,
            r#"SELECT "Id" AS id, Updated_At AS _changed_at FROM shop."Products""#,
        );
        assert_eq!(quoted.table.name, r#"shop."Products""#);
        assert_eq!(quoted.table.parts, ["shop", "Products"]);
        assert_eq!(quoted.key, ["Id"]);
        assert_eq!(quoted.changed_at, "updated_at");
    }

    #[test]
    fn a_selection_that_other_things_decide_is_told_by_its_keys() {
        for (dialect, sql) in [
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM t WHERE u > now() - interval '1 hour'",
            ),
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM t WHERE u > 'today'",
            ),
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM t WHERE u > CURRENT_DATE",
            ),
            (
                Mysql,
                "SELECT id, u AS _changed_at FROM t WHERE u > UTC_TIMESTAMP",
            ),
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM t WHERE EXISTS (SELECT 1 FROM s)",
            ),
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM t WHERE u > DATE 'yesterday'",
            ),
            (Postgres, "SELECT lower(id) AS id, u AS _changed_at FROM t"),
            (Postgres, "SELECT id, coalesce(u, c) AS _changed_at FROM t"),
            (Mysql, "SELECT id, u AS _changed_at FROM t USE INDEX (x)"),
            (
                Postgres,
                "SELECT a.id, b.n, greatest(a.u, b.u) AS _changed_at FROM a JOIN b ON b.id = a.b",
            ),
            (
                Sqlite,
                "SELECT a.id, b.n, max(a.u, b.u) AS _changed_at FROM a, b WHERE b.id = a.b",
            ),
        ] {
            match tracking(sql, dialect, &["id"]) {
                Tracking::Keys(_) => {}
                other => panic!("{sql}\n{other:?}"),
            }
        }
    }

    #[test]
    fn what_a_key_tells_is_read_off_the_text() {
        let identity = |dialect, sql, keys: &[&str]| match tracking(sql, dialect, keys) {
            Tracking::Keys(identity) => identity,
            other => panic!("{sql}\n{other:?}"),
        };
        let of = |at: usize, name: &str| (at, name.to_owned());
        let price = identity(
            Postgres,
            "SELECT product_id, price, u AS _changed_at FROM prices WHERE valid_from <= now()",
            &["product_id"],
        );
        assert_eq!(price.tables[0].name, "prices");
        assert_eq!(
            (price.told, price.equal),
            (vec![of(0, "product_id")], vec![])
        );
        let joined = identity(
            Mysql,
            "SELECT p.*, t.title, greatest(p.u, t.u) AS _changed_at FROM product p
             JOIN texts AS t ON (t.Product_Id = p.id AND t.language = 1)",
            &["id"],
        );
        assert_eq!(joined.told, [of(0, "id")]);
        assert_eq!(joined.numbers, [of(1, "language")]);
        assert_eq!(joined.equal, [(of(1, "product_id"), of(0, "id"))]);
        let now = "SELECT id, u AS _changed_at FROM t WHERE kind = 'now' AND a = 'x'";
        assert_eq!(
            identity(Postgres, now, &["id"]).told,
            [of(0, "id"), of(0, "a")]
        );
        let using = identity(
            Sqlite,
            "SELECT a.id, max(a.u, b.u) AS _changed_at FROM a JOIN b USING (id)",
            &["id"],
        );
        assert_eq!(using.equal, [(of(0, "id"), of(1, "id"))]);
        for sql in [
            "SELECT lower(slug) AS slug, u AS _changed_at FROM t WHERE slug = 'a' OR id = 1",
            "SELECT slug || 'x' AS slug, u AS _changed_at FROM t WHERE id > 1 AND NOT (id = 7)",
        ] {
            let identity = identity(Postgres, sql, &["slug"]);
            assert_eq!((identity.told, identity.numbers), (vec![], vec![]));
        }
    }

    #[test]
    fn what_may_change_unseen_is_not_told_at_all() {
        for (dialect, sql, words) in [
            (Postgres, "SELECT id FROM t", "no column `_changed_at`"),
            (
                Postgres,
                "SELECT id, now() AS n, u AS _changed_at FROM t",
                "function",
            ),
            (
                Sqlite,
                "SELECT id, date('now') AS n, u AS _changed_at FROM t",
                "function",
            ),
            (
                Postgres,
                "SELECT id, 'now'::timestamp AS n, u AS _changed_at FROM t",
                "word",
            ),
            (
                Postgres,
                "SELECT id, random() AS n, u AS _changed_at FROM t",
                "function",
            ),
            (
                Postgres,
                "SELECT id, shop.price(id) AS n, u AS _changed_at FROM t",
                "function",
            ),
            (
                Postgres,
                "SELECT id, (SELECT 1 FROM s) AS n, u AS _changed_at FROM t",
                "subquery",
            ),
            (
                Postgres,
                "SELECT id, row_number() OVER (ORDER BY id) AS n, u AS _changed_at FROM t",
                "function",
            ),
            (
                Postgres,
                "SELECT max(id) AS id, max(u) AS _changed_at FROM t",
                "function",
            ),
            (
                Sqlite,
                "SELECT max(id) AS id, max(u) AS _changed_at FROM t",
                "function",
            ),
            (
                Postgres,
                "SELECT id, max(u) AS _changed_at FROM t GROUP BY id",
                "GROUP BY",
            ),
            (
                Postgres,
                "SELECT DISTINCT id, u AS _changed_at FROM t",
                "DISTINCT",
            ),
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM t UNION ALL SELECT id, u FROM s",
                "plain SELECT",
            ),
            (
                Postgres,
                "WITH w AS (SELECT * FROM t) SELECT id, u AS _changed_at FROM w",
                "WITH",
            ),
            (
                Postgres,
                "SELECT id, u AS _changed_at FROM (SELECT * FROM t) q",
                "subquery",
            ),
            (
                Postgres,
                "SELECT a.id, a.u AS _changed_at FROM a JOIN b ON b.id = a.b",
                "latest",
            ),
            (
                Postgres,
                "SELECT a.id, least(a.u, b.u) AS _changed_at FROM a JOIN b ON b.id = a.b",
                "latest",
            ),
            (
                Postgres,
                "SELECT a.id, greatest(a.u, b.u) AS _changed_at FROM a LEFT JOIN b ON b.id = a.b",
                "outer",
            ),
            (
                Postgres,
                "SELECT a.id, greatest(a.u, b.u) AS _changed_at FROM a JOIN b ON b.d < now()",
                "may change",
            ),
        ] {
            match tracking(sql, dialect, &["id"]) {
                Tracking::None(why) => assert!(why.contains(words), "{sql}\n{why}"),
                other => panic!("{sql}\n{other:?}"),
            }
        }
    }
}
