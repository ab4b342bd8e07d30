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
    let message = error.message();
    let why = plain(message);
    let failure = Failure::new(FailureKind::Config, format!("{file}, line {line}"), why);
    // serde says: unknown field `x`, expected one of `a`, `b`.
    if let Some((_, choice)) = message.split_once("unknown ")
        && let mut quoted = choice.split('`').skip(1).step_by(2)
        && let Some(unknown) = quoted.next()
        && let Some(meant) = nearest(unknown, quoted)
    {
        return failure.hint(format!("did you mean `{meant}`?"));
    }
    failure
}

/// serde's words for a value that is not one of several, as people say it.
pub fn plain(message: &str) -> String {
    let message = message.replace("unknown variant `", "unknown value `");
    match message.contains("unknown value `") {
        true => message
            .replace(", expected one of ", ": use one of ")
            .replace(", expected ", ": use "),
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
        .map_err(|_| format!("`{text}` is not a duration such as 90s, 30m, 2h or 1day"))?;
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
