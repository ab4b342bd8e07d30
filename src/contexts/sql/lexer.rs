//! SQL taken apart as each database does, so that no quote or comment hides a table from the parser.

use std::ops::Range;

use super::refusal::{MAX_SQL_BYTES, SqlRefused};
use crate::application::ports::grammar::{Escapes, Grammar};
use crate::domain::place::Place;

/// The SQL with blanks for comments and for quotes and backslashes in strings; every other
/// character stays in its place. Refuses text that two databases could split differently.
pub(super) fn harmless_text(sql: &str, grammar: &'static Grammar) -> Result<String, SqlRefused> {
    let mut harmless = String::with_capacity(sql.len());
    for (kind, place) in pieces(sql, grammar)? {
        let piece = sql[place].chars();
        match kind {
            Kind::Code | Kind::Parameter => harmless.extend(piece),
            Kind::Comment => harmless.extend(piece.map(|c| if c == '\n' { c } else { ' ' })),
            Kind::String { delimiter } => {
                let quote = if piece.as_str().starts_with('"') { '"' } else { '\'' };
                let (open, close) = (delimiter - 1, piece.clone().count() - delimiter);
                harmless.extend(piece.enumerate().map(|(i, c)| match c {
                    _ if i == open || i == close => quote,
                    _ if i < open || i > close => ' ',
                    '\'' | '"' | '\\' => 'x',
                    _ => c,
                }));
            }
        }
    }
    Ok(harmless)
}

/// The pieces of SQL, and the bytes of each.
pub(super) fn pieces(
    sql: &str,
    grammar: &'static Grammar,
) -> Result<Vec<(Kind, Range<usize>)>, SqlRefused> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(SqlRefused::TooLong);
    }
    let text: Vec<char> = sql.chars().collect();
    let mut lexer = Lexer { text: &text, grammar, may_escape: false, open: Vec::new() };
    let mut pieces = Vec::new();
    let (mut at, mut byte) = (0, 0);
    while at < text.len() {
        let (kind, end) = lexer
            .next(at)
            .map_err(|problem| SqlRefused::Text { place: Place::of(sql, byte), problem })?;
        let length: usize = text[at..end].iter().map(|c| c.len_utf8()).sum();
        pieces.push((kind, byte..byte + length));
        (at, byte) = (end, byte + length);
    }
    Ok(pieces)
}

pub(super) enum Kind {
    Code,
    Comment,
    /// `:name`.
    Parameter,
    /// A string, with the length of its delimiters.
    String {
        delimiter: usize,
    },
}

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Array,
    Subscript,
    Other,
}

type Lexed = Result<(Kind, usize), &'static str>;

/// Splits SQL as the database does, as far as quotes, comments and numbers are concerned.
struct Lexer<'a> {
    text: &'a [char],
    grammar: &'static Grammar,
    /// Whether PostgreSQL reads the next string with backslash escapes: after `E`, and as the
    /// continuation of such a string.
    may_escape: bool,
    /// The brackets and parentheses that are open.
    open: Vec<Bracket>,
}

impl Lexer<'_> {
    /// The token at `at`, and its end.
    fn next(&mut self, at: usize) -> Lexed {
        let may_escape = self.may_escape;
        let c = self.text[at];
        if !c.is_whitespace() {
            self.may_escape = false;
        }
        let grammar = self.grammar;
        let name = grammar.name_quotes.iter().find(|(open, _)| *open == c);
        match c {
            '-' if self.starts(at, "--") => self.line_comment(at),
            '#' if grammar.hash_comments => self.line_comment(at),
            '/' if self.starts(at, "/*") => self.comment(at),
            _ if grammar.string_quotes.contains(&c) => {
                self.may_escape = true;
                let escapes = match grammar.escapes {
                    Escapes::Never => false,
                    Escapes::AfterE => may_escape,
                    Escapes::Always => true,
                };
                let end = self.quoted_end(at, c, escapes)?;
                Ok((Kind::String { delimiter: 1 }, end))
            }
            _ if name.is_some() => {
                let close = name.map_or(c, |(_, close)| *close);
                Ok((Kind::Code, self.quoted_end(at, close, false)?))
            }
            '$' if grammar.dollar_strings => self.dollar_string(at),
            ':' if self.is_parameter(at) => Ok((Kind::Parameter, self.run(at + 1, is_word))),
            // A cast.
            ':' if self.starts(at, "::") && !grammar.parameters.contains(&c) => {
                Ok((Kind::Code, at + 2))
            }
            _ if grammar.parameters.contains(&c) => Err(
                "the SQL has a parameter or variable of the database. Write `:name` with a value in [vars] or `for`, and quote a name that has such a character.",
            ),
            ';' => Err(
                "the SQL has a semicolon. Remove it: the SQL must be one query, which shopwarm embeds in its own.",
            ),
            '0'..='9' => self.number(at),
            _ if is_word(c) => self.word(at),
            ' ' | '\t' | '\n' | '\r' => Ok((Kind::Code, at + 1)),
            '(' | '[' => {
                self.open.push(match c {
                    '(' => Bracket::Other,
                    _ if self.begins_array(at) => Bracket::Array,
                    _ => Bracket::Subscript,
                });
                Ok((Kind::Code, at + 1))
            }
            ']' | ')' => {
                self.open.pop();
                Ok((Kind::Code, at + 1))
            }
            _ if c.is_ascii_punctuation() => Ok((Kind::Code, at + 1)),
            _ => Err(
                "databases read this character differently outside quotes. Replace it with a plain space or remove it.",
            ),
        }
    }

    /// Whether a bracket is that of `ARRAY[...]`, or of an array in one.
    fn begins_array(&self, at: usize) -> bool {
        let before = self.text[..at].iter().rev();
        let mut before = before.skip_while(|c| c.is_whitespace()).peekable();
        let is_inner = self.open.last() == Some(&Bracket::Array);
        if let Some('[' | ',') = before.peek() {
            return is_inner;
        }
        let word: String = before.take_while(|c| is_word(**c)).take(6).collect();
        word.eq_ignore_ascii_case("yarra")
    }

    /// In a subscript a colon may be that of a slice, `tags[1:n]`.
    fn is_parameter(&self, at: usize) -> bool {
        let is_name = |c: &char| c.is_ascii_alphabetic() || *c == '_';
        self.text.get(at + 1).is_some_and(is_name) && self.open.last() != Some(&Bracket::Subscript)
    }

    fn starts(&self, at: usize, with: &str) -> bool {
        with.chars().enumerate().all(|(i, c)| self.text.get(at + i) == Some(&c))
    }

    /// The end of the characters from `at` on that satisfy the condition.
    fn run(&self, at: usize, such: impl Fn(char) -> bool) -> usize {
        let length = self.text[at..].iter().position(|&c| !such(c));
        length.map_or(self.text.len(), |length| at + length)
    }

    fn line_comment(&self, at: usize) -> Lexed {
        let blank = |c: &char| c.is_ascii_whitespace() || c.is_ascii_control();
        // `5--1` is a subtraction in MySQL, and a comment for others.
        if self.grammar.spaced_comments
            && self.text[at] == '-'
            && !self.text.get(at + 2).is_none_or(blank)
        {
            return Err(
                "two minus signs are next to each other. Put a space between them, or after them for a comment.",
            );
        }
        let ends = |c| c == '\n' || (c == '\r' && self.grammar.carriage_returns);
        Ok((Kind::Comment, self.run(at, |c| !ends(c))))
    }

    fn comment(&self, at: usize) -> Lexed {
        if self.grammar.hash_comments && (self.starts(at, "/*!") || self.starts(at, "/*M!")) {
            return Err(
                "MySQL and MariaDB run the text inside this `/*! */` comment. Remove the comment.",
            );
        }
        for end in at + 2..self.text.len() {
            if self.starts(end, "*/") {
                return Ok((Kind::Comment, end + 2));
            }
            // Only PostgreSQL nests comments.
            if self.starts(end, "/*") {
                return Err("a comment has `/*` inside. Take the inner one out.");
            }
        }
        Err("a comment is not closed. Close it with `*/`.")
    }

    /// `escapes`: depending on its settings, the server may take a backslash before a quote as an
    /// escape, so such a string could end in two places.
    fn quoted_end(&self, at: usize, close: char, escapes: bool) -> Result<usize, &'static str> {
        let (mut end, mut backslashes) = (at + 1, 0);
        while let Some(&c) = self.text.get(end) {
            match c {
                '\\' => backslashes += 1,
                _ if c == close && escapes && backslashes % 2 == 1 => {
                    return Err(
                        "a string has a quote after a backslash. Write a quote inside a string as two quotes.",
                    );
                }
                // SQLite does not support a doubled `]`.
                _ if c == close && (c == ']' || self.text.get(end + 1) != Some(&c)) => {
                    return Ok(end + 1);
                }
                _ if c == close => (end, backslashes) = (end + 1, 0),
                _ => backslashes = 0,
            }
            end += 1;
        }
        Err("a quote is not closed. Close it.")
    }

    /// `$$text$$` or `$tag$text$tag$`.
    fn dollar_string(&mut self, at: usize) -> Lexed {
        let tag_end = self.run(at + 1, |c| c.is_alphanumeric() || c == '_');
        let is_tag = self.text.get(tag_end) == Some(&'$') && !self.text[at + 1].is_ascii_digit();
        if !is_tag {
            return Err("the SQL has a parameter. Write the value itself.");
        }
        let tag = &self.text[at..=tag_end];
        let length = self.text[tag_end + 1..].windows(tag.len()).position(|window| window == tag);
        let length = length.ok_or("a dollar-quoted string is not closed. Close it.")?;
        Ok((Kind::String { delimiter: tag.len() }, tag_end + 1 + length + tag.len()))
    }

    /// MariaDB reads `1.5FROM t` as `1.5 FROM t`, but the parser reads a column with an alias.
    fn number(&self, at: usize) -> Lexed {
        let end = self.run(at, |c| is_word(c) || c == '$' || c == '.');
        let digits_end = self.run(at, |c| c.is_ascii_digit() || c == '.');
        let is_number = match &self.text[digits_end..end] {
            [] => true,
            ['e' | 'E', exponent @ ..] => exponent.iter().all(char::is_ascii_digit),
            ['x' | 'X', hex @ ..] => hex.iter().all(char::is_ascii_hexdigit),
            _ => false,
        };
        match is_number {
            true => Ok((Kind::Code, end)),
            false => Err(
                "a number is directly followed by a word. Put a space after the number, or quote the name.",
            ),
        }
    }

    fn word(&mut self, at: usize) -> Lexed {
        let end = self.run(at, |c| is_word(c) || c == '$');
        let word: String = self.text[at..end].iter().collect();
        self.may_escape = word.eq_ignore_ascii_case("e");
        if word.eq_ignore_ascii_case("into") {
            return Err(
                "INTO belongs to a statement that writes. A definition only reads: remove it, or quote the name.",
            );
        }
        // The parser does not report the table in this form as a relation.
        if word.eq_ignore_ascii_case("table") {
            return Err("the TABLE form is not checked. Write SELECT * FROM, or quote the name.");
        }
        if word.eq_ignore_ascii_case("u") && self.starts(end, "&\"") {
            return Err("a name has U& escapes. Write the characters themselves.");
        }
        Ok((Kind::Code, end))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
