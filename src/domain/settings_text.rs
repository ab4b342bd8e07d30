//! How settings are written in files, flags and variables.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::failure::{Failure, FailureKind};
use super::nearest::nearest;

/// The longest time to live, about a hundred years: beyond it servers' clocks overflow.
pub(crate) const MAX_TTL: Duration = Duration::from_hours(100 * 366 * 24);

/// Parses a TOML file, naming file and line, and for an unknown field the one that was meant.
///
/// # Errors
/// As said.
pub fn parse_toml<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| invalid(text, file, &error))
}

/// An error of a TOML file as [`parse_toml`] says it.
pub fn invalid(text: &str, file: &str, error: &toml::de::Error) -> Failure {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    if let Some((begins, quotes)) = unclosed(text, line) {
        let what = format!("{file}, line {begins}");
        let why = format!("the text that begins here has no closing {quotes}");
        return Failure::new(FailureKind::Config, what, why);
    }
    let message = error.message();
    let failed = |why: &str| Failure::new(FailureKind::Config, format!("{file}, line {line}"), why);
    // serde says: unknown field `x`, expected one of `a`, `b`.
    if let Some((_, choice)) = message.split_once("unknown ")
        && let mut quoted = choice.split('`').skip(1).step_by(2)
        && let Some(unknown) = quoted.next()
        && let Some(meant) = nearest(unknown, quoted)
    {
        // The names of all fields would hide it.
        let why = match choice.starts_with("field") {
            true => message.split(", expected ").next().unwrap_or_default(),
            false => message,
        };
        return failed(&plain(why)).hint(format!("did you mean `{meant}`?"));
    }
    failed(&plain(message))
}

/// The line on which a text of several lines begins, with its quotes, if it is what is wrong: only the
/// quotes that were to open the next text close it, or none.
fn unclosed(text: &str, line: usize) -> Option<(usize, &'static str)> {
    [r#"""""#, "'''"].into_iter().find_map(|quotes| {
        let mut open = None;
        for (nth, line) in text.lines().enumerate().take(line) {
            let before = line.trim_end().strip_suffix(quotes);
            let opens = before.is_some_and(|before| before.trim_end().ends_with('='));
            match open {
                Some(begins) if opens => return Some((begins, quotes)),
                _ if opens => open = Some(nth + 1),
                _ if line.contains(quotes) => open = None,
                _ => {}
            }
        }
        let mut rest = text.lines().skip(open?);
        (!rest.any(|line| line.contains(quotes))).then_some((open?, quotes))
    })
}

/// serde's words for a value that is not one of several, as people say it.
pub fn plain(message: &str) -> String {
    let message = message.replace("unknown variant `", "unknown value `");
    match message.contains("unknown value `") {
        true => {
            message.replace(", expected one of ", ": use one of ").replace(", expected ", ": use ")
        }
        false => message,
    }
}

/// The line of a place in a text, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}

/// A duration such as `2h` or `90s` that a cache can keep.
///
/// # Errors
/// Says what it must look like.
pub fn parse_ttl(text: &str) -> Result<Duration, String> {
    let ttl = humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration such as 90s, 30m, 2h or 1d"))?;
    if ttl < Duration::from_millis(1) || ttl > MAX_TTL {
        return Err(format!("`{text}` is not between 1ms and 100 years"));
    }
    Ok(ttl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::coding::Format;

    #[test]
    fn an_unclosed_text_is_named_where_it_begins() {
        for (text, says) in [
            (
                "a = 1\nb = ###\nx\n\nc = ###\ny z\n###\n",
                "line 2: the text that begins here has no closing ###",
            ),
            ("a = 1\nb = '''\nx\n", "line 2: the text that begins here has no closing '''"),
            ("a = ###\nx \\q\n###\nb = ###\n###\n", "line 2: "),
            ("a = ###\nx\n###\nprority\n", "line 4: key with no value"),
            ("a = \"x\nb = 1\n", "line 1: invalid basic string"),
        ] {
            let (text, says) = (text.replace("###", "\"\"\""), says.replace("###", "\"\"\""));
            let wrong = parse_toml::<toml::Table>(&text, "a.toml").expect_err("no TOML");
            assert!(wrong.to_string().contains(&says), "{text}: {wrong}");
        }
    }

    #[test]
    fn a_value_in_the_wrong_case_is_recognized() {
        #[derive(Debug, serde::Deserialize)]
        struct One {
            #[expect(dead_code, reason = "only read from the file")]
            format: Format,
        }
        let wrong = parse_toml::<One>("format = \"PHP\"", "a.toml").expect_err("no format");
        assert_eq!(
            wrong.to_string(),
            "a.toml, line 1: unknown value `PHP`: use one of `json`, `php`, `msgpack`"
        );
        assert_eq!(wrong.hint.as_deref(), Some("did you mean `php`?"));
    }
}
