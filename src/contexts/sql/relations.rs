//! The tables that a query reads, for people.

use sqlparser::ast::{TableFactor, Visit};

use super::parse::with_query;
use super::scope;
use super::walk::{Node, each};
use crate::application::ports::grammar::Grammar;

/// A table in FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub table: String,
    /// What the query calls it.
    pub alias: String,
}

impl Relation {
    pub(super) fn of(factor: &TableFactor) -> Option<Self> {
        let parts = scope::table(factor)?.into_iter();
        let parts: Vec<&str> = parts.map(|part| part.value.as_str()).collect();
        let (table, alias) = (parts.join("."), scope::called(factor)?.value.clone());
        Some(Self { table, alias })
    }
}

/// The tables of a checked query, each name and alias once, in order.
pub fn relations(sql: &str, grammar: &'static Grammar) -> Vec<Relation> {
    let read = with_query(sql, grammar, |query| Ok(relations_in(query)));
    read.unwrap_or_default()
}

/// The same of a part of a query.
pub(super) fn relations_in(tree: &impl Visit) -> Vec<Relation> {
    let (mut found, mut with) = (Vec::new(), Vec::new());
    each(tree, |node| match node {
        Node::Query(query) => {
            let named = query.with.iter().flat_map(|with| &with.cte_tables);
            with.extend(named.map(|cte| cte.alias.name.value.to_ascii_lowercase()));
        }
        Node::Table(factor) => {
            let relation = Relation::of(factor);
            let is_new = |relation: &Relation| !found.contains(relation);
            let relation = relation.filter(is_new);
            found.extend(relation);
        }
        _ => {}
    });
    found.retain(|relation| !with.contains(&relation.table.to_ascii_lowercase()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::POSTGRES;

    #[test]
    fn tables_are_named_without_what_a_with_defines() {
        let sql =
            "WITH x AS (SELECT 1 FROM a) SELECT (SELECT 1 FROM s.b c) FROM a d JOIN x ON true";
        let found = relations(sql, POSTGRES).into_iter();
        let shown: Vec<String> = found.map(|r| format!("{} {}", r.table, r.alias)).collect();
        assert_eq!(shown, ["a a", "s.b c", "a d"]);
    }
}
