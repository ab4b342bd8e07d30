//! The tables that a query reads, for people.

use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, TableAlias, TableFactor, Visit};

use super::parse::{identifiers, with_query};
use super::walk::{Node, walk};
use crate::application::ports::grammar::Grammar;

/// A table in FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub table: String,
    /// What the query calls it.
    pub alias: String,
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
            Node::Table(TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            }) => self.table(name, alias.as_ref()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) {
        let Some(parts) = identifiers(name) else {
            return;
        };
        let names: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        let alias = alias.map_or(names[names.len() - 1], |alias| &alias.name.value);
        let relation = Relation {
            table: names.join("."),
            alias: alias.to_owned(),
        };
        if !self.found.contains(&relation) {
            self.found.push(relation);
        }
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
