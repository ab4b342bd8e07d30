//! Finds the one table that a query reads row by row.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, DataType, Expr, Query};

use super::changes::{check_wildcard, plain_select, tables};
use super::parse::{stored_name, with_query};
use super::purity::{PURE_FUNCTIONS, Why, check_pure};
use super::scope::{self, Column, called_function};
use super::walk::{Node, walk};
use crate::application::ports::grammar::Grammar;
use crate::domain::portion::OneTable;

/// The table of a checked query of which each row is made of one row and nothing else, so that it
/// changes only with that row.
///
/// # Errors
/// Why it is not such a query, for people.
pub fn one_table(sql: &str, grammar: &'static Grammar) -> Result<OneTable, String> {
    let read = with_query(sql, grammar, |query| Ok(of_query(query, grammar)));
    read.map_err(|refused| refused.to_string())?.map_err(str::to_owned)
}

fn of_query(query: &Query, grammar: &'static Grammar) -> Result<OneTable, Why> {
    let select = plain_select(query)?;
    let mut tables = tables(select, grammar)?;
    let table = tables.pop().filter(|table| tables.is_empty() && table.is_plain);
    let table = table.ok_or("it reads more than one plain table")?;
    check_pure(&select.selection, grammar, PURE_FUNCTIONS)?;
    for column in scope::columns(select) {
        match column {
            Column::One(expr, _) => check_pure(expr, grammar, PURE_FUNCTIONS)?,
            Column::All(_, options) => check_wildcard(options)?,
            Column::Other => return Err("it has a column of an unknown kind"),
        }
    }
    let (columns, given, functions) = (Vec::new(), Vec::new(), Vec::new());
    let mut found = OneTable { name: table.name, columns, given, functions };
    let end = walk(query, |node| match node {
        Node::Expr(expr) => note(expr, grammar, &mut found),
        _ => ControlFlow::Continue(()),
    });
    end.break_value().map_or(Ok(found), Err)
}

/// Notes what an expression names. Kinds of expressions that may call a function of somebody's own are
/// refused.
fn note(expr: &Expr, grammar: &'static Grammar, found: &mut OneTable) -> ControlFlow<Why> {
    use Expr::{
        Between, BinaryOp, Case, Cast, Ceil, CompoundIdentifier, Floor, Function, ILike,
        Identifier, InList, IsDistinctFrom, IsFalse, IsNotDistinctFrom, IsNotFalse, IsNotNull,
        IsNotTrue, IsNull, IsTrue, Like, Nested, Position, Substring, Trim, TypedString, UnaryOp,
        Value,
    };
    let is_plain = match expr {
        Identifier(name) => {
            found.columns.push(stored_name(name, grammar));
            true
        }
        CompoundIdentifier(parts) => {
            found.columns.extend(parts.last().map(|name| stored_name(name, grammar)));
            parts.len() == 2
        }
        Function(function) => {
            found.functions.push(called_function(function));
            true
        }
        Cast { data_type, .. } => !matches!(data_type, DataType::Custom(..) | DataType::Regclass),
        BinaryOp { op, .. } => {
            !matches!(op, BinaryOperator::Custom(_) | BinaryOperator::PGCustomBinaryOperator(_))
        }
        Value(_) | TypedString(_) | UnaryOp { .. } | Nested(_) | Case { .. } => true,
        Trim { .. } | Substring { .. } | Position { .. } | Ceil { .. } | Floor { .. } => true,
        InList { .. } | Between { .. } | Like { .. } | ILike { .. } => true,
        IsNull(_) | IsNotNull(_) | IsTrue(_) | IsNotTrue(_) | IsFalse(_) | IsNotFalse(_) => true,
        IsDistinctFrom(..) | IsNotDistinctFrom(..) => true,
        _ => false,
    };
    match is_plain {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break("it has an expression that may depend on more than its row"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::POSTGRES;

    #[test]
    fn what_it_names_is_for_the_database_to_check() {
        let sql = "SELECT p.id, Upper(NAME) AS n, \"Rating\" FROM products p WHERE stock > 0";
        let found = one_table(sql, POSTGRES).expect("one table");
        assert_eq!(found.columns, ["id", "name", "Rating", "stock"]);
        assert_eq!(found.functions, ["upper"]);
    }

    #[test]
    fn only_a_query_whose_rows_are_rows_of_one_table_has_one() {
        for sql in [
            "SELECT * FROM products",
            "SELECT p.id, upper(p.name) AS name FROM public.products p WHERE p.price > :price",
            "SELECT id, CASE WHEN stock > 0 THEN 'yes' ELSE 'no' END AS stock FROM products",
        ] {
            assert!(one_table(sql, POSTGRES).is_ok(), "{sql}");
        }
        for sql in [
            "SELECT p.id FROM products p JOIN brands b ON b.id = p.brand_id",
            "SELECT id, (SELECT name FROM brands b WHERE b.id = p.brand_id) AS b FROM products p",
            "SELECT id FROM products WHERE published_at < now()",
            "SELECT id FROM products WHERE published_at < CURRENT_TIMESTAMP",
            "SELECT id FROM products WHERE published_at < 'now'::timestamptz",
            "SELECT id, max(price) FROM products GROUP BY id",
            "SELECT DISTINCT id FROM products",
            "SELECT max(price) AS id FROM products",
            "SELECT unnest(ids) AS id FROM products",
            "SELECT id, row_number() OVER () AS n FROM products",
            "SELECT id FROM products UNION ALL SELECT id FROM products",
            "WITH p AS (SELECT * FROM products) SELECT id FROM p",
            "SELECT id FROM generate_series(1, 3) AS g (id)",
            "SELECT id FROM products TABLESAMPLE SYSTEM (10)",
            "SELECT id, random() AS r FROM products",
            "SELECT id, (p).rating FROM products p",
            "SELECT id, price::money_of_ours AS price FROM products",
            "SELECT id, a OPERATOR(ours.+) b AS c FROM products",
        ] {
            assert!(one_table(sql, POSTGRES).is_err(), "{sql}");
        }
    }
}
