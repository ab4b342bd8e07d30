//! Where a definition file says what.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::place::Place;
use crate::domain::written::{Fields, Written};

/// Where the fields of each strategy in a file are written, by the strategy's name.
pub(super) fn places(text: &str, file: &str) -> BTreeMap<String, Fields> {
    let Ok(root) = DeTable::parse(text) else {
        return BTreeMap::new();
    };
    let strategies = root.get_ref().iter();
    let strategies = strategies.filter(|(name, _)| name.get_ref() == "strategies");
    let strategies = strategies.filter_map(|(_, table)| table.get_ref().as_table());
    let of = |name: &Spanned<_>, value: &Spanned<DeValue<'_>>| {
        let mut fields = BTreeMap::from([(String::new(), written(text, file, name.span().start))]);
        for (field, value) in value.get_ref().as_table().into_iter().flatten() {
            let name = field.get_ref();
            fields.insert(name.to_string(), value_at(text, file, value));
            for (part, value) in value.get_ref().as_table().into_iter().flatten() {
                let name = format!("{name}.{}", part.get_ref());
                fields.insert(name, value_at(text, file, value));
            }
        }
        Fields(fields)
    };
    let named = strategies.flatten();
    let named = named.map(|(name, table)| (name.get_ref().to_string(), of(name, table)));
    named.collect()
}

fn written(text: &str, file: &str, byte: usize) -> Written {
    Written { file: file.to_owned(), start: Place::of(text, byte), verbatim: false }
}

/// Where a value begins; of a string, behind its quotes.
fn value_at(text: &str, file: &str, value: &Spanned<DeValue<'_>>) -> Written {
    let span = value.span();
    let literal = text.get(span.clone()).unwrap_or_default();
    let is_long = literal.starts_with("\"\"\"") || literal.starts_with("'''");
    let quotes = match value.get_ref().is_str() {
        false => 0,
        true if is_long => 3,
        true => 1,
    };
    let behind = &literal[quotes..];
    // A line break behind long quotes is no part of the text.
    let line_break = ["\r\n", "\n"].into_iter().filter(|_| is_long);
    let line_break = line_break.into_iter().find(|end| behind.starts_with(end));
    let has_escapes = literal.starts_with('"') && literal.contains('\\');
    Written {
        verbatim: quotes > 0 && !has_escapes,
        ..written(text, file, span.start + quotes + line_break.map_or(0, str::len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_where_they_stand() {
        let text = "[context]\nname = 'x'\n[strategies.a]\nkey = \"A\"\nsql.any = \"\"\"\nSELECT\n  1\"\"\"\n\
                    [strategies.b]\nsql = { mysql = 'SELECT \\ 1', any = \"a\\tb\" }\n";
        let places = places(text, "x.toml");
        let at = |strategy: &str, field: &str, within: Option<(usize, usize)>| {
            let within = within.map(|(line, column)| Place { line, column });
            places[strategy].get(field).map(|written| written.at(within))
        };
        for (strategy, field, within, expected) in [
            ("a", "key", None, "x.toml, line 4"),
            ("a", "ttl", None, "x.toml, line 3"),
            ("a", "sql.any", Some((2, 3)), "x.toml, line 7, column 3"),
            ("b", "sql.mysql", Some((1, 8)), "x.toml, line 9, column 25"),
            ("b", "sql.any", Some((1, 2)), "x.toml, line 9"),
        ] {
            assert_eq!(at(strategy, field, within).as_deref(), Some(expected));
        }
    }
}
