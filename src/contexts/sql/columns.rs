//! The columns that a query returns, as far as its text names them.

use sqlparser::ast::{Query, Select, SetExpr};

use super::parse::{stored_name, with_query};
use super::purity::may_be_text;
use super::scope::{self, Column};
use crate::application::ports::grammar::Grammar;

/// The names of a checked query's columns; of one that the database names, `None`. Nothing where the
/// text does not say how many there are.
pub fn columns(sql: &str, grammar: &'static Grammar) -> Option<Vec<Option<String>>> {
    let read = with_query(sql, grammar, |query| Ok(of_query(query, grammar)));
    read.ok().flatten()
}

fn of_query(query: &Query, grammar: &'static Grammar) -> Option<Vec<Option<String>>> {
    let columns = scope::columns(first_select(&query.body)?);
    let name = |column: Column<'_>| {
        let name = column.name().filter(|name| !may_be_text(name, grammar));
        let name = name.map(|name| stored_name(name, grammar));
        matches!(column, Column::One(..)).then_some(name)
    };
    columns.map(name).collect()
}

/// The SELECT that names the columns.
fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES};

    #[test]
    fn columns_are_named_by_the_first_select() {
        let named = |grammar, sql| {
            let columns = columns(sql, grammar)?.into_iter();
            let shown: Vec<String> = columns.map(|name| name.unwrap_or("?".to_owned())).collect();
            Some(shown.join(" "))
        };
        for (grammar, sql, expected) in [
            (POSTGRES, "SELECT Id, p.Name, 1 AS \"One\", 2 FROM p", Some("id name One ?")),
            (MYSQL, "SELECT Id, `p`.`Name`, now() `Now` FROM p", Some("Id Name Now")),
            (
                POSTGRES,
                "WITH a AS (SELECT 1 AS b) (SELECT b FROM a) UNION SELECT 2 AS c",
                Some("b"),
            ),
            (POSTGRES, "SELECT p.*, 1 AS n FROM p", None),
            (POSTGRES, "VALUES (1, 2)", None),
        ] {
            assert_eq!(named(grammar, sql).as_deref(), expected, "{sql}");
        }
    }
}
