//! How a database reads SQL, as far as a definition's text is checked before it is run.

use std::fmt;

/// One database's rules; where its servers or their settings differ, the stricter reading.
pub struct Grammar {
    /// As in `sql.postgres`.
    pub name: &'static str,
    pub parser: &'static (dyn sqlparser::dialect::Dialect + Send + Sync),
    /// Around strings.
    pub string_quotes: &'static [char],
    /// Around names, each by the character that opens and the one that closes.
    pub name_quotes: &'static [(char, char)],
    /// When a backslash before a quote may be part of the string.
    pub escapes: Escapes,
    /// `$tag$text$tag$`.
    pub dollar_strings: bool,
    /// What parameters and variables begin with.
    pub parameters: &'static [char],
    /// Placeholders are `$1`, `$2`, or else `?` each.
    pub numbered_parameters: bool,
    /// `# comment`, and `/*! comment */` that is run.
    pub hash_comments: bool,
    /// `5--1` is a subtraction: a comment needs a blank after its dashes.
    pub spaced_comments: bool,
    /// A comment ends at a carriage return, too.
    pub carriage_returns: bool,
    /// Unquoted names are stored in lower case, and names differ by case.
    pub is_case_sensitive: bool,
    /// A name in double quotes may be read as a string.
    pub names_as_strings: bool,
    /// `NULLS FIRST` and `NULLS LAST`.
    pub sorts_nulls: bool,
    /// How far the names of a WITH reach.
    pub with: With,
    /// A row tells which transaction wrote it.
    pub names_writers: bool,
    /// The schema of a table that is named without one; empty: not known.
    pub default_schema: &'static str,
    /// `FROM dual` reads nothing.
    pub dual: bool,
    /// Functions that take the latest of several moments.
    pub latest: &'static str,
    /// Functions that are pure with several arguments; with one they are aggregates.
    pub pure_of_several: &'static str,
    /// Which functions give JSON documents; `None`: the database says what is a document.
    pub documents: Option<Documents>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    Never,
    /// In `E'text'`.
    AfterE,
    Always,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// With RECURSIVE every body sees every name; case does not matter unless a name is quoted and
    /// names differ by case.
    All,
    /// With RECURSIVE a body sees its own name and those before, in their own spelling, and none of a
    /// WITH further out.
    Own,
}

/// Functions beyond those that all databases have.
pub struct Documents {
    pub functions: &'static str,
    /// Those that give one when called with three arguments or more.
    pub of_several: &'static str,
}

impl Grammar {
    /// What most databases do.
    pub const fn new(
        name: &'static str,
        parser: &'static (dyn sqlparser::dialect::Dialect + Send + Sync),
    ) -> Self {
        Self {
            name,
            parser,
            string_quotes: &['\''],
            name_quotes: &[('"', '"')],
            escapes: Escapes::Never,
            dollar_strings: false,
            parameters: &[],
            numbered_parameters: false,
            hash_comments: false,
            spaced_comments: false,
            carriage_returns: false,
            is_case_sensitive: false,
            names_as_strings: false,
            sorts_nulls: true,
            with: With::All,
            names_writers: false,
            default_schema: "",
            dual: false,
            latest: "greatest",
            pure_of_several: "",
            documents: None,
        }
    }
}

impl PartialEq for Grammar {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
