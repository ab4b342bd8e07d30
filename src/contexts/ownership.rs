//! Refuses a definition whose SQL reads a table that its context does not own.
//!
//! Two steps. A small lexer, which knows how each database takes quotes, comments and numbers
//! apart, hands `sqlparser` a text in which neither a comment nor a string can hide anything: the
//! database runs the original, so the parser must not see another query than the database does.
//! Then every relation and function of the parsed query is checked. Where servers differ (MySQL
//! and MariaDB, server settings) the stricter reading holds.
//!
//! What a view or a function that somebody created in the database reads cannot be seen from here.

mod lexer;
mod refusal;

use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, Ident, ObjectName, ObjectNamePart, OrderByExpr, OrderBySort, Query, SetExpr,
    Statement, TableFactor, Visit as _, Visitor,
};
use sqlparser::dialect::{self, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::domain::Dialect;
use crate::domain::failure::{Failure, FailureKind};
pub(super) use lexer::harmless_text;
pub use refusal::{MAX_SQL_BYTES, Place, SqlRefused};

/// The most joins that are parsed: each one that waits for its ON takes much of the stack.
const MAX_JOINS: usize = 100;

/// Deep enough for whatever fits into [`MAX_SQL_BYTES`]: the parser limits how deeply parentheses
/// nest, but not a chain of joins or operators, which would overflow a worker thread's stack.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Table functions that read nothing but their arguments.
const TABLE_FUNCTIONS: &str = "generate_series generate_subscripts json_array_elements \
    json_array_elements_text json_each json_each_text json_object_keys json_to_record \
    json_to_recordset json_tree jsonb_array_elements jsonb_array_elements_text jsonb_each \
    jsonb_each_text jsonb_object_keys jsonb_path_query jsonb_to_record jsonb_to_recordset \
    regexp_matches regexp_split_to_table string_to_table unnest";

/// Functions that run SQL text, read files or tables by name, wait, or change something.
const REFUSED_FUNCTIONS: &str = "benchmark connectby edit get_lock load_extension load_file loread \
    lowrite master_gtid_wait master_pos_wait nextval readfile release_all_locks release_lock \
    set_config setval sleep source_pos_wait sys_eval sys_exec ts_rewrite ts_stat \
    wait_for_executed_gtid_set writefile xpath_table";

/// Families of such functions; `pg_` because nearly all of PostgreSQL's own act on the server.
const REFUSED_PREFIXES: &str = "crosstab cursor_to_xml database_to_xml dblink lo_ pg_ query_to_xml \
    schema_to_xml table_to_xml";

/// The `pg_` functions that only look at their argument.
const HARMLESS_PG_FUNCTIONS: &str = "pg_column_size pg_size_bytes pg_size_pretty pg_typeof";

pub(super) fn lists(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|word| word == name)
}

/// Checks a definition's SQL: one query which only reads, and reads only tables of `owns`.
///
/// An entry of `owns` is a table's exact stored name, with its schema when the SQL names it so
/// (`sales.orders`).
pub fn check(sql: &str, dialect: Dialect, owns: &[String]) -> Result<(), SqlRefused> {
    let text = harmless_text(sql, dialect)?;
    on_deep_stack(|| {
        let query = parse(&text, dialect, |parser| parser.parse_query())?;
        check_outermost(&query)?;
        match query.visit(&mut Reader {
            dialect,
            owns,
            scopes: Vec::new(),
        }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(refused) => Err(*refused),
        }
    })
}

/// Checks `order_by`: a list of plain columns with ASC/DESC and NULLS FIRST/LAST.
///
/// Returns the columns' names in order, as the database names them.
pub fn order_by_columns(order_by: &str, dialect: Dialect) -> Result<Vec<String>, SqlRefused> {
    let refuse = |why: String| SqlRefused::OrderBy(why);
    let unread = |error: SqlRefused| match error {
        SqlRefused::Unreadable(why) => refuse(format!("cannot be read: {why}")),
        other => refuse(format!("cannot be read. {other}")),
    };
    let text = harmless_text(order_by, dialect).map_err(unread)?;
    if text != order_by {
        return Err(refuse("has a comment or a string".to_owned()));
    }
    on_deep_stack(|| {
        let items = parse(&text, dialect, |parser| {
            parser.parse_comma_separated(Parser::parse_order_by_expr)
        });
        items
            .map_err(unread)?
            .into_iter()
            .map(|item| order_by_column(item, dialect).map_err(refuse))
            .collect()
    })
}

fn order_by_column(item: OrderByExpr, dialect: Dialect) -> Result<String, String> {
    if matches!(item.options.sort, Some(OrderBySort::Using(_))) || item.with_fill.is_some() {
        return Err("sorts by something other than ASC or DESC".to_owned());
    }
    if dialect == Dialect::Mysql && item.options.nulls_first.is_some() {
        return Err(
            "has NULLS FIRST or NULLS LAST, which MySQL and MariaDB do not know".to_owned(),
        );
    }
    match item.expr {
        Expr::Identifier(column) => Ok(stored_name(&column, dialect)),
        other => Err(format!("has `{other}`, which is no plain column")),
    }
}

/// Whether SQL can be checked at all.
///
/// # Errors
/// There is no thread to be had, or no memory for one: no definition is to blame.
pub fn ready() -> Result<(), Failure> {
    on_deep_stack(|| Ok(())).map_err(|refused| {
        let what = "the definitions cannot be checked";
        Failure::new(FailureKind::Internal, what, refused.to_string()).hint(
            "raise the limit on processes and memory: ulimit -u, ulimit -v, or the container's",
        )
    })
}

/// Runs `work` on a thread of its own with a stack of [`STACK_BYTES`], used only as far as needed.
pub(super) fn on_deep_stack<T: Send>(
    work: impl FnOnce() -> Result<T, SqlRefused> + Send,
) -> Result<T, SqlRefused> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        match thread {
            Ok(thread) => thread.join().unwrap_or(Err(SqlRefused::TooDeep)),
            Err(error) => Err(SqlRefused::NoThread(error.to_string())),
        }
    })
}

/// Parses the whole of a text that [`harmless_text`] made.
pub(super) fn parse<T>(
    text: &str,
    dialect: Dialect,
    rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, SqlRefused> {
    let dialect: &dyn dialect::Dialect = match dialect {
        Dialect::Postgres => &PostgreSqlDialect {},
        Dialect::Mysql => &MySqlDialect {},
        Dialect::Sqlite => &SQLiteDialect {},
    };
    let tokens = Tokenizer::new(dialect, text)
        .tokenize_with_location()
        .map_err(ParserError::from)?;
    let joins = tokens.iter().filter(|token| is_join(&token.token)).count();
    if joins > MAX_JOINS {
        return Err(SqlRefused::TooDeep);
    }
    let mut parser = Parser::new(dialect).with_tokens_with_locations(tokens);
    let parsed = rule(&mut parser)?;
    parser.expect_token(&Token::EOF)?;
    Ok(parsed)
}

fn is_join(token: &Token) -> bool {
    let Token::Word(word) = token else {
        return false;
    };
    matches!(
        word.keyword,
        Keyword::JOIN | Keyword::STRAIGHT_JOIN | Keyword::APPLY
    )
}

/// The engine wraps the query and puts its own ORDER BY and LIMIT around it.
fn check_outermost(query: &Query) -> Result<(), SqlRefused> {
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(SqlRefused::Outermost("a LIMIT, OFFSET or FETCH"));
    }
    let mut picks_rows = false;
    match &*query.body {
        // `(SELECT ... LIMIT 5)` is its own outermost query still.
        SetExpr::Query(inner) => check_outermost(inner)?,
        SetExpr::Select(select) if select.top.is_some() => {
            return Err(SqlRefused::Outermost("a TOP"));
        }
        // There ORDER BY says which row of each group is kept.
        SetExpr::Select(select) => picks_rows = matches!(select.distinct, Some(Distinct::On(_))),
        _ => {}
    }
    match query.order_by {
        Some(_) if !picks_rows => Err(SqlRefused::Outermost("an ORDER BY")),
        _ => Ok(()),
    }
}

/// The names that one query's WITH defines, and how far the walk through it has come.
#[derive(Default)]
struct Scope {
    names: Vec<String>,
    /// How many of their bodies are behind; in the query's own body all of them.
    passed: usize,
    /// How many names a body sees beyond those: with RECURSIVE its own, or all.
    ahead: usize,
}

impl Scope {
    fn shows(&self, name: &String) -> bool {
        self.names
            .iter()
            .take(self.passed + self.ahead)
            .any(|shown| shown == name)
    }

    fn is_in_a_body(&self) -> bool {
        self.passed < self.names.len()
    }
}

/// Walks a query and breaks at the first thing that it must not read.
struct Reader<'a> {
    dialect: Dialect,
    owns: &'a [String],
    /// One for each query around the present place, the innermost last.
    scopes: Vec<Scope>,
}

type Step = ControlFlow<Box<SqlRefused>>;

fn refuse(refused: SqlRefused) -> Step {
    ControlFlow::Break(Box::new(refused))
}

impl Visitor for Reader<'_> {
    type Break = Box<SqlRefused>;

    fn pre_visit_query(&mut self, query: &Query) -> Step {
        if !query.locks.is_empty() {
            return refuse(SqlRefused::Locks);
        }
        self.scopes.push(self.scope_of(query));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> Step {
        self.scopes.pop();
        // The bodies in a WITH are the first queries inside its query, in order.
        if let Some(around) = self.scopes.last_mut() {
            around.passed += 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> Step {
        let text = statement.to_string();
        refuse(SqlRefused::Writes(
            text.split(' ').next().unwrap_or_default().to_owned(),
        ))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Step {
        match factor {
            TableFactor::Table {
                name, args: None, ..
            } => self.check_table(name),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                check_table_function(name)
            }
            TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::XmlTable { .. } => ControlFlow::Continue(()),
            other => refuse(SqlRefused::Unreadable(format!(
                "`{other}` is not supported in FROM"
            ))),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Step {
        match expr {
            Expr::Function(function) => check_function(&function.name),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Reader<'_> {
    fn scope_of(&self, query: &Query) -> Scope {
        let Some(with) = &query.with else {
            return Scope::default();
        };
        let aliases = with.cte_tables.iter().map(|cte| &cte.alias.name);
        let names: Vec<_> = aliases.map(|alias| self.cte_name(alias)).collect();
        let ahead = match self.dialect {
            _ if !with.recursive => 0,
            // MariaDB shows every name to every body, MySQL only the body's own and those before.
            Dialect::Mysql => 1,
            Dialect::Postgres | Dialect::Sqlite => names.len(),
        };
        Scope {
            names,
            passed: 0,
            ahead,
        }
    }

    /// MySQL may or may not tell CTE names apart by case, so there only the same spelling counts.
    fn cte_name(&self, ident: &Ident) -> String {
        match self.dialect {
            // The text of a string was changed, so it names nothing.
            _ if is_string(ident, self.dialect) => String::new(),
            Dialect::Mysql => ident.value.clone(),
            Dialect::Postgres => stored_name(ident, self.dialect),
            Dialect::Sqlite => ident.value.to_ascii_lowercase(),
        }
    }

    fn is_cte(&self, ident: &Ident) -> bool {
        let name = self.cte_name(ident);
        for scope in self.scopes.iter().rev() {
            if scope.shows(&name) {
                return true;
            }
            // From a body in a WITH, MariaDB mostly does not see the names of a WITH further out,
            // and reads the table instead.
            if self.dialect == Dialect::Mysql && scope.is_in_a_body() {
                return false;
            }
        }
        false
    }

    fn check_table(&self, name: &ObjectName) -> Step {
        let Some(parts) = identifiers(name) else {
            return refuse(SqlRefused::Unreadable(format!("`{name}` is no table name")));
        };
        if parts.iter().any(|part| is_string(part, self.dialect)) {
            return refuse(SqlRefused::Unreadable(format!(
                "{name} is a string, not a table's name"
            )));
        }
        let known = match parts[..] {
            [table] if self.is_cte(table) => true,
            [table] if self.dialect == Dialect::Mysql && is_dual(table) => true,
            _ => self.owns.iter().any(|entry| self.is_entry(entry, &parts)),
        };
        if known {
            ControlFlow::Continue(())
        } else {
            refuse(self.foreign(&parts))
        }
    }

    fn is_entry(&self, entry: &str, parts: &[&Ident]) -> bool {
        entry.split('.').count() == parts.len()
            && entry
                .split('.')
                .zip(parts)
                .all(|(stored, part)| match self.dialect {
                    Dialect::Postgres => stored == stored_name(part, self.dialect),
                    Dialect::Mysql | Dialect::Sqlite => stored.eq_ignore_ascii_case(&part.value),
                })
    }

    fn foreign(&self, parts: &[&Ident]) -> SqlRefused {
        let names: Vec<_> = parts
            .iter()
            .map(|part| stored_name(part, self.dialect))
            .collect();
        let table = names.join(".");
        let owned: Vec<_> = self.owns.iter().map(|entry| format!("`{entry}`")).collect();
        let owns = if owned.is_empty() {
            "which is empty".to_owned()
        } else {
            owned.join(", ")
        };
        let hint = match nearest(&table, self.owns) {
            _ if parts.len() == 1 && self.is_defined_around(parts[0]) => {
                "The WITH query of that name is not in scope there: define it earlier in the same \
                 WITH, or write WITH RECURSIVE if it reads itself. "
                    .to_owned()
            }
            Some(entry) => format!("Did you mean `{entry}`? "),
            None => String::new(),
        };
        SqlRefused::ForeignTable {
            place: Place::from(parts[0]),
            table,
            owns,
            hint,
        }
    }

    fn is_defined_around(&self, ident: &Ident) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.names.contains(&self.cte_name(ident)))
    }
}

/// The name as the database stores it: PostgreSQL folds what is not quoted.
pub(super) fn stored_name(ident: &Ident, dialect: Dialect) -> String {
    match (dialect, ident.quote_style) {
        (Dialect::Postgres, None) => ident.value.to_ascii_lowercase(),
        _ => ident.value.clone(),
    }
}

pub(super) fn identifiers(name: &ObjectName) -> Option<Vec<&Ident>> {
    let parts = name
        .0
        .iter()
        .map(ObjectNamePart::as_ident)
        .collect::<Option<Vec<_>>>()?;
    (!parts.is_empty()).then_some(parts)
}

/// Whether the parser took a string for a name; SQLite does, but a name's text must be kept.
fn is_string(ident: &Ident, dialect: Dialect) -> bool {
    ident.quote_style == Some('\'') || (ident.quote_style == Some('"') && dialect == Dialect::Mysql)
}

fn is_dual(table: &Ident) -> bool {
    table.quote_style.is_none() && table.value.eq_ignore_ascii_case("dual")
}

/// The owned table of which `table` looks like a slip, be it in spelling, case or schema.
fn nearest<'a>(table: &str, owns: &'a [String]) -> Option<&'a String> {
    let alike = |a: &str, b: &str| {
        strsim::normalized_damerau_levenshtein(&a.to_ascii_lowercase(), &b.to_ascii_lowercase())
    };
    let bare = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
    let bare_table = table.rsplit('.').next().unwrap_or(table);
    owns.iter()
        .filter(|entry| alike(bare(entry), bare_table) >= 0.7)
        .max_by(|a, b| alike(a, table).total_cmp(&alike(b, table)))
}

fn check_table_function(name: &ObjectName) -> Step {
    let Some(parts) = identifiers(name) else {
        return refuse(SqlRefused::Unreadable(format!(
            "`{name}` is no function name"
        )));
    };
    let is_listed = |part: &Ident| lists(TABLE_FUNCTIONS, &part.value.to_ascii_lowercase());
    match parts[..] {
        [function] if is_listed(function) => ControlFlow::Continue(()),
        [schema, function] if schema.value == "pg_catalog" && is_listed(function) => {
            ControlFlow::Continue(())
        }
        _ => refuse(SqlRefused::TableFunction {
            place: Place::from(parts[0]),
            name: name.to_string(),
        }),
    }
}

/// In whatever schema: extensions such as dblink live where they were installed.
fn check_function(name: &ObjectName) -> Step {
    let Some(last) = name.0.last().and_then(ObjectNamePart::as_ident) else {
        return refuse(SqlRefused::Unreadable(format!(
            "`{name}` is no function name"
        )));
    };
    let bare = last.value.to_ascii_lowercase();
    let refused = lists(REFUSED_FUNCTIONS, &bare)
        || (REFUSED_PREFIXES
            .split_whitespace()
            .any(|prefix| bare.starts_with(prefix))
            && !lists(HARMLESS_PG_FUNCTIONS, &bare));
    if refused {
        return refuse(SqlRefused::Function {
            place: Place::from(last),
            name: name.to_string(),
        });
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Mysql, Postgres, Sqlite};
    use super::*;

    fn refusal(dialect: Dialect, sql: &str) -> Option<String> {
        let owns = ["orders", "order_items", "sales.refunds"].map(str::to_owned);
        check(sql, dialect, &owns)
            .err()
            .map(|refused| refused.to_string())
    }

    #[rustfmt::skip]
    const ACCEPTED: &[(Dialect, &str)] = &[
        (Postgres, "SELECT * FROM Orders o JOIN sales.refunds r USING (id) -- both are ours"),
        (Postgres, "VALUES (1, 'a'), (2, 'b')"),
        (Postgres, "SELECT DISTINCT ON (user_id) * FROM orders ORDER BY user_id, id DESC"),
        (Postgres, "(SELECT 1 FROM orders LIMIT 2) UNION ALL (SELECT 2 FROM orders LIMIT 2)"),
        (Postgres, "SELECT * FROM orders o, LATERAL (SELECT * FROM order_items i WHERE i.order_id = o.id ORDER BY 1 LIMIT 3) l"),
        (Postgres, "SELECT id, tag FROM orders, unnest(tags) tag, pg_catalog.generate_series(1, 3)"),
        (Postgres, "SELECT a LIKE 'x\\_' ESCAPE '\\', E'\\\\', $$it's FROM users$$, b @> '{}' FROM orders"),
        (Postgres, "WITH users AS (SELECT * FROM orders) SELECT * FROM users, \"users\" u"),
        (Postgres, "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"),
        (Postgres, "WITH users AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM users) SELECT * FROM b) q"),
        (Mysql, "SELECT REPLACE(a, '\\\\', '/'), \"it's\" FROM `Orders` # FROM users"),
        (Mysql, "SELECT 1 FROM DUAL"),
        (Mysql, "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"),
        (Mysql, "SELECT * FROM orders, JSON_TABLE(items, '$[*]' COLUMNS (sku TEXT PATH '$.sku')) j"),
        (Sqlite, "SELECT [a], 'b\\' FROM ORDERS, json_each(orders.items)"),
    ];

    #[test]
    fn accepts_what_reads_owned_tables_only() {
        for &(dialect, sql) in ACCEPTED {
            assert_eq!(refusal(dialect, sql), None, "{dialect:?}: {sql}");
        }
    }

    #[rustfmt::skip]
    const REFUSED: &[(Dialect, &str, &str)] = &[
        (Postgres, "", "Write one SELECT"),
        (Postgres, "DROP VIEW v", "cannot be read as one query"),
        (Postgres, "SELECT 1) q, (SELECT 2", "found: ) at line 1, column 9"),
        (Postgres, "SELECT 1 FROM orders;", "Drop it"),
        (Postgres, "DELETE FROM orders", "The SQL writes (DELETE)"),
        (Postgres, "WITH x AS (UPDATE orders SET a = 1 RETURNING *) SELECT * FROM x", "writes (UPDATE)"),
        (Postgres, "SELECT * INTO x FROM orders", "INTO"),
        (Postgres, "SELECT * FROM (SELECT * FROM orders FOR UPDATE) q", "locks rows"),
        (Postgres, "TABLE users", "TABLE form"),
        (Postgres, "SELECT * FROM orders LIMIT 5", "`order_by` and `limit`"),
        (Postgres, "(SELECT * FROM orders FETCH FIRST ROW ONLY)", "`order_by` and `limit`"),
        (Postgres, "SELECT * FROM orders ORDER BY id", "`order_by` and `limit`"),
        // Foreign tables, wherever they stand.
        (Postgres, "SELECT *\nFROM users", "Line 2, column 6: the query reads table `users`, which is not in `owns` (`orders`, `order_items`, `sales.refunds`). Add it"),
        (Postgres, "SELECT * FROM ordres", "Did you mean `orders`?"),
        (Postgres, "SELECT * FROM \"Orders\"", "Did you mean `orders`?"),
        (Postgres, "SELECT * FROM public.orders", "table `public.orders`"),
        (Postgres, "SELECT * FROM refunds", "Did you mean `sales.refunds`?"),
        (Postgres, "SELECT * FROM \"sales.refunds\"", "reads table"),
        (Postgres, "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM users)) FROM orders", "`users`"),
        (Postgres, "SELECT 1 FROM generate_series(1, (SELECT max(id) FROM users))", "`users`"),
        (Postgres, "SELECT 1 UNION SELECT 2 EXCEPT SELECT id FROM users", "`users`"),
        (Sqlite, "SELECT 1 FROM orders WHERE id IN users", "found: users"),
        // WITH names out of scope.
        (Postgres, "WITH users AS (SELECT * FROM users) SELECT * FROM users", "not in scope there"),
        (Postgres, "WITH a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a", "not in scope there"),
        (Postgres, "WITH users AS (SELECT 1) SELECT * FROM public.users", "`public.users`"),
        (Postgres, "(WITH users AS (SELECT 1) SELECT * FROM users) UNION SELECT * FROM users", "column 68"),
        (Postgres, "WITH \"Users\" AS (SELECT 1) SELECT * FROM users", "`users`"),
        (Mysql, "WITH RECURSIVE a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a", "not in scope there"),
        (Mysql, "WITH users AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM users) SELECT * FROM b) q", "not in scope there"),
        (Mysql, "WITH users AS (SELECT 1) SELECT * FROM Users", "`Users`"),
        // Functions.
        (Postgres, "SELECT * FROM dblink('x', 'SELECT 1') AS t(a int)", "`dblink` in FROM"),
        (Postgres, "SELECT * FROM ONLY (users)", "`ONLY` in FROM"),
        (Postgres, "SELECT pg_catalog.query_to_xml('SELECT 1', true, true, '')", "query_to_xml` is refused"),
        (Postgres, "SELECT 1 FROM orders WHERE \"pg_sleep\"(1) IS NULL", "pg_sleep"),
        (Postgres, "SELECT U&\"pg\\005fsleep\"(1)", "U& escapes"),
        (Mysql, "SELECT {fn LOAD_FILE('/etc/passwd')}", "`LOAD_FILE` is refused"),
        (Sqlite, "SELECT * FROM pragma_table_info('users')", "pragma_table_info"),
        // Tricks that hide a table from one of two readers.
        (Mysql, "SELECT 1 /*! , (SELECT id FROM users) */", "run what is inside"),
        (Mysql, "SELECT '\\', (SELECT id FROM users) -- '", "two quotes"),
        (Mysql, "SELECT 1.5FROM users", "run together"),
        (Mysql, "SELECT 1 --/**/`a`FROM users", "two minus signs"),
        (Mysql, "SELECT $$, (SELECT id FROM users), $$ FROM orders", "variable"),
        (Postgres, "SELECT E'a'\n'\\'', (SELECT id FROM users) --'", "two quotes"),
        (Postgres, "SELECT 1 |-- '\n (SELECT id FROM users) --'", "`users`"),
        (Postgres, "SELECT /* /* */ ' */ (SELECT id FROM users) /* ' */", "`/*` inside"),
        (Postgres, "SELECT a$$b, (SELECT id FROM users), c$$d FROM orders", "`users`"),
        (Postgres, "SELECT 1 --\r, (SELECT id FROM users)", "`users`"),
        (Postgres, "SELECT 1 FROM\u{a0}users", "outside of quotes"),
        (Sqlite, "SELECT '\\' FROM users --'", "`users`"),
        (Sqlite, "SELECT * FROM 'users'", "is a string"),
    ];

    #[test]
    fn refuses_with_the_reason() {
        for &(dialect, sql, words) in REFUSED {
            let text =
                refusal(dialect, sql).unwrap_or_else(|| panic!("accepted {dialect:?}: {sql}"));
            assert!(text.contains(words), "{dialect:?}: {sql}\n{text}");
        }
    }

    #[test]
    fn survives_what_is_deep_or_long() {
        for piece in [
            "(",
            "(SELECT ",
            "+1",
            " JOIN a",
            " UNION SELECT 1",
            " REGEXP a",
            "::a",
            "CASE ",
        ] {
            for size in [MAX_SQL_BYTES - 32, 2 * MAX_SQL_BYTES] {
                let sql = format!("SELECT 1 FROM users {}", piece.repeat(size / piece.len()));
                for dialect in [Postgres, Mysql, Sqlite] {
                    assert!(refusal(dialect, &sql).is_some(), "{dialect:?}: {piece}");
                }
            }
        }
    }

    #[test]
    fn order_by_is_plain_columns() {
        let columns =
            |dialect, text| order_by_columns(text, dialect).map_err(|error| error.to_string());
        let names = |names: &[&str]| Ok(names.iter().map(|name| name.to_string()).collect());
        assert_eq!(
            columns(Postgres, "Created_At DESC NULLS LAST, \"Id\""),
            names(&["created_at", "Id"])
        );
        assert_eq!(columns(Mysql, "`a` ASC, B"), names(&["a", "B"]));
        for (dialect, text, words) in [
            (Postgres, "", "cannot be read"),
            (Postgres, "a,", "cannot be read"),
            (Postgres, "a LIMIT 5", "cannot be read"),
            (Postgres, "a; DROP VIEW v", "semicolon"),
            (Postgres, "a -- b", "comment"),
            (Postgres, "1", "`1`"),
            (Postgres, "o.a", "`o.a`"),
            (Postgres, "lower(a)", "`lower(a)`"),
            (Postgres, "(SELECT 1 FROM users)", "no plain column"),
            (Postgres, "a USING <", "ASC or DESC"),
            (Mysql, "a NULLS LAST", "MySQL and MariaDB do not know"),
        ] {
            let error = columns(dialect, text).expect_err(text);
            assert!(error.contains(words), "{text}\n{error}");
        }
    }
}
