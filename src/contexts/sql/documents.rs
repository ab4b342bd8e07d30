//! Finds out from a definition's SQL which of its columns are JSON documents.
//!
//! PostgreSQL reports this itself. SQLite has no such type, and MySQL and MariaDB lose it when a
//! document and a text are combined, as in `COALESCE(JSON_ARRAYAGG(id), '[]')`. So a column is a
//! document if its expression is a call of a JSON function, also through subqueries, WITH, COALESCE,
//! IFNULL, NULLIF, IF and CASE, and if every alternative is NULL or a literal that is JSON. Only the
//! database knows which table columns are documents: it is asked about the SQL [`without_literals`].

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType, Expr, Function, FunctionArg, FunctionArgExpr, Query,
    Select, SetExpr, TableFactor, Value, visit_expressions_mut,
};

use super::parse::{lists, on_deep_stack, parse_exactly};
use super::scope::{self, Column, called_function};
use crate::application::ports::grammar::{Documents, Grammar};

/// Functions of MySQL, MariaDB or SQLite that return a document.
const DOCUMENTS: &str = "json json_array json_array_append json_array_insert \
    json_array_intersect json_arrayagg json_compact json_detailed json_group_array \
    json_group_object json_insert json_keys json_loose json_merge json_merge_patch \
    json_merge_preserve json_normalize json_object json_object_filter_keys json_object_to_array \
    json_objectagg json_patch json_pretty json_query json_remove json_replace json_search json_set";

/// The result columns of a checked query that are documents.
pub fn columns(sql: &str, grammar: &'static Grammar) -> Vec<String> {
    let Some(reading) = Reading::of(grammar) else {
        return Vec::new();
    };
    let read = on_deep_stack(|| {
        let query = parse_exactly(sql, grammar, |parser| parser.parse_query())?;
        let names = reading.of_query(&query, &Tables::default());
        Ok(names.into_iter().collect())
    });
    // If only the database can parse the SQL, it alone knows the columns.
    read.unwrap_or_default()
}

/// The same query without the JSON literals in choices such as `COALESCE(doc, '[]')`, to ask the
/// database for its column types. `None`: it has no such choice.
pub fn without_literals(sql: &str, grammar: &'static Grammar) -> Option<String> {
    let reading = Reading::of(grammar)?;
    let written = on_deep_stack(|| {
        let mut query = parse_exactly(sql, grammar, |parser| parser.parse_query())?;
        let mut is_other = false;
        let _ = visit_expressions_mut(&mut query, |expr| {
            if let Some(rest) = reading.without_literals(expr) {
                *expr = rest;
                is_other = true;
            }
            ControlFlow::<()>::Continue(())
        });
        Ok(is_other.then(|| query.to_string()))
    });
    written.ok().flatten()
}

/// Column names in lower case.
type Names = BTreeSet<String>;

/// The known derived tables, and the documents in them.
type Tables = scope::Names<Names>;

/// The kind of an expression.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Document,
    /// NULL, or a literal that is JSON: takes the kind of the alternatives.
    Either,
    Other,
}

impl Kind {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Either, kind) | (kind, Self::Either) => kind,
            (Self::Document, Self::Document) => Self::Document,
            _ => Self::Other,
        }
    }
}

struct Reading {
    grammar: &'static Grammar,
    documents: &'static Documents,
}

impl Reading {
    /// `None`: the database itself reports documents.
    fn of(grammar: &'static Grammar) -> Option<Self> {
        let documents = grammar.documents.as_ref()?;
        Some(Self { grammar, documents })
    }

    fn of_query(&self, query: &Query, outer: &Tables) -> Names {
        let mut known = outer.clone();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let names = match cte.alias.columns.is_empty() {
                true => self.of_query(&cte.query, &known),
                false => Names::new(),
            };
            known.0.push((cte.alias.name.value.clone(), names));
        }
        self.of_body(&query.body, &known)
    }

    fn of_body(&self, body: &SetExpr, known: &Tables) -> Names {
        match body {
            SetExpr::Select(select) => self.of_select(select, known),
            SetExpr::Query(query) => self.of_query(query, known),
            // The first query names the columns; a text in any of them makes the column a text.
            SetExpr::SetOperation { left, right, .. } => {
                let (left, right) = (self.of_body(left, known), self.of_body(right, known));
                left.intersection(&right).cloned().collect()
            }
            _ => Names::new(),
        }
    }

    fn of_select(&self, select: &Select, known: &Tables) -> Names {
        let from = self.tables(select, known);
        let mut names = Names::new();
        for column in scope::columns(select) {
            match column {
                Column::One(expr, _) if self.kind(expr, &from, known) == Kind::Document => {
                    let name = column.name().map(|name| name.value.to_ascii_lowercase());
                    names.extend(name);
                }
                Column::All(None, _) => {
                    names.extend(from.0.iter().flat_map(|(_, names)| names.iter().cloned()));
                }
                Column::All(Some(table), _) => {
                    let documents = from.find(scope::last(table));
                    names.extend(documents.into_iter().flatten().cloned());
                }
                _ => {}
            }
        }
        names
    }

    /// The tables in FROM with known columns, by their names there.
    fn tables(&self, select: &Select, known: &Tables) -> Tables {
        let seen = scope::from(select).filter_map(|(factor, _)| {
            let names = match factor {
                TableFactor::Derived { subquery, .. } => self.of_query(subquery, known),
                TableFactor::Table { name, .. } => {
                    known.find(scope::last(name)).cloned().unwrap_or_default()
                }
                _ => return None,
            };
            Some((scope::called(factor)?.value.clone(), names))
        });
        scope::Names(seen.collect())
    }

    /// A choice without its NULLs and JSON literals; `None`: none of its alternatives is one, or all are.
    fn without_literals(&self, expr: &Expr) -> Option<Expr> {
        let nothing = Tables::default();
        let all = branches(expr)?;
        let is_either = |expr: &&Expr| self.kind(expr, &nothing, &nothing) == Kind::Either;
        let (literals, rest): (Vec<_>, Vec<&Expr>) = all.into_iter().partition(is_either);
        match (literals.is_empty(), rest.as_slice()) {
            (true, _) | (_, []) => None,
            (_, [one]) => Some((*one).clone()),
            _ => Some(one_of(&rest)),
        }
    }

    fn kind(&self, expr: &Expr, from: &Tables, known: &Tables) -> Kind {
        let document = |is_one: bool| if is_one { Kind::Document } else { Kind::Other };
        if let Some(branches) = branches(expr) {
            return self.kind_of_all(&branches, from, known);
        }
        match expr {
            Expr::Nested(inner) => self.kind(inner, from, known),
            Expr::Function(function) => self.kind_of_call(function, from, known),
            Expr::Subquery(query) => match &*query.body {
                SetExpr::Select(select) => match scope::columns(select).next() {
                    Some(Column::One(expr, _)) if select.projection.len() == 1 => {
                        self.kind(expr, &self.tables(select, known), known)
                    }
                    _ => Kind::Other,
                },
                _ => Kind::Other,
            },
            Expr::Cast { data_type, .. } => document(matches!(data_type, DataType::JSON)),
            Expr::BinaryOp { op, .. } => document(*op == BinaryOperator::Arrow),
            Expr::Identifier(column) => {
                let name = column.value.to_ascii_lowercase();
                document(from.0.iter().any(|(_, names)| names.contains(&name)))
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, column] => {
                    let name = column.value.to_ascii_lowercase();
                    let names = from.find(&table.value);
                    document(names.is_some_and(|names| names.contains(&name)))
                }
                _ => Kind::Other,
            },
            Expr::Value(value) => match &value.value {
                Value::Null => Kind::Either,
                Value::SingleQuotedString(text) if is_json(text) => Kind::Either,
                Value::DoubleQuotedString(text)
                    if self.grammar.string_quotes.contains(&'"') && is_json(text) =>
                {
                    Kind::Either
                }
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    fn kind_of_all(&self, all: &[&Expr], from: &Tables, known: &Tables) -> Kind {
        all.iter().fold(Kind::Either, |kind, expr| kind.and(self.kind(expr, from, known)))
    }

    fn kind_of_call(&self, function: &Function, from: &Tables, known: &Tables) -> Kind {
        let name = called_function(function);
        let arguments: Vec<&Expr> = arguments(function).collect();
        let Documents { functions, of_several } = self.documents;
        let is_one_of_several = arguments.len() > 2 && lists(of_several, &name);
        if lists(DOCUMENTS, &name) || lists(functions, &name) || is_one_of_several {
            return Kind::Document;
        }
        match (name.as_str(), arguments.as_slice()) {
            ("nullif" | "max" | "min" | "any_value", [first, ..]) => self.kind(first, from, known),
            _ => Kind::Other,
        }
    }
}

/// The alternatives of a choice.
fn branches(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result);
            Some(results.chain(else_result.as_deref()).collect())
        }
        Expr::Function(function) => {
            let all = arguments(function);
            match called_function(function).as_str() {
                "coalesce" | "ifnull" | "nvl" => Some(all.collect()),
                "if" | "iif" | "nvl2" => Some(all.skip(1).collect()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Builds a choice between expressions.
fn one_of(all: &[&Expr]) -> Expr {
    let when = |result: &&Expr| CaseWhen {
        condition: Expr::Value(Value::Null.into()),
        result: (*result).clone(),
    };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: all.iter().map(when).collect(),
        else_result: None,
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let arguments = scope::arguments(function).iter();
    arguments.filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    #[test]
    fn json_functions_make_documents() {
        for (grammar, sql, expected) in [
            (MYSQL, "SELECT JSON_OBJECT('a', 1) AS d, a FROM t", "d"),
            (MYSQL, "SELECT COALESCE(JSON_ARRAYAGG(a), '[]') AS d FROM t", "d"),
            (MYSQL, "SELECT COALESCE(JSON_ARRAYAGG(a), '') AS d FROM t", ""),
            (MYSQL, "SELECT COALESCE(a, '[]') AS d FROM t", ""),
            (MYSQL, "SELECT (SELECT JSON_ARRAYAGG(b.a) FROM b) AS d FROM t", "d"),
            (MYSQL, "SELECT CASE WHEN a THEN JSON_ARRAY(1) END AS d FROM t", "d"),
            (MYSQL, "SELECT IF(a, JSON_ARRAY(1), 'none') AS d FROM t", ""),
            (MYSQL, "SELECT CONCAT(JSON_ARRAY(1)) AS d FROM t", ""),
            (MYSQL, "SELECT JSON_UNQUOTE(JSON_EXTRACT(a, '$')) AS d FROM t", ""),
            (MYSQL, "SELECT JSON_EXTRACT(a, '$') AS d, a->'$.x' AS e FROM t", "d e"),
            (MYSQL, "SELECT q.*, 1 AS n FROM (SELECT JSON_ARRAY(a) AS D FROM t) q", "d"),
            (MYSQL, "SELECT IFNULL(q.d, '{}') AS e FROM (SELECT JSON_OBJECT() AS d) q", "e"),
            (MYSQL, "WITH q AS (SELECT JSON_ARRAY(a) AS d FROM t) SELECT x.d FROM q x", "d"),
            (MYSQL, "SELECT JSON_ARRAY() AS d UNION SELECT 'x' AS d", ""),
            (MYSQL, "SELECT JSON_ARRAY() AS d UNION SELECT JSON_OBJECT() AS d", "d"),
            (SQLITE, "SELECT json_group_array(a) AS d, json_extract(a, '$.x') AS e FROM t", "d"),
            (SQLITE, "SELECT json_extract(a, '$.x', '$.y') AS d, a ->> '$' AS e FROM t", "d"),
            (SQLITE, "SELECT json_quote(a) AS d FROM t", "d"),
            (POSTGRES, "SELECT json_agg(a) AS d FROM t", ""),
        ] {
            assert_eq!(columns(sql, grammar).join(" "), expected, "{sql}");
        }
    }

    #[test]
    fn a_choice_is_asked_for_without_its_literals() {
        for (sql, expected) in [
            ("SELECT COALESCE(doc, '{}') AS d FROM t", "SELECT doc AS d FROM t"),
            (
                "SELECT IFNULL(t.doc, \"[]\") AS d, 'x' AS x FROM t",
                "SELECT t.doc AS d, 'x' AS x FROM t",
            ),
            (
                "SELECT MAX(CASE WHEN a THEN IF(b, doc, '[]') ELSE '[]' END) AS d FROM t",
                "SELECT MAX(doc) AS d FROM t",
            ),
            (
                "SELECT CASE WHEN a THEN b WHEN c THEN d ELSE '[]' END AS d FROM t",
                "SELECT CASE WHEN NULL THEN b WHEN NULL THEN d END AS d FROM t",
            ),
            ("SELECT COALESCE(doc, '') AS d FROM t", ""),
            ("SELECT CASE WHEN a THEN '[]' ELSE '{}' END AS d FROM t", ""),
            ("SELECT doc AS d, '[]' AS e FROM t WHERE b = '[]'", ""),
        ] {
            let asked = without_literals(sql, MYSQL).unwrap_or_default();
            assert_eq!(asked, expected, "{sql}");
        }
    }
}
