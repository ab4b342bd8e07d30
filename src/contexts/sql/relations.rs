//! The tables that a query reads, for people.

use std::ops::ControlFlow;

use sqlparser::ast::{TableFactor, Visit};

use super::parse::with_query;
use super::scope;
use super::walk::{Node, walk};
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
    let mut finder = Finder::default();
    let _ = walk(tree, |node| finder.collect(node));
    let Finder { mut found, with } = finder;
    found.retain(|relation| !with.contains(&relation.table.to_ascii_lowercase()));
    found
}

#[derive(Default)]
struct Finder {
    found: Vec<Relation>,
    /// Names of queries in WITH, in lower case.
    with: Vec<String>,
}

impl Finder {
    fn collect(&mut self, node: Node<'_>) -> ControlFlow<()> {
        match node {
            Node::Query(query) => {
                let named = query.with.iter().flat_map(|with| &with.cte_tables);
                let names = named.map(|cte| cte.alias.name.value.to_ascii_lowercase());
                self.with.extend(names);
            }
            Node::Table(factor) => {
                let relation = Relation::of(factor);
                let is_new = |relation: &Relation| !self.found.contains(relation);
                self.found.extend(relation.filter(is_new));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
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
