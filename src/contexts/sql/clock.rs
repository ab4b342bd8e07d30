//! Finds definitions that compare the database's clock with stored columns.
//!
//! Sessions run in UTC. If the shop's applications store times in another zone, `NOW()` is hours
//! off, and the selection is empty or far too large without an error.

use sqlparser::ast::{BinaryOperator, Expr, Visit};

use super::parse::{lists, with_query};
use super::scope::called_function;
use super::walk::{Node, each};
use crate::application::ports::grammar::Grammar;

/// Words for the current time in the session's time zone.
const CLOCK: &str = "clock_timestamp curdate current_date current_time current_timestamp curtime \
    localtime localtimestamp now statement_timestamp sysdate transaction_timestamp";

/// Functions that convert a time to a zone that the definition names.
const ZONED: &str = "convert_tz timezone";

/// A use of the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockUse {
    /// The word for the current time, as written.
    pub word: String,
    /// The names in the same comparisons: columns that may hold another time zone.
    pub columns: Vec<String>,
    /// The tables and views that the query reads.
    pub tables: Vec<String>,
}

/// All uses of the clock in a checked query together; `None`: it compares nothing with the clock.
pub fn clock_use(sql: &str, grammar: &'static Grammar) -> Option<ClockUse> {
    let found = with_query(sql, grammar, |query| {
        let mut found = ClockUse::default();
        each(query, |node| found.collect(node));
        Ok(found)
    });
    found.ok().filter(|found| !found.word.is_empty())
}

impl ClockUse {
    /// Collects the relations, and the comparisons that involve the clock.
    fn collect(&mut self, node: Node<'_>) {
        let compares = match node {
            Node::Relation(relation) => {
                self.tables.push(relation.to_string());
                None
            }
            Node::Expr(expr @ Expr::BinaryOp { op, .. }) => is_comparison(op).then_some(expr),
            Node::Expr(expr @ (Expr::Between { .. } | Expr::InList { .. })) => Some(expr),
            _ => None,
        };
        if let Some(words) = compares.map(Words::of)
            && let Some(word) = words.unzoned()
        {
            self.word = word;
            self.columns.extend(words.columns);
        }
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq, Spaceship};
    matches!(op, Eq | NotEq | Gt | GtEq | Lt | LtEq | Spaceship)
}

/// The words for the clock and the names in an expression.
#[derive(Default)]
struct Words {
    clock: Vec<String>,
    /// Those of them that are inside a conversion to a zone.
    zoned: usize,
    columns: Vec<String>,
}

impl Words {
    fn of(tree: &impl Visit) -> Self {
        let mut words = Self::default();
        each(tree, |node| words.collect(node));
        words
    }

    /// A word for the current time without a named zone.
    fn unzoned(&self) -> Option<String> {
        let is_all_zoned = self.zoned >= self.clock.len();
        (!is_all_zoned).then(|| self.clock.first().cloned())?
    }

    fn collect(&mut self, node: Node<'_>) {
        let Node::Expr(expr) = node else { return };
        match expr {
            Expr::Identifier(word) if is_clock(word.quote_style, &word.value) => {
                self.clock.push(word.to_string());
            }
            Expr::Identifier(name) => self.columns.push(name.value.clone()),
            Expr::CompoundIdentifier(names) => {
                self.columns.extend(names.last().map(|name| name.value.clone()));
            }
            Expr::AtTimeZone { timestamp, .. } => {
                self.zoned += Self::of(&**timestamp).clock.len();
            }
            Expr::Function(function) if lists(CLOCK, &called_function(function)) => {
                self.clock.push(function.to_string());
            }
            Expr::Function(function) if lists(ZONED, &called_function(function)) => {
                self.zoned += Self::of(&function.args).clock.len();
            }
            _ => {}
        }
    }
}

fn is_clock(quote: Option<char>, word: &str) -> bool {
    quote.is_none() && lists(CLOCK, &word.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES};

    fn found(grammar: &'static Grammar, condition: &str) -> Option<(String, String)> {
        let sql = format!("SELECT id FROM shop.t WHERE {condition}");
        let found = clock_use(&sql, grammar)?;
        assert_eq!(found.tables.join(" "), "shop.t", "{sql}");
        Some((found.word, found.columns.join(" ")))
    }

    #[test]
    fn what_is_compared_with_the_clock_is_found() {
        for (grammar, condition, word, columns) in [
            (MYSQL, "seen > now() - INTERVAL 1 HOUR", "now()", "seen"),
            (MYSQL, "CURDATE() BETWEEN t.a AND t.b", "CURDATE()", "a b"),
            (MYSQL, "id = 1 OR DATE(made) = CURRENT_DATE", "CURRENT_DATE", "made"),
            (POSTGRES, "seen > now() - interval '1 hour'", "now()", "seen"),
            (POSTGRES, "CURRENT_DATE IN (a, b)", "CURRENT_DATE", "a b"),
            (POSTGRES, "id IN (SELECT 1 WHERE made < LOCALTIMESTAMP)", "LOCALTIMESTAMP", "made"),
        ] {
            let expected = Some((word.to_owned(), columns.to_owned()));
            assert_eq!(found(grammar, condition), expected, "{condition}");
        }
    }

    #[test]
    fn a_moment_in_a_zone_that_is_named_is_none_of_the_sessions() {
        for (grammar, condition) in [
            (POSTGRES, "seen > now() AT TIME ZONE 'Europe/Berlin'"),
            (POSTGRES, "seen > timezone('Europe/Berlin', now())"),
            (MYSQL, "seen > CONVERT_TZ(NOW(), '+00:00', 'SYSTEM')"),
            (MYSQL, "seen > UTC_TIMESTAMP()"),
            (MYSQL, "seen > '2026-01-01' AND name = 'now()'"),
            (MYSQL, "`now` > 5"),
        ] {
            assert_eq!(found(grammar, condition), None, "{condition}");
        }
    }
}
