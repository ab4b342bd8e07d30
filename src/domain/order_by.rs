//! The order of a definition's rows: columns of its query.

use std::fmt;
use std::str::FromStr;

/// A column, and how rows sort by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerm {
    pub column: String,
    /// It is written in quotes, and means the column of exactly this name.
    pub is_quoted: bool,
    pub descending: bool,
    /// `None`: where the database puts them.
    pub nulls_first: Option<bool>,
}

/// Columns in the order in which they count; without any, rows come as they like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderBy(pub Vec<OrderTerm>);

impl OrderBy {
    /// By the columns of these names.
    pub fn columns(names: &[&str]) -> Self {
        let term = |name: &&str| OrderTerm {
            column: (*name).to_owned(),
            is_quoted: true,
            descending: false,
            nulls_first: None,
        };
        Self(names.iter().map(term).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same with each column named as the query names it. A name without quotes also means a
    /// column that differs from it in case.
    ///
    /// # Errors
    /// A column that the query does not have, or has twice.
    pub fn bound(&self, columns: &[&str]) -> Result<Self, String> {
        let bind = |term: &OrderTerm| {
            let column = find(term, columns)?.to_owned();
            Ok(OrderTerm { column, ..term.clone() })
        };
        let bound: Result<_, String> = self.0.iter().map(bind).collect();
        bound.map(Self)
    }
}

fn find<'c>(term: &OrderTerm, columns: &[&'c str]) -> Result<&'c str, String> {
    let name = &term.column;
    if let Some(column) = columns.iter().find(|column| *column == name) {
        return Ok(column);
    }
    let folded = name.to_lowercase();
    let is_alike = |column: &&&str| !term.is_quoted && column.to_lowercase() == folded;
    let alike: Vec<&&str> = columns.iter().filter(is_alike).collect();
    match alike.as_slice() {
        [column] => Ok(column),
        [] => Err(format!("the query does not return {name} (it returns {})", columns.join(", "))),
        [one, other, ..] => {
            Err(format!("{name} may mean {one} or {other}; write the one that you mean in quotes"))
        }
    }
}

impl FromStr for OrderBy {
    type Err = String;

    /// `created_at DESC NULLS LAST, "Id"`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut rest = text;
        loop {
            let (column, is_quoted, after) = name(rest.trim_start())?;
            let (how, more) = match after.split_once(',') {
                Some((how, more)) => (how, Some(more)),
                None => (after, None),
            };
            let (descending, nulls_first) = direction(how)?;
            terms.push(OrderTerm { column, is_quoted, descending, nulls_first });
            match more {
                Some(more) => rest = more,
                None => return Ok(Self(terms)),
            }
        }
    }
}

/// The name that a text begins with, whether it is quoted, and what follows.
fn name(text: &str) -> Result<(String, bool, &str), String> {
    let close = match text.chars().next() {
        Some(quote @ ('"' | '`')) => quote,
        Some('[') => ']',
        _ => {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
            let (name, after) = text.split_at(end);
            let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
            let is_whole = after.is_empty() || after.starts_with([' ', '\t', '\n', '\r', ',']);
            return match is_name && is_whole {
                true => Ok((name.to_owned(), false, after)),
                false => Err(no_column(text)),
            };
        }
    };
    let (mut name, mut rest) = (String::new(), &text[1..]);
    loop {
        let end = rest.find(close).ok_or("a quote is not closed")?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        // A doubled quote is one in the name.
        match rest.strip_prefix(close).filter(|_| close != ']') {
            Some(more) => {
                name.push(close);
                rest = more;
            }
            None => return Ok((name, true, rest)),
        }
    }
}

fn no_column(text: &str) -> String {
    let term = text.split(',').next().unwrap_or_default().trim();
    format!(
        "`{term}` is not a column of the query; write columns, such as `created_at DESC, id`. To \
         sort by an expression, select it AS _rank and write _rank"
    )
}

fn direction(text: &str) -> Result<(bool, Option<bool>), String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (descending, nulls) = match words.as_slice() {
        ["ASC", nulls @ ..] => (false, nulls),
        ["DESC", nulls @ ..] => (true, nulls),
        nulls => (false, nulls),
    };
    match nulls {
        [] => Ok((descending, None)),
        ["NULLS", "FIRST"] => Ok((descending, Some(true))),
        ["NULLS", "LAST"] => Ok((descending, Some(false))),
        _ => Err(format!(
            "`{}` says no direction; write ASC or DESC, and NULLS FIRST or NULLS LAST",
            text.trim()
        )),
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, term) in self.0.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            let descending = if term.descending { " DESC" } else { "" };
            write!(f, "{comma}{}{descending}", term.column)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(text: &str, columns: &[&str]) -> Result<Vec<String>, String> {
        let bound = text.parse::<OrderBy>()?.bound(columns)?;
        Ok(bound.0.into_iter().map(|term| term.column).collect())
    }

    #[test]
    fn names_mean_columns_of_the_query() {
        let columns = ["id", "languageCode", "order", "a\"b"];
        let bound = |text| bound(text, &columns);
        let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(bound("languageCode, order DESC NULLS LAST"), names(&["languageCode", "order"]));
        assert_eq!(bound("LANGUAGECODE asc, ID"), names(&["languageCode", "id"]));
        assert_eq!(
            bound("\"order\" desc, `id`, [languageCode]"),
            names(&["order", "id", "languageCode"])
        );
        assert_eq!(bound("\"a\"\"b\""), names(&["a\"b"]));
        for (text, words) in [
            ("", "is not a column"),
            ("id,", "is not a column"),
            ("1", "`1` is not a column"),
            ("o.id", "`o.id` is not a column"),
            ("lower(id), order", "select it AS _rank"),
            ("(SELECT 1)", "is not a column"),
            ("id -- no", "says no direction"),
            ("id LIMIT 5", "`LIMIT 5` says no direction"),
            ("id; DROP VIEW v", "is not a column"),
            ("id USING <", "ASC or DESC"),
            ("\"id", "not closed"),
            ("colour", "does not return colour (it returns id, languageCode"),
            ("\"ID\"", "does not return ID"),
        ] {
            let error = bound(text).expect_err(text);
            assert!(error.contains(words), "{text}\n{error}");
        }
    }

    #[test]
    fn two_columns_that_differ_in_case_are_told_apart_by_quotes() {
        let columns = ["Id", "ID"];
        assert_eq!(bound("ID", &columns), Ok(vec!["ID".to_owned()]));
        let error = bound("id", &columns).expect_err("both");
        assert!(error.contains("may mean Id or ID"), "{error}");
    }
}
