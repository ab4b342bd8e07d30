//! Walks a parsed query. All walks share one visitor: a visitor of its own for each would compile
//! the walk over every kind of node again.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, Statement, TableFactor, Visit, Visitor};

/// A node, before the nodes inside it.
pub(super) enum Node<'a> {
    Query(&'a Query),
    /// After all nodes of a query.
    EndOfQuery,
    Statement(&'a Statement),
    Relation(&'a ObjectName),
    Table(&'a TableFactor),
    Expr(&'a Expr),
}

/// Calls `step` for each node until it breaks.
pub(super) fn walk<B>(
    tree: &impl Visit,
    mut step: impl FnMut(Node<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut end = ControlFlow::Continue(());
    let _ = tree.visit(&mut Walk(&mut |node| {
        end = step(node);
        match end {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(_) => ControlFlow::Break(()),
        }
    }));
    end
}

/// Calls `step` for every node.
pub(super) fn each(tree: &impl Visit, mut step: impl FnMut(Node<'_>)) {
    let _ = walk(tree, |node| {
        step(node);
        ControlFlow::<()>::Continue(())
    });
}

struct Walk<'w>(&'w mut dyn FnMut(Node<'_>) -> ControlFlow<()>);

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        (self.0)(Node::Query(query))
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        (self.0)(Node::EndOfQuery)
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        (self.0)(Node::Statement(statement))
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        (self.0)(Node::Relation(relation))
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        (self.0)(Node::Table(table))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        (self.0)(Node::Expr(expr))
    }
}
