//! The reason for refusing a definition's SQL, and its position.

use std::ops::ControlFlow;

use sqlparser::ast::Ident;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::Location;

use crate::domain::place::Place;

/// Max length of SQL, in bytes. It bounds the depth of the parsed tree.
pub(super) const MAX_SQL_BYTES: usize = 16 * 1024;

impl From<&Ident> for Place {
    fn from(ident: &Ident) -> Self {
        place(ident.span.start)
    }
}

pub(super) fn place(location: Location) -> Place {
    let counted = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let (line, column) = (counted(location.line), counted(location.column));
    Place { line, column }
}

/// Why a definition's SQL is refused. The message says what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlRefused {
    #[error("the SQL is longer than {MAX_SQL_BYTES} bytes. Make it shorter, or put it in a view.")]
    TooLong,
    #[error("the SQL is nested too deeply to be checked. Make it flatter, or put it in a view.")]
    TooDeep,
    #[error("cannot start a thread to read SQL: {0}")]
    NoThread(String),
    #[error("{problem}")]
    Text { place: Place, problem: &'static str },
    #[error(
        "the SQL cannot be read as one query: {why}. Write one SELECT, VALUES or WITH query; if the \
         database does accept this one, put it into a view and read that."
    )]
    Unreadable { place: Option<Place>, why: String },
    #[error(
        "the SQL writes ({0}). A definition only reads: write one SELECT, VALUES or WITH query."
    )]
    Writes(String),
    #[error("the SQL locks rows with FOR UPDATE or FOR SHARE. Remove the locking clause.")]
    Locks,
    #[error(
        "the query must not end in {0}, because shopwarm adds ORDER BY and LIMIT itself, to load \
         single keys by index. Remove it, and use `order_by` and `limit`."
    )]
    Outermost(&'static str),
    #[error(
        "the query reads table `{table}`, which is not in `owns` ({owns}). {hint}Add it \
         to `owns` if this context owns it."
    )]
    ForeignTable { place: Place, table: String, owns: String, hint: String },
    #[error(
        "shopwarm cannot check what `{name}` in FROM reads. Use an owned table, a subquery or \
         a plain table function such as unnest or json_each."
    )]
    TableFunction { place: Place, name: String },
    #[error(
        "the function `{name}` is not allowed: it runs SQL text, reads files or tables \
         by name, waits, or changes something. Remove it."
    )]
    Function { place: Place, name: String },
    #[error("{0}")]
    Variable(String),
}

impl SqlRefused {
    pub(super) fn unreadable(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Unreadable { place: None, why }
    }

    /// The same, at this place if it has none.
    pub(super) fn or_at(self, elsewhere: Option<Place>) -> Self {
        match self {
            Self::Unreadable { place: None, why } => Self::Unreadable { place: elsewhere, why },
            refused => refused,
        }
    }

    /// Where in the SQL it is.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Text { place, .. }
            | Self::ForeignTable { place, .. }
            | Self::TableFunction { place, .. }
            | Self::Function { place, .. } => Some(*place),
            Self::Unreadable { place, .. } => *place,
            _ => None,
        }
    }
}

impl From<ParserError> for SqlRefused {
    fn from(error: ParserError) -> Self {
        match error {
            ParserError::RecursionLimitExceeded => Self::TooDeep,
            // It ends in ` at Line: 1, Column: 9`.
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
                let (why, at) = text.rsplit_once(" at Line: ").unwrap_or((&text, ""));
                let place = at.split_once(", Column: ").and_then(|(line, column)| {
                    let (line, column) = (line.parse().ok()?, column.parse().ok()?);
                    (line > 0).then_some(Place { line, column })
                });
                let why = why.to_owned();
                Self::Unreadable { place, why }
            }
        }
    }
}

/// A step of a walk through a query, which stops at the first refusal.
pub(super) type Step = ControlFlow<Box<SqlRefused>>;

pub(super) fn refuse(refused: SqlRefused) -> Step {
    ControlFlow::Break(Box::new(refused))
}
