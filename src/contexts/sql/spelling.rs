//! SQL that databases read and the parser does not, in a spelling that it knows. Only what cannot be
//! or hide a table is replaced, and only for the checks: the database gets the original.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::application::ports::grammar::Grammar;

/// How many tokens are replaced, and by what.
type Edit = (usize, &'static str);

pub(super) fn known(tokens: Vec<TokenWithSpan>, grammar: &Grammar) -> Vec<TokenWithSpan> {
    let is_blank = |at: &usize| matches!(tokens[*at].token, Token::Whitespace(_));
    let places: Vec<usize> = (0..tokens.len()).filter(|at| !is_blank(at)).collect();
    let words: Vec<String> = places.iter().map(|at| word(&tokens[*at].token)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut edits = Vec::new();
    let mut n = 0;
    while n < places.len() {
        let follows_value = n > 0 && ends_value(&tokens[places[n - 1]].token);
        let before = n.checked_sub(1).map_or("", |before| words[before]);
        let edit = match grammar.name {
            // Behind a dot, a reserved word may be the name of a table.
            _ if before == "." => None,
            "mysql" => of_mysql(&words[n..], follows_value),
            "sqlite" => of_sqlite(&words[n..], before, follows_value),
            _ => of_postgres(&words[n..], before),
        };
        n += match edit {
            Some((length, text)) => {
                edits.push((places[n], places[n + length - 1], text));
                length
            }
            None => 1,
        };
    }
    if edits.is_empty() {
        return tokens;
    }
    written(tokens, &edits)
}

fn of_postgres(words: &[&str], before: &str) -> Option<Edit> {
    match words {
        ["BETWEEN", "SYMMETRIC", ..] => Some((2, "BETWEEN")),
        _ => null_test(words, before).or_else(|| exclusion(words, before)),
    }
}

fn of_mysql(words: &[&str], follows_value: bool) -> Option<Edit> {
    match words {
        // A reserved word; `MOD (` may be the function.
        ["MOD", next, ..] if follows_value || *next != "(" => Some((1, "%")),
        ["SOUNDS", "LIKE", ..] if follows_value => Some((2, "LIKE")),
        ["!", ..] if !follows_value => Some((1, "NOT")),
        ["CHARACTER", "SET", _, ")", ..] => Some((3, "")),
        // Reserved words.
        [
            "DAY_HOUR" | "DAY_MINUTE" | "DAY_SECOND" | "HOUR_MINUTE" | "HOUR_SECOND"
            | "MINUTE_SECOND" | "YEAR_MONTH" | "DAY_MICROSECOND" | "HOUR_MICROSECOND"
            | "MINUTE_MICROSECOND" | "SECOND_MICROSECOND",
            ..,
        ] => Some((1, "HOUR")),
        _ => None,
    }
}

fn of_sqlite(words: &[&str], before: &str, follows_value: bool) -> Option<Edit> {
    match words {
        ["MATERIALIZED", "(", ..] if before == "AS" => Some((1, "")),
        ["NOT", "MATERIALIZED", "(", ..] if before == "AS" => Some((2, "")),
        ["INDEXED", "BY", _, ..] if follows_value => Some((3, "")),
        ["NOT", "INDEXED", ..] if follows_value => Some((2, "")),
        ["NOT", "GLOB" | "MATCH", next, ..] if follows_value || *next == LITERAL => {
            Some((2, "NOT LIKE"))
        }
        ["<<" | ">>", ..] => Some((1, "+")),
        // No equality: it is true of two NULLs.
        ["IS", "NOT", other, ..] if is_value(other) => Some((2, "NOT LIKE")),
        ["IS", other, ..] if is_value(other) => Some((1, "LIKE")),
        _ => null_test(words, before).or_else(|| exclusion(words, before)),
    }
}

/// Both words are reserved, so they name nothing but a column.
fn null_test(words: &[&str], before: &str) -> Option<Edit> {
    let text = match *words.first()? {
        "ISNULL" => "IS NULL",
        "NOTNULL" => "IS NOT NULL",
        _ => return None,
    };
    (before != "AS" && words.get(1) != Some(&"(")).then_some((1, text))
}

/// The end of a window's frame.
fn exclusion(words: &[&str], before: &str) -> Option<Edit> {
    if !matches!(before, "ROW" | "PRECEDING" | "FOLLOWING") {
        return None;
    }
    match words {
        ["EXCLUDE", "TIES" | "GROUP", ")", ..] => Some((2, "")),
        ["EXCLUDE", "CURRENT", "ROW", ")", ..] | ["EXCLUDE", "NO", "OTHERS", ")", ..] => {
            Some((3, ""))
        }
        _ => None,
    }
}

const LITERAL: &str = "'";
const NAME: &str = "\"";

/// A word in capitals, a symbol, or what stands for a literal and a name.
fn word(token: &Token) -> String {
    match token {
        Token::Word(word) if word.quote_style.is_some() => NAME.to_owned(),
        Token::Word(word) => word.value.to_ascii_uppercase(),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => {
            LITERAL.to_owned()
        }
        symbol => symbol.to_string(),
    }
}

/// Whether a value or a name surely ends with the token.
fn ends_value(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_some() || word.keyword == Keyword::NoKeyword,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => true,
        Token::RParen | Token::RBracket => true,
        _ => false,
    }
}

fn is_value(word: &str) -> bool {
    let is_number = word.starts_with(|c: char| c.is_ascii_digit());
    word == LITERAL || word == "(" || is_number
}

/// The tokens with each edit's text in place of its first to last one.
fn written(tokens: Vec<TokenWithSpan>, edits: &[(usize, usize, &str)]) -> Vec<TokenWithSpan> {
    let mut written = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.into_iter().enumerate() {
        match edits.iter().find(|(from, to, _)| (*from..=*to).contains(&at)) {
            Some((from, _, text)) if *from == at => {
                let new = text.split_whitespace().map(|word| match word {
                    "%" => Token::Mod,
                    "+" => Token::Plus,
                    word => Token::make_keyword(word),
                });
                written.extend(new.map(|new| TokenWithSpan::new(new, token.span)));
            }
            Some(_) => {}
            None => written.push(token),
        }
    }
    written
}
