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

/// Notes below a table, each wrapped and its later lines indented. `None`: no terminal. Lines that are
/// indented themselves are left as they are.
pub(crate) fn notes(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.starts_with(' ') || measure_text_width(line.trim_end()) <= width {
            wrapped.push_str(line);
            continue;
        }
        let lines = wrap(line, width.saturating_sub(2).max(NARROWEST));
        wrapped.push_str(&lines.join("\n  "));
        wrapped.push('\n');
    }
    wrapped
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
        let text = "! not protected against changes: all strategies\n  SELECT a, b, c, d, e, f, g, h\nshort\n";
        assert_eq!(notes(text, None), text);
        assert_eq!(
            notes(text, Some(24)),
            "! not protected\n  against changes: all\n  strategies\n  SELECT a, b, c, d, e, f, g, h\nshort\n"
        );
    }
}
