//! Places in texts.

/// A place in a text; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The place of a byte.
    pub fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The byte at the place; `None`: the text is shorter.
    pub fn byte(self, text: &str) -> Option<usize> {
        let lines = text.split_inclusive('\n').take(self.line.checked_sub(1)?);
        let start: usize = lines.map(str::len).sum();
        let chars = text.get(start..)?.char_indices().map(|(at, _)| at);
        let mut places = chars.chain([text.len() - start]);
        Some(start + places.nth(self.column.checked_sub(1)?)?)
    }
}

/// Where a database says that a query is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// At this character, counted from 0.
    Char(usize),
    /// In this line, counted from 1, where the text goes on like this.
    Rest(usize, String),
    /// Somewhere at this word.
    Word(String),
}

/// What a query names and the database does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Column,
    Table,
}

impl Spot {
    /// The name at this place, as the query writes it, without its qualifier.
    pub fn name<'a>(&'a self, query: &'a str) -> Option<&'a str> {
        let text = match self {
            Self::Word(word) => word.as_str(),
            Self::Char(_) => &query[self.byte(query)?..],
            Self::Rest(..) => return None,
        };
        let is_part = |c: char| c.is_alphanumeric() || "_$.\"`".contains(c);
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        let name = text[..end].rsplit('.').next()?;
        Some(name.trim_matches(['"', '`']))
    }

    /// The byte of the query at which it is.
    pub fn byte(&self, query: &str) -> Option<usize> {
        match self {
            Self::Word(word) => find_word(query, word),
            Self::Char(at) => Some(query.char_indices().nth(*at)?.0),
            Self::Rest(line, rest) => {
                let (line, column) = (*line, 1);
                let start = Place { line, column }.byte(query)?;
                Some(start + query[start..].find(rest.as_str())?)
            }
        }
    }
}

/// Where a text has a word, or else the last part of its dotted name.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let (text, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |at: &usize, word: &str| {
        let (before, after) = (&text[..*at], &text[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    };
    let last = word.rsplit('.').next().unwrap_or_default();
    let mut words = [word.as_str(), last].into_iter().filter(|word| !word.is_empty());
    words.find_map(|word| {
        let mut found = text.match_indices(word).map(|(at, _)| at);
        found.find(|at| is_whole(at, word))
    })
}
