//! Finds the table that a query can be divided by.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, DataType, Expr, JoinOperator, Query, Select, TableFactor};

use super::changes::{Table, check_wildcard, plain_select, table};
use super::key_rows::key_rows;
use super::parse::{stored_name, with_query};
use super::purity::{PURE_FUNCTIONS, Why, check_pure};
use super::scope::{self, Column, called_function, inner, left};
use super::walk::{Node, walk};
use crate::application::ports::grammar::Grammar;
use crate::domain::portion::{Alone, DrivingTable};

/// The table of a checked query that begins with it: each row is made of one of its rows, alone or with
/// rows that are joined to it.
///
/// # Errors
/// Why it is not such a query, for people.
pub fn driving_table(sql: &str, grammar: &'static Grammar) -> Result<DrivingTable, String> {
    let read = with_query(sql, grammar, |query| Ok(of_query(query, grammar)));
    read.map_err(|refused| refused.to_string())?.map_err(str::to_owned)
}

fn of_query(query: &Query, grammar: &'static Grammar) -> Result<DrivingTable, Why> {
    let select = plain_select(query)?;
    let tables = tables(select, grammar)?;
    let first = tables.first().ok_or("it reads no table")?;
    let (name, alias) = (first.name.clone(), first.alias.clone());
    let is_alone = tables.len() == 1;
    let is_whole = select.selection.is_none() && scope::from(select).skip(1).all(is_left);
    check_pure(&select.selection, grammar, PURE_FUNCTIONS)?;
    check_pure(&select.from, grammar, PURE_FUNCTIONS)?;
    for column in scope::columns(select) {
        match column {
            Column::One(expr, _) => check_pure(expr, grammar, PURE_FUNCTIONS)?,
            Column::All(_, options) => check_wildcard(options)?,
            Column::Other => return Err("it has a column of an unknown kind"),
        }
    }
    let mut found = Alone::default();
    let end = walk(query, |node| match node {
        Node::Expr(expr) => note(expr, grammar, &mut found),
        _ => ControlFlow::Continue(()),
    });
    if let Some(why) = end.break_value() {
        return Err(why);
    }
    let tables = tables.into_iter().map(|table| (table.name, table.alias)).collect();
    let joined = (!is_alone).then(|| key_rows(grammar, select, tables, &[]));
    let alone = (is_alone && grammar.names_writers).then_some(found);
    Ok(DrivingTable { name, alias, joined, is_whole, alone })
}

fn is_left((_, join): (&TableFactor, Option<&JoinOperator>)) -> bool {
    join.is_some_and(|join| left(join).is_some())
}

/// All tables, where the first keeps its rows apart.
fn tables(select: &Select, grammar: &'static Grammar) -> Result<Vec<Table>, Why> {
    let mut tables = Vec::new();
    for (factor, join) in scope::from(select) {
        if join.is_some_and(|join| inner(join).or(left(join)).is_none()) {
            return Err("it has a join that is neither an inner nor a left one");
        }
        let table = table(factor, grammar)?;
        if !table.is_plain {
            return Err("a table in FROM has hints, partitions or renamed columns");
        }
        tables.push(table);
    }
    Ok(tables)
}

/// Notes what an expression names. Kinds of expressions that may call a function of somebody's own are
/// refused.
fn note(expr: &Expr, grammar: &'static Grammar, found: &mut Alone) -> ControlFlow<Why> {
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
    fn what_is_joined_to_a_table_leaves_it_the_driving_one() {
        for sql in [
            "SELECT p.id, b.name FROM products p JOIN brands b ON b.id = p.brand_id",
            "SELECT p.id, b.name FROM products p LEFT JOIN brands b USING (brand_id)",
            "SELECT p.id, b.name FROM products AS p, brands b WHERE b.id = p.brand_id",
        ] {
            let found = driving_table(sql, POSTGRES).expect("a table");
            assert_eq!((&*found.alias, found.alone), ("p", None), "{sql}");
            assert_eq!(found.joined.expect("joins").tables.len(), 2, "{sql}");
        }
    }

    #[test]
    fn what_it_names_is_for_the_database_to_check() {
        let sql = "SELECT p.id, Upper(NAME) AS n, \"Rating\" FROM products p WHERE stock > 0";
        let found = driving_table(sql, POSTGRES).expect("one table").alone.expect("alone");
        assert_eq!(found.columns, ["id", "name", "Rating", "stock"]);
        assert_eq!(found.functions, ["upper"]);
    }

    #[test]
    fn only_a_query_whose_rows_are_made_of_rows_of_its_first_table_has_one() {
        for sql in [
            "SELECT * FROM products",
            "SELECT p.id, upper(p.name) AS name FROM public.products p WHERE p.price > :price",
            "SELECT id, CASE WHEN stock > 0 THEN 'yes' ELSE 'no' END AS stock FROM products",
        ] {
            assert!(driving_table(sql, POSTGRES).is_ok(), "{sql}");
        }
        for sql in [
            "SELECT p.id FROM products p RIGHT JOIN brands b ON b.id = p.brand_id",
            "SELECT p.id FROM products p FULL JOIN brands b ON b.id = p.brand_id",
            "SELECT p.id FROM products p JOIN brands b ON b.since < now()",
            "SELECT p.id FROM products p JOIN (SELECT id FROM brands LIMIT 1) b ON b.id = p.brand_id",
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
            assert!(driving_table(sql, POSTGRES).is_err(), "{sql}");
        }
    }
}
