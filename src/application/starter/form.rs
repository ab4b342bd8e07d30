//! How a column can be read, from the plainest form to not at all.

use crate::application::ports::Dialect;
use crate::domain::encode::Hint;
use crate::domain::schema::{Kind, TableColumn};

/// Bytes up to which a binary value is an identifier rather than a picture.
const SHORT: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    /// The bytes as hexadecimal digits.
    Hex,
    /// A date, or NULL where it is all zeros.
    NoZeros,
    /// Without the blanks that fill up a `char(n)`.
    Trimmed,
    /// CAST to text.
    Text,
    /// With its word in `types`.
    Hinted(Hint),
    /// Not at all.
    Out,
}

/// The forms of a column, the best first and `Out` last. `names_rows`: keys are made of it.
pub(super) fn forms(dialect: Dialect, column: &TableColumn, names_rows: bool) -> Vec<Form> {
    use Form::{Hex, Hinted, NoZeros, Out, Plain, Text, Trimmed};
    let has_zeros = dialect.without_zeros("").is_some();
    let is_short = column.length.is_some_and(|length| length <= SHORT);
    match column.kind {
        Kind::Binary if names_rows || is_short => vec![Hex, Out],
        // The column may hold texts all the same.
        Kind::Binary if dialect.stores_anything() => vec![Plain, Out],
        Kind::Binary => vec![Out],
        Kind::Moment | Kind::Day if column.has_zero_default => vec![NoZeros, Text, Out],
        Kind::Moment | Kind::Day if has_zeros => vec![Plain, NoZeros, Text, Out],
        Kind::Moment | Kind::Day | Kind::Time if dialect.stores_anything() => {
            vec![Plain, Hinted(Hint::Number), Hinted(Hint::String), Out]
        }
        _ if dialect.stores_anything() => vec![Plain, Hinted(Hint::String), Out],
        Kind::Moment | Kind::Day | Kind::Time | Kind::Number => vec![Plain, Text, Out],
        Kind::Text if is_padded(column) => vec![Plain, Trimmed, Out],
        _ => vec![Plain, Out],
    }
}

/// Whether the database fills up its values with blanks, as PostgreSQL does.
pub(super) fn is_padded(column: &TableColumn) -> bool {
    column.declared.starts_with("character(")
}

impl Form {
    /// The expression; `column` is quoted.
    pub(super) fn expression(self, dialect: Dialect, column: &str) -> String {
        match self {
            Self::Hex => dialect.hex(column),
            Self::Trimmed => format!("rtrim({column})"),
            Self::NoZeros => dialect.without_zeros(column).unwrap_or_else(|| column.to_owned()),
            Self::Text => format!("CAST({column} AS {})", dialect.text_type()),
            Self::Plain | Self::Hinted(_) | Self::Out => column.to_owned(),
        }
    }

    pub(super) fn hint(self) -> Option<Hint> {
        match self {
            Self::Hinted(hint) => Some(hint),
            _ => None,
        }
    }
}
