//! Lines for a terminal, broken between words.

use console::measure_text_width;

/// Wraps text at `width` columns, at spaces if possible.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let wanted = measure_text_width(&line) + 1 + measure_text_width(word);
        if !line.is_empty() && wanted > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if measure_text_width(&line) >= width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// Min width of the text of a note.
const NARROWEST: usize = 20;

/// Lines indented this far are a listing, such as SQL.
const LISTING: usize = 6;

/// Sentences, each wrapped and its later lines indented. `None`: no terminal. A listing is left as it
/// is.
pub(crate) fn notes(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if indent >= LISTING || measure_text_width(line.trim_end()) <= width {
            wrapped.push_str(line);
            continue;
        }
        let hanging = indent + 2;
        let lines = wrap(line, width.saturating_sub(hanging).max(NARROWEST));
        wrapped.push_str(&" ".repeat(indent));
        wrapped.push_str(&lines.join(&format!("\n{}", " ".repeat(hanging))));
        wrapped.push('\n');
    }
    wrapped
}

/// A name of at most `width` columns: of a longer one the end, behind an ellipsis.
pub(crate) fn shortened_name(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let rest = name.chars().skip(length + 1 - width.max(1));
    format!("…{}", rest.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 5), ["abcde", "fgh", "ij"]);
        assert_eq!(wrap("a\n  b", usize::MAX), ["a b"]);
    }

    #[test]
    fn notes_break_between_words() {
        let text = "! not protected against changes: all strategies\n    hint: compare both with one another\n      SELECT a, b, c, d, e, f, g, h\nshort\n";
        assert_eq!(notes(text, None), text);
        assert_eq!(
            notes(text, Some(24)),
            "! not protected\n  against changes: all\n  strategies\n    hint: compare both\n      with one another\n      SELECT a, b, c, d, e, f, g, h\nshort\n"
        );
    }

    #[test]
    fn a_name_keeps_its_end() {
        for (width, short) in [(17, "catalog/hot-prods"), (16, "…talog/hot-prods"), (5, "…rods")]
        {
            assert_eq!(shortened_name("catalog/hot-prods", width), short);
        }
    }
}
