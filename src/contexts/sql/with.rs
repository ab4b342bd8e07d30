//! Where a query's WITH ends and its SELECT begins.
//!
//! A database that finds a WITH inside of a subquery works the whole subquery out before it sorts
//! and limits. So the queries that are made of a definition have its WITH in front.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::lexer::harmless_text;
use super::parse::{on_deep_stack, parse};
use super::refusal::place;
use crate::application::ports::grammar::Grammar;

/// How many bytes of a checked query are the WITH that it begins with; 0: none.
pub fn leading_with(sql: &str, grammar: &'static Grammar) -> usize {
    let Ok(text) = harmless_text(sql, grammar) else {
        return 0;
    };
    let select = on_deep_stack(|| {
        parse(&text, grammar, |parser| {
            if !parser.parse_keyword(Keyword::WITH) {
                parser.parse_query()?;
                return Ok(None);
            }
            let _ = parser.parse_keyword(Keyword::RECURSIVE);
            parser.parse_comma_separated(Parser::parse_cte)?;
            let select = place(parser.peek_token().span.start);
            parser.parse_query()?;
            Ok(Some(select))
        })
    });
    match select {
        Ok(Some(select)) => select.byte(sql).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    #[test]
    fn a_with_ends_where_its_select_begins() {
        for (grammar, with, select) in [
            (POSTGRES, "", "SELECT 1"),
            (POSTGRES, "", "(WITH a AS (SELECT 1) SELECT * FROM a)"),
            (POSTGRES, "", "SELECT * FROM (WITH a AS (SELECT 1) SELECT 1) q"),
            (
                POSTGRES,
                "\n  with recursive a(n) AS MATERIALIZED (VALUES (1)),\n b AS (SELECT 'SELECT é') -- é SELECT\n",
                "SELECT * FROM a, b",
            ),
            (POSTGRES, "WITH a AS (SELECT 1) ", "(SELECT * FROM a) UNION (SELECT * FROM a)"),
            (MYSQL, "WITH a AS (SELECT 1 FROM `é`) ", "SELECT * FROM a"),
            (
                SQLITE,
                "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a)\n/* SELECT */ ",
                "SELECT * FROM a",
            ),
        ] {
            let sql = format!("{with}{select}");
            assert_eq!(leading_with(&sql, grammar), with.len(), "{sql}");
        }
        assert_eq!(leading_with("WITH a AS (SELECT 1", POSTGRES), 0);
    }
}
