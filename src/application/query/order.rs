//! Where a stream of rows that broke off can go on: at its last row, by the definition's order.

use super::compose::quoted;
use crate::application::ports::{Dialect, Param};
use crate::domain::order_by::{OrderBy, OrderTerm};
use crate::domain::row::{Column, ColumnKind, Columns, Row};
use crate::domain::strategy::Definition;

/// An order that tells a definition's rows apart: it sorts by all columns of the key.
pub(super) struct Order {
    dialect: Dialect,
    terms: Vec<Term>,
}

struct Term {
    /// The column's index in the row.
    at: usize,
    column: Column,
    descending: bool,
    nulls_first: bool,
}

/// A definition that has no order, in the order of its keys.
pub(super) fn in_key_order(definition: &Definition) -> Option<Definition> {
    let keys = definition.spec.key.columns();
    if !definition.order_by.is_empty() || keys.is_empty() {
        return None;
    }
    Some(Definition { order_by: OrderBy::columns(&keys), ..definition.clone() })
}

impl Order {
    /// `None`: the rows that are left cannot be named by the last one that came.
    pub(super) fn of(
        definition: &Definition,
        dialect: Dialect,
        columns: &Columns,
        is_plain: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        if definition.spec.value.groups_rows() {
            return None;
        }
        let terms = definition.order_by.0.iter();
        let terms = terms.map(|term| Term::of(term, dialect, columns));
        let terms: Vec<Term> = terms.collect::<Option<_>>()?;
        let sorts = |name: &&str| terms.iter().any(|term| term.column.name == **name);
        let keys = definition.spec.key.columns();
        let tells_apart = !keys.is_empty() && keys.iter().all(sorts);
        let is_exact = |term: &Term| is_plain(term.at) && is_exact(dialect, &term.column);
        (tells_apart && terms.iter().all(is_exact)).then_some(Self { dialect, terms })
    }

    /// The condition that a row and all after it meet; `None`: its values do not tell.
    ///
    /// Not only those after it: under a collation that takes `a` for `A` another row may sort as
    /// equal.
    pub(super) fn at_or_after(&self, row: Row<'_>, params: &mut Vec<Param>) -> Option<String> {
        let mut condition = String::new();
        let mut open = String::new();
        for (i, term) in self.terms.iter().enumerate() {
            let is_last = i + 1 == self.terms.len();
            let column = quoted(self.dialect, &term.column.name);
            let Some(value) = row.text(term.at).ok()? else {
                condition.push_str(&match (is_last, term.nulls_first) {
                    (true, true) => "1 = 1".to_owned(),
                    (true, false) => format!("{column} IS NULL"),
                    (false, true) => format!("({column} IS NOT NULL OR ("),
                    (false, false) => format!("({column} IS NULL AND ("),
                });
                if !is_last {
                    open.insert_str(0, "))");
                }
                continue;
            };
            let value = String::from_utf8(value.into_owned()).ok()?;
            let mut bound = || self.dialect.compared(&term.column, &value, params);
            let sign = if term.descending { '<' } else { '>' };
            let or_null = match term.nulls_first {
                true => String::new(),
                false => format!(" OR {column} IS NULL"),
            };
            if is_last {
                condition.push_str(&format!("({column} {sign}= {}{or_null})", bound()?));
            } else {
                // The first comparison is for an index, the second for the terms that follow.
                let (reaches, beyond) = (bound()?, bound()?);
                condition.push_str(&format!(
                    "(({column} {sign}= {reaches} AND ({column} {sign} {beyond} OR ("
                ));
                open.insert_str(0, &format!("))){or_null})"));
            }
        }
        Some(condition + &open)
    }
}

impl Term {
    /// A column of the query and how it sorts.
    fn of(term: &OrderTerm, dialect: Dialect, columns: &Columns) -> Option<Self> {
        let mut all = columns.iter();
        let at = all.position(|column| column.name == term.column)?;
        let usual = term.descending == dialect.nulls_are_greatest();
        Some(Self {
            at,
            column: columns[at].clone(),
            descending: term.descending,
            nulls_first: term.nulls_first.unwrap_or(usual),
        })
    }
}

/// Whether a value of the column comes back from its JSON as the very same.
fn is_exact(dialect: Dialect, column: &Column) -> bool {
    match column.kind {
        ColumnKind::Integer => true,
        // They sort by their place in the declaration.
        ColumnKind::Text => !matches!(column.declared.as_str(), "ENUM" | "SET"),
        ColumnKind::Other(_) => dialect.is_exact(column),
        ColumnKind::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row::RowBatch;
    use crate::infrastructure::source::dialects::{MYSQL, POSTGRES};

    fn column(name: &str, kind: ColumnKind, declared: &str) -> Column {
        Column { name: name.to_owned(), kind, declared: declared.to_owned() }
    }

    fn condition(dialect: Dialect, order_by: &str, cells: [&str; 2]) -> Option<String> {
        let columns: Columns =
            [column("rank", ColumnKind::Integer, "INT8"), column("id", ColumnKind::Text, "TEXT")]
                .into();
        let order_by: OrderBy = order_by.parse().ok()?;
        let terms = order_by.0.iter();
        let terms = terms.map(|term| Term::of(term, dialect, &columns));
        let terms = terms.collect::<Option<_>>()?;
        let mut rows = RowBatch::new(2);
        for cell in cells {
            rows.push_cell(|out| {
                out.extend_from_slice(cell.as_bytes());
                Ok(())
            });
        }
        let order = Order { dialect, terms };
        order.at_or_after(rows.row(0), &mut Vec::new())
    }

    #[test]
    fn a_condition_takes_the_last_row_and_all_that_sort_after_it() {
        let postgres = |order, cells| condition(POSTGRES, order, cells).expect("exact");
        assert_eq!(postgres("id", ["1", "\"a\""]), "(q.\"id\" >= $1 OR q.\"id\" IS NULL)");
        assert_eq!(
            postgres("rank DESC, id DESC", ["7", "\"a\""]),
            "((q.\"rank\" <= $1 AND (q.\"rank\" < $2 OR ((q.\"id\" <= $3)))))"
        );
        assert_eq!(
            postgres("rank DESC, id", ["null", "\"a\""]),
            "(q.\"rank\" IS NOT NULL OR ((q.\"id\" >= $1 OR q.\"id\" IS NULL)))"
        );
        assert_eq!(
            postgres("rank NULLS LAST, id NULLS FIRST", ["null", "\"a\""]),
            "(q.\"rank\" IS NULL AND ((q.\"id\" >= $1)))"
        );
        let mysql = condition(MYSQL, "`rank` desc, id", ["7", "\"a\""]);
        assert_eq!(
            mysql.as_deref(),
            Some("((q.`rank` <= ? AND (q.`rank` < ? OR ((q.`id` >= ?)))) OR q.`rank` IS NULL)")
        );
        assert_eq!(condition(POSTGRES, "nobody", ["1", "2"]), None);
    }
}
