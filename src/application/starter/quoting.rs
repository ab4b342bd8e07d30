//! Names as SQL and TOML write them.

use crate::application::ports::Dialect;

/// Words that PostgreSQL, MySQL, MariaDB, SQLite or the reader of definitions takes for something else
/// than a name.
const RESERVED: &str = include_str!("reserved.txt");

/// A name in SQL, with quotes where it needs them.
pub(super) fn quoted(dialect: Dialect, name: &str) -> String {
    let folds = dialect.grammar().is_case_sensitive;
    let is_letter =
        |c: char| c == '_' || if folds { c.is_ascii_lowercase() } else { c.is_ascii_alphabetic() };
    let is_part = |c: char| is_letter(c) || c.is_ascii_digit();
    let is_plain = name.starts_with(is_letter) && name.chars().all(is_part);
    let lower = name.to_ascii_lowercase();
    match is_plain && !RESERVED.split_whitespace().any(|word| word == lower) {
        true => name.to_owned(),
        false => dialect.quote(name),
    }
}

/// A text in TOML, on one line.
pub(super) fn toml_text(text: &str) -> String {
    let is_literal = text.contains('"') && !text.contains(|c: char| c == '\'' || c.is_control());
    if is_literal {
        return format!("'{text}'");
    }
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A text of several lines in TOML.
pub(super) fn toml_lines(text: &str) -> String {
    let is_plain = text.chars().all(|c| c == '\n' || !c.is_control());
    let is_basic = !text.contains('\\') && !text.contains("\"\"\"") && !text.ends_with('"');
    match is_plain {
        true if is_basic => format!("\"\"\"\n{text}\"\"\""),
        true if !text.contains("'''") && !text.ends_with('\'') => format!("'''\n{text}'''"),
        _ => toml_text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::dialects::{MYSQL, POSTGRES, SQLITE};

    #[test]
    fn names_are_quoted_where_they_must_be() {
        for (dialect, name, expected) in [
            (POSTGRES, "product_id", "product_id"),
            (POSTGRES, "ProductId", "\"ProductId\""),
            (MYSQL, "ProductId", "ProductId"),
            (SQLITE, "ProductId", "ProductId"),
            (MYSQL, "key", "`key`"),
            (MYSQL, "Order", "`Order`"),
            (SQLITE, "order items", "\"order items\""),
            (POSTGRES, "a\"b", "\"a\"\"b\""),
            (POSTGRES, "2nd", "\"2nd\""),
            (MYSQL, "größe", "`größe`"),
            (POSTGRES, "", "\"\""),
        ] {
            assert_eq!(quoted(dialect, name), expected);
        }
    }

    #[test]
    fn every_text_comes_back_from_toml() {
        for text in [
            "SELECT a\nFROM t",
            "FROM \"T\"",
            "a\\b\n\"\"\"",
            "'''\n\"",
            "tab\there",
            "del\u{7f}",
            "x'\n\"",
        ] {
            for written in [toml_lines(text), toml_text(text)] {
                let file: toml::Table = toml::from_str(&format!("x = {written}")).expect("TOML");
                assert_eq!(file["x"].as_str(), Some(text), "{written}");
            }
        }
    }
}
