//! The reason for refusing a definition's SQL, and its position.

use std::fmt;
use std::ops::ControlFlow;

use sqlparser::ast::Ident;
use sqlparser::parser::ParserError;

/// Max length of SQL, in bytes. It bounds the depth of the parsed tree.
pub(super) const MAX_SQL_BYTES: usize = 16 * 1024;

/// A position in the SQL, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line {}, column {}", self.line, self.column)
    }
}

impl From<&Ident> for Place {
    fn from(ident: &Ident) -> Self {
        let start = ident.span.start;
        Self {
            line: start.line,
            column: start.column,
        }
    }
}

/// Why a definition's SQL is refused. The message says what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlRefused {
    #[error("The SQL is longer than {MAX_SQL_BYTES} bytes. Make it shorter, or put it in a view.")]
    TooLong,
    #[error("The SQL is nested too deeply to be checked. Make it flatter, or put it in a view.")]
    TooDeep,
    #[error("cannot start a thread to read SQL: {0}")]
    NoThread(String),
    #[error("{place}: {problem}")]
    Text { place: Place, problem: &'static str },
    #[error("The SQL cannot be read as one query: {0}. Write one SELECT, VALUES or WITH query.")]
    Unreadable(String),
    #[error(
        "The SQL writes ({0}). A definition only reads: write one SELECT, VALUES or WITH query."
    )]
    Writes(String),
    #[error("The SQL locks rows with FOR UPDATE or FOR SHARE. Remove the locking clause.")]
    Locks,
    #[error(
        "The query must not end in {0}, because shopwarm could then not load single keys by \
         index: it adds ORDER BY and LIMIT itself. Remove it, and use `order_by` and `limit`."
    )]
    Outermost(&'static str),
    #[error(
        "{place}: the query reads table `{table}`, which is not in `owns` ({owns}). {hint}Add it \
         to `owns` if this context owns it."
    )]
    ForeignTable {
        place: Place,
        table: String,
        owns: String,
        hint: String,
    },
    #[error(
        "{place}: shopwarm cannot check what `{name}` in FROM reads. Use an owned table, a subquery or \
         a plain table function such as unnest or json_each."
    )]
    TableFunction { place: Place, name: String },
    #[error(
        "{place}: the function `{name}` is refused, since it runs SQL text, reads files or tables \
         by name, waits, or changes something. Remove it."
    )]
    Function { place: Place, name: String },
    #[error("{0}")]
    Variable(String),
    #[error("`order_by` {0}. Write plain columns, such as `created_at DESC, id`.")]
    OrderBy(String),
}

impl From<ParserError> for SqlRefused {
    fn from(error: ParserError) -> Self {
        match error {
            ParserError::RecursionLimitExceeded => Self::TooDeep,
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => Self::Unreadable(
                text.replace(" at Line: ", " at line ")
                    .replace("Column: ", "column "),
            ),
        }
    }
}

/// A step of a walk through a query, which stops at the first refusal.
pub(super) type Step = ControlFlow<Box<SqlRefused>>;

pub(super) fn refuse(refused: SqlRefused) -> Step {
    ControlFlow::Break(Box::new(refused))
}
