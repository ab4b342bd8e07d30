//! Refuses a definition whose SQL reads a table that its context does not own.
//!
//! This has two steps. First a small lexer, which knows how each database reads quotes, comments
//! and numbers, gives `sqlparser` a text in which no comment or string can hide anything: the
//! database runs the original, so the parser must see the same query. Then every relation and
//! function of the parsed query is checked. If servers differ (MySQL and MariaDB, server settings),
//! the stricter reading applies.
//!
//! The tables behind a view or a stored function are not checked.

use std::ops::ControlFlow;

use sqlparser::ast::{Distinct, Expr, Ident, ObjectName, Query, SetExpr, Statement, TableFactor};

use super::functions::{check_function, check_table_function};
use super::owns::Owns;
use super::parse::{identifiers, stored_name, with_query};
use super::refusal::{SqlRefused, Step, refuse};
use super::walk::{Node, walk};
use crate::application::ports::grammar::{Grammar, With};
use crate::domain::place::Place;

/// Checks a definition's SQL: one query which only reads, and reads only tables of `owns`.
pub fn check(sql: &str, grammar: &'static Grammar, owns: &Owns) -> Result<(), SqlRefused> {
    with_query(sql, grammar, |query| {
        check_outermost(query)?;
        check_query(query, grammar, owns)
    })
}

/// The same for a query that is run as it is, with an order and a limit of its own.
pub fn check_reads(sql: &str, grammar: &'static Grammar, owns: &Owns) -> Result<(), SqlRefused> {
    with_query(sql, grammar, |query| check_query(query, grammar, owns))
}

fn check_query(query: &Query, grammar: &'static Grammar, owns: &Owns) -> Result<(), SqlRefused> {
    let mut reader = Reader { grammar, owns, scopes: Vec::new() };
    let end = walk(query, |node| reader.step(node));
    end.break_value().map_or(Ok(()), |refused| Err(*refused))
}

/// The engine wraps the query in its own ORDER BY and LIMIT.
fn check_outermost(query: &Query) -> Result<(), SqlRefused> {
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(SqlRefused::Outermost("a LIMIT, OFFSET or FETCH"));
    }
    let mut picks_rows = false;
    match &*query.body {
        // `(SELECT ... LIMIT 5)` is still the outermost query.
        SetExpr::Query(inner) => check_outermost(inner)?,
        SetExpr::Select(select) if select.top.is_some() => {
            return Err(SqlRefused::Outermost("a TOP"));
        }
        // With DISTINCT ON, ORDER BY decides which row of each group is kept.
        SetExpr::Select(select) => picks_rows = matches!(select.distinct, Some(Distinct::On(_))),
        _ => {}
    }
    match query.order_by {
        Some(_) if !picks_rows => Err(SqlRefused::Outermost("an ORDER BY")),
        _ => Ok(()),
    }
}

/// The names in one query's WITH, and how far the walk has come.
#[derive(Default)]
struct Scope {
    names: Vec<String>,
    /// How many of their bodies have been visited; in the query's own body, all.
    passed: usize,
    /// How many more names a body can see: with RECURSIVE its own, or all.
    ahead: usize,
}

impl Scope {
    fn shows(&self, name: &String) -> bool {
        self.names.iter().take(self.passed + self.ahead).any(|shown| shown == name)
    }

    fn is_in_a_body(&self) -> bool {
        self.passed < self.names.len()
    }
}

/// Walks a query and stops at the first thing that it must not read.
struct Reader<'a> {
    grammar: &'static Grammar,
    owns: &'a Owns,
    /// One per enclosing query, the innermost last.
    scopes: Vec<Scope>,
}

impl Reader<'_> {
    fn step(&mut self, node: Node<'_>) -> Step {
        match node {
            Node::Query(query) => self.begin(query),
            Node::EndOfQuery => self.end(),
            Node::Statement(statement) => writes(statement),
            Node::Table(factor) => self.check_factor(factor),
            Node::Expr(Expr::Function(function)) => check_function(&function.name),
            Node::Expr(_) | Node::Relation(_) => ControlFlow::Continue(()),
        }
    }

    fn begin(&mut self, query: &Query) -> Step {
        if !query.locks.is_empty() {
            return refuse(SqlRefused::Locks);
        }
        self.scopes.push(self.scope_of(query));
        ControlFlow::Continue(())
    }

    fn end(&mut self) -> Step {
        self.scopes.pop();
        // The bodies in a WITH are the first queries inside its query, in order.
        if let Some(around) = self.scopes.last_mut() {
            around.passed += 1;
        }
        ControlFlow::Continue(())
    }

    fn check_factor(&self, factor: &TableFactor) -> Step {
        match factor {
            TableFactor::Table { name, args: None, .. } => self.check_table(name),
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                check_table_function(name)
            }
            TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::XmlTable { .. } => ControlFlow::Continue(()),
            other => refuse(SqlRefused::unreadable(format!("`{other}` is not supported in FROM"))),
        }
    }

    fn scope_of(&self, query: &Query) -> Scope {
        let Some(with) = &query.with else {
            return Scope::default();
        };
        let aliases = with.cte_tables.iter().map(|cte| &cte.alias.name);
        let names: Vec<_> = aliases.map(|alias| self.cte_name(alias)).collect();
        let ahead = match self.grammar.with {
            _ if !with.recursive => 0,
            // In MariaDB every body sees every name, in MySQL only its own and earlier ones.
            With::Own => 1,
            With::All => names.len(),
        };
        Scope { names, passed: 0, ahead }
    }

    /// MySQL may or may not distinguish CTE names by case, so only the exact spelling matches.
    fn cte_name(&self, ident: &Ident) -> String {
        match self.grammar.with {
            // The lexer has changed the text of strings, so it is not a name.
            _ if is_string(ident, self.grammar) => String::new(),
            With::Own => ident.value.clone(),
            With::All if self.grammar.is_case_sensitive => stored_name(ident, self.grammar),
            With::All => ident.value.to_ascii_lowercase(),
        }
    }

    fn is_cte(&self, ident: &Ident) -> bool {
        let name = self.cte_name(ident);
        for scope in self.scopes.iter().rev() {
            if scope.shows(&name) {
                return true;
            }
            // Inside a WITH body, MariaDB mostly ignores the names of an outer WITH and reads the
            // table instead.
            if self.grammar.with == With::Own && scope.is_in_a_body() {
                return false;
            }
        }
        false
    }

    fn check_table(&self, name: &ObjectName) -> Step {
        let Some(parts) = identifiers(name) else {
            return refuse(SqlRefused::unreadable(format!("`{name}` is not a table name")));
        };
        if parts.iter().any(|part| is_string(part, self.grammar)) {
            return refuse(SqlRefused::unreadable(format!(
                "{name} is a string, not a table's name"
            )));
        }
        if let [only] = parts[..]
            && self.grammar.is_case_sensitive
            && only.quote_style.is_none()
            && only.value.eq_ignore_ascii_case("only")
        {
            let refused = SqlRefused::unreadable("FROM ONLY is not supported");
            return refuse(refused.or_at(Some(Place::from(only))));
        }
        let known = match parts[..] {
            [table] if self.is_cte(table) => true,
            [table] if self.grammar.dual && is_dual(table) => true,
            _ => self.owns.covers(&self.stored(&parts), self.grammar),
        };
        if known { ControlFlow::Continue(()) } else { refuse(self.foreign(&parts)) }
    }

    fn stored(&self, parts: &[&Ident]) -> Vec<String> {
        let parts = parts.iter();
        parts.map(|part| stored_name(part, self.grammar)).collect()
    }

    fn foreign(&self, parts: &[&Ident]) -> SqlRefused {
        let table = self.stored(parts).join(".");
        let owned = self.owns.entries().into_iter();
        let owned: Vec<_> = owned.map(|entry| format!("`{entry}`")).collect();
        let owns = if owned.is_empty() { "which is empty".to_owned() } else { owned.join(", ") };
        let hint = match self.owns.nearest(&table) {
            _ if parts.len() == 1 && self.is_defined_around(parts[0]) => {
                "The WITH query of that name is not in scope there: define it earlier in the same \
                 WITH, or write WITH RECURSIVE if it reads itself. "
                    .to_owned()
            }
            Some(entry) => format!("Did you mean `{entry}`? "),
            None => String::new(),
        };
        SqlRefused::ForeignTable { place: Place::from(parts[0]), table, owns, hint }
    }

    fn is_defined_around(&self, ident: &Ident) -> bool {
        self.scopes.iter().any(|scope| scope.names.contains(&self.cte_name(ident)))
    }
}

fn writes(statement: &Statement) -> Step {
    let text = statement.to_string();
    refuse(SqlRefused::Writes(text.split(' ').next().unwrap_or_default().to_owned()))
}

/// Whether the parser took a string as a name. SQLite does too, but the lexer has changed its text.
fn is_string(ident: &Ident, grammar: &Grammar) -> bool {
    let quote = ident.quote_style;
    quote == Some('\'') || quote.is_some_and(|quote| grammar.string_quotes.contains(&quote))
}

fn is_dual(table: &Ident) -> bool {
    table.quote_style.is_none() && table.value.eq_ignore_ascii_case("dual")
}

#[cfg(test)]
mod tests {
    use super::super::refusal::MAX_SQL_BYTES;
    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    fn refusal(grammar: &'static Grammar, sql: &str) -> Option<String> {
        let mut owns = Owns::default();
        owns.add(["orders", "order_items", "sales.refunds", "oc_*"].map(str::to_owned).into());
        let refused = check(sql, grammar, &owns).err()?;
        let at = refused.place().map(|Place { line, column }| format!("{line}:{column}: "));
        Some(at.unwrap_or_default() + &refused.to_string())
    }

    #[rustfmt::skip]
    const ACCEPTED: &[(&Grammar, &str)] = &[
        (POSTGRES, "SELECT * FROM Orders o JOIN sales.refunds r USING (id) -- both are ours"),
        (POSTGRES, "VALUES (1, 'a'), (2, 'b')"),
        (POSTGRES, "SELECT DISTINCT ON (user_id) * FROM orders ORDER BY user_id, id DESC"),
        (POSTGRES, "(SELECT 1 FROM orders LIMIT 2) UNION ALL (SELECT 2 FROM orders LIMIT 2)"),
        (POSTGRES, "SELECT * FROM orders o, LATERAL (SELECT * FROM order_items i WHERE i.order_id = o.id ORDER BY 1 LIMIT 3) l"),
        (POSTGRES, "SELECT id, tag FROM orders, unnest(tags) tag, pg_catalog.generate_series(1, 3)"),
        (POSTGRES, "SELECT a LIKE 'x\\_' ESCAPE '\\', E'\\\\', $$it's FROM users$$, b @> '{}' FROM orders"),
        (POSTGRES, "WITH users AS (SELECT * FROM orders) SELECT * FROM users, \"users\" u"),
        (POSTGRES, "WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"),
        (POSTGRES, "WITH users AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM users) SELECT * FROM b) q"),
        (MYSQL, "SELECT REPLACE(a, '\\\\', '/'), \"it's\" FROM `Orders` # FROM users"),
        (MYSQL, "SELECT 1 FROM DUAL"),
        (MYSQL, "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"),
        (MYSQL, "SELECT * FROM orders, JSON_TABLE(items, '$[*]' COLUMNS (sku TEXT PATH '$.sku')) j"),
        (POSTGRES, "SELECT * FROM public.orders JOIN \"oc_Product\" USING (id)"),
        (MYSQL, "SELECT * FROM OC_product"),
        (SQLITE, "SELECT * FROM main.orders"),
        (SQLITE, "SELECT [a], 'b\\' FROM ORDERS, json_each(orders.items)"),
    ];

    #[test]
    fn accepts_what_reads_owned_tables_only() {
        for &(grammar, sql) in ACCEPTED {
            assert_eq!(refusal(grammar, sql), None, "{grammar:?}: {sql}");
        }
    }

    #[rustfmt::skip]
    const REFUSED: &[(&Grammar, &str, &str)] = &[
        (POSTGRES, "", "Write one SELECT"),
        (POSTGRES, "DROP VIEW v", "cannot be read as one query"),
        (POSTGRES, "SELECT 1) q, (SELECT 2", "1:9: the SQL cannot be read as one query: Expected: "),
        (POSTGRES, "SELECT 1 FROM orders;", "Remove it"),
        (POSTGRES, "DELETE FROM orders", "the SQL writes (DELETE)"),
        (POSTGRES, "WITH x AS (UPDATE orders SET a = 1 RETURNING *) SELECT * FROM x", "writes (UPDATE)"),
        (POSTGRES, "SELECT * INTO x FROM orders", "INTO"),
        (POSTGRES, "SELECT * FROM (SELECT * FROM orders FOR UPDATE) q", "locks rows"),
        (POSTGRES, "TABLE users", "TABLE form"),
        (POSTGRES, "SELECT * FROM orders LIMIT 5", "`order_by` and `limit`"),
        (POSTGRES, "(SELECT * FROM orders FETCH FIRST ROW ONLY)", "`order_by` and `limit`"),
        (POSTGRES, "SELECT * FROM orders ORDER BY id", "`order_by` and `limit`"),
        // Tables of other contexts, anywhere in the query.
        (POSTGRES, "SELECT *\nFROM users", "2:6: the query reads table `users`, which is not in `owns` (`orders`, `order_items`, `sales.refunds`, `oc_*`). Add it"),
        (POSTGRES, "SELECT * FROM ordres", "Did you mean `orders`?"),
        (POSTGRES, "SELECT * FROM \"Orders\"", "Did you mean `orders`?"),
        (POSTGRES, "SELECT * FROM secret.orders", "table `secret.orders`"),
        (POSTGRES, "SELECT * FROM secret.oc_product", "table `secret.oc_product`"),
        (MYSQL, "SELECT * FROM public.orders", "table `public.orders`"),
        (POSTGRES, "SELECT * FROM refunds", "Did you mean `sales.refunds`?"),
        (POSTGRES, "SELECT * FROM \"sales.refunds\"", "reads table"),
        (POSTGRES, "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM users)) FROM orders", "`users`"),
        (POSTGRES, "SELECT 1 FROM generate_series(1, (SELECT max(id) FROM users))", "`users`"),
        (POSTGRES, "SELECT 1 UNION SELECT 2 EXCEPT SELECT id FROM users", "`users`"),
        (SQLITE, "SELECT 1 FROM orders WHERE id IN users", "found: users"),
        // Names in WITH, out of scope.
        (POSTGRES, "WITH users AS (SELECT * FROM users) SELECT * FROM users", "not in scope there"),
        (POSTGRES, "WITH a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a", "not in scope there"),
        (POSTGRES, "WITH users AS (SELECT 1) SELECT * FROM public.users", "`public.users`"),
        (POSTGRES, "(WITH users AS (SELECT 1) SELECT * FROM users) UNION SELECT * FROM users", "1:68: "),
        (POSTGRES, "WITH \"Users\" AS (SELECT 1) SELECT * FROM users", "`users`"),
        (MYSQL, "WITH RECURSIVE a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a", "not in scope there"),
        (MYSQL, "WITH users AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT * FROM users) SELECT * FROM b) q", "not in scope there"),
        (MYSQL, "WITH users AS (SELECT 1) SELECT * FROM Users", "`Users`"),
        // Functions.
        (POSTGRES, "SELECT * FROM dblink('x', 'SELECT 1') AS t(a int)", "`dblink` in FROM"),
        (POSTGRES, "SELECT * FROM ONLY (users)", "`ONLY` in FROM"),
        (POSTGRES, "SELECT pg_catalog.query_to_xml('SELECT 1', true, true, '')", "query_to_xml` is not allowed"),
        (POSTGRES, "SELECT 1 FROM orders WHERE \"pg_sleep\"(1) IS NULL", "pg_sleep"),
        (POSTGRES, "SELECT U&\"pg\\005fsleep\"(1)", "U& escapes"),
        (MYSQL, "SELECT {fn LOAD_FILE('/etc/passwd')}", "`LOAD_FILE` is not allowed"),
        (SQLITE, "SELECT * FROM pragma_table_info('users')", "pragma_table_info"),
        // Tricks that hide a table from the parser or the database.
        (MYSQL, "SELECT 1 /*! , (SELECT id FROM users) */", "run the text inside"),
        (MYSQL, "SELECT '\\', (SELECT id FROM users) -- '", "two quotes"),
        (MYSQL, "SELECT 1.5FROM users", "directly followed by a word"),
        (MYSQL, "SELECT 1 --/**/`a`FROM users", "two minus signs"),
        (MYSQL, "SELECT $$, (SELECT id FROM users), $$ FROM orders", "variable"),
        (POSTGRES, "SELECT E'a'\n'\\'', (SELECT id FROM users) --'", "two quotes"),
        (POSTGRES, "SELECT 1 |-- '\n (SELECT id FROM users) --'", "`users`"),
        (POSTGRES, "SELECT /* /* */ ' */ (SELECT id FROM users) /* ' */", "`/*` inside"),
        (POSTGRES, "SELECT a$$b, (SELECT id FROM users), c$$d FROM orders", "`users`"),
        (POSTGRES, "SELECT 1 --\r, (SELECT id FROM users)", "`users`"),
        (POSTGRES, "SELECT 1 FROM\u{a0}users", "outside quotes"),
        (SQLITE, "SELECT '\\' FROM users --'", "`users`"),
        (SQLITE, "SELECT * FROM 'users'", "is a string"),
    ];

    #[test]
    fn refuses_with_the_reason() {
        for &(grammar, sql, words) in REFUSED {
            let text =
                refusal(grammar, sql).unwrap_or_else(|| panic!("accepted {grammar:?}: {sql}"));
            assert!(text.contains(words), "{grammar:?}: {sql}\n{text}");
        }
    }

    #[test]
    fn survives_what_is_deep_or_long() {
        for piece in
            ["(", "(SELECT ", "+1", " JOIN a", " UNION SELECT 1", " REGEXP a", "::a", "CASE "]
        {
            for size in [MAX_SQL_BYTES - 32, 2 * MAX_SQL_BYTES] {
                let sql = format!("SELECT 1 FROM users {}", piece.repeat(size / piece.len()));
                for grammar in [POSTGRES, MYSQL, SQLITE] {
                    assert!(refusal(grammar, &sql).is_some(), "{grammar:?}: {piece}");
                }
            }
        }
    }
}
