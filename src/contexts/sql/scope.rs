//! What a SELECT sees in its FROM, and the columns that it returns.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArguments, Ident, JoinConstraint, JoinOperator,
    ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind, TableFactor,
    WildcardAdditionalOptions,
};

use super::parse::identifiers;

/// What stands in FROM, each with how it is joined to those before it.
pub(super) fn from(select: &Select) -> impl Iterator<Item = (&TableFactor, Option<&JoinOperator>)> {
    select.from.iter().flat_map(|from| {
        let joins = from.joins.iter();
        let joined = joins.map(|join| (&join.relation, Some(&join.join_operator)));
        std::iter::once((&from.relation, None)).chain(joined)
    })
}

/// The name of a table, or of what WITH names.
pub(super) fn table(factor: &TableFactor) -> Option<Vec<&Ident>> {
    match factor {
        TableFactor::Table { name, args: None, .. } => identifiers(name),
        _ => None,
    }
}

/// The name of a table or a query for the columns in it.
pub(super) fn called(factor: &TableFactor) -> Option<&Ident> {
    let table = table(factor);
    match factor {
        TableFactor::Table { alias, .. } => {
            let table = *table?.last()?;
            Some(alias.as_ref().map_or(table, |alias| &alias.name))
        }
        TableFactor::Derived { alias, .. } => Some(&alias.as_ref()?.name),
        _ => None,
    }
}

/// The condition of an inner join.
pub(super) fn inner(join: &JoinOperator) -> Option<&JoinConstraint> {
    match join {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::StraightJoin(constraint) => Some(constraint),
        _ => None,
    }
}

/// The condition of a left join.
pub(super) fn left(join: &JoinOperator) -> Option<&JoinConstraint> {
    match join {
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => Some(constraint),
        _ => None,
    }
}

/// An item of a SELECT.
pub(super) enum Column<'q> {
    /// With its alias.
    One(&'q Expr, Option<&'q Ident>),
    /// `*`, or that of one table.
    All(Option<&'q ObjectName>, &'q WildcardAdditionalOptions),
    Other,
}

pub(super) fn columns(select: &Select) -> impl Iterator<Item = Column<'_>> {
    select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) => Column::One(expr, None),
        SelectItem::ExprWithAlias { expr, alias } => Column::One(expr, Some(alias)),
        SelectItem::Wildcard(options) => Column::All(None, options),
        SelectItem::QualifiedWildcard(kind, options) => match kind {
            SelectItemQualifiedWildcardKind::ObjectName(table) => Column::All(Some(table), options),
            SelectItemQualifiedWildcardKind::Expr(_) => Column::Other,
        },
        SelectItem::ExprWithAliases { .. } => Column::Other,
    })
}

impl<'q> Column<'q> {
    /// What its text names it; `None`: the database does.
    pub(super) fn name(&self) -> Option<&'q Ident> {
        match self {
            Self::One(_, Some(alias)) => Some(alias),
            Self::One(expr, None) => plain(expr),
            _ => None,
        }
    }
}

/// The column that an expression is.
pub(super) fn plain(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(column) => Some(column),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    }
}

/// What names stand for; of two that are the same, the later one.
#[derive(Clone)]
pub(super) struct Names<T>(pub Vec<(String, T)>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Names<T> {
    pub(super) fn find(&self, name: &str) -> Option<&T> {
        let mut named = self.0.iter().rev();
        let found = named.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, meaning)| meaning)
    }
}

/// The last part of a name, as it is written.
pub(super) fn last(name: &ObjectName) -> &str {
    let parts = identifiers(name).unwrap_or_default();
    parts.last().map_or("", |part| &part.value)
}

/// The name of a function of the database's own, in lower case.
pub(super) fn called_function(function: &Function) -> String {
    let parts = identifiers(&function.name).unwrap_or_default();
    match parts.as_slice() {
        [name] => name.value.to_ascii_lowercase(),
        [schema, name] if schema.value == "pg_catalog" => name.value.to_ascii_lowercase(),
        _ => String::new(),
    }
}

pub(super) fn arguments(function: &Function) -> &[FunctionArg] {
    match &function.args {
        FunctionArguments::List(list) => &list.args,
        _ => &[],
    }
}
