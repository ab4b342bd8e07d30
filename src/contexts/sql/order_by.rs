//! A definition's `order_by`.

use sqlparser::ast::{Expr, OrderByExpr, OrderBySort};
use sqlparser::parser::Parser;

use super::lexer::harmless_text;
use super::parse::{on_deep_stack, parse, stored_name};
use super::refusal::SqlRefused;
use crate::application::ports::grammar::Grammar;

/// Checks `order_by`: a list of plain columns with ASC/DESC and NULLS FIRST/LAST.
///
/// Returns the names of the columns in order, as the database stores them.
pub fn order_by_columns(
    order_by: &str,
    grammar: &'static Grammar,
) -> Result<Vec<String>, SqlRefused> {
    let refuse = |why: String| SqlRefused::OrderBy(why);
    let unread = |error: SqlRefused| match error {
        SqlRefused::Unreadable(why) => refuse(format!("cannot be read: {why}")),
        other => refuse(format!("cannot be read. {other}")),
    };
    let text = harmless_text(order_by, grammar).map_err(unread)?;
    if text != order_by {
        return Err(refuse("has a comment or a string".to_owned()));
    }
    on_deep_stack(|| {
        let items = parse(&text, grammar, |parser| {
            parser.parse_comma_separated(Parser::parse_order_by_expr)
        });
        items
            .map_err(unread)?
            .into_iter()
            .map(|item| order_by_column(item, grammar).map_err(refuse))
            .collect()
    })
}

fn order_by_column(item: OrderByExpr, grammar: &'static Grammar) -> Result<String, String> {
    if matches!(item.options.sort, Some(OrderBySort::Using(_))) || item.with_fill.is_some() {
        return Err("sorts by something other than ASC or DESC".to_owned());
    }
    if !grammar.sorts_nulls && item.options.nulls_first.is_some() {
        return Err(
            "has NULLS FIRST or NULLS LAST, which MySQL and MariaDB do not support".to_owned(),
        );
    }
    match item.expr {
        Expr::Identifier(column) => Ok(stored_name(&column, grammar)),
        other => Err(format!("has `{other}`, which is not a plain column")),
    }
}
