//! The time zone of our sessions with the database.

use std::fmt;
use std::str::FromStr;

/// A zone by its name, such as `Europe/Berlin`, or by its offset from UTC, such as `+05:30`. It
/// decides what the present moment and today are in a definition's SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionZone(String);

const UTC: &str = "UTC";

impl Default for SessionZone {
    fn default() -> Self {
        Self(UTC.to_owned())
    }
}

impl SessionZone {
    pub fn is_utc(&self) -> bool {
        self.0 == UTC
    }

    /// As an offset, `+05:30`; `None`: it has a name.
    pub fn offset(&self) -> Option<&str> {
        self.0.starts_with(['+', '-']).then_some(self.0.as_str())
    }

    /// Seconds ahead of UTC, where it is an offset.
    pub fn ahead(&self) -> Option<i64> {
        if self.is_utc() { Some(0) } else { seconds(self.offset()?) }
    }
}

impl FromStr for SessionZone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if seconds(text) == Some(0) || ["utc", "z", "etc/utc"].contains(&&*text.to_lowercase()) {
            return Ok(Self::default());
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_/+-".contains(c);
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.len() <= 64
            && text.chars().all(is_part);
        match is_name || seconds(text).is_some() {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "`{text}` is not a time zone; write its name, such as Europe/Berlin, or its offset \
                 from UTC, such as +05:30"
            )),
        }
    }
}

/// The seconds of `+05:30`, up to 14 hours.
fn seconds(offset: &str) -> Option<i64> {
    let sign = match offset.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |text: &str, max: i64| -> Option<i64> {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|n| is_number && *n <= max)
    };
    let seconds = number(hours, 14)? * 3600 + number(minutes, 59)? * 60;
    (seconds <= 14 * 3600).then_some(sign * seconds)
}

impl fmt::Display for SessionZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_a_name_or_an_offset() {
        let zone = |text: &str| text.parse::<SessionZone>();
        for text in ["UTC", "utc", "+00:00", "-00:00", " Etc/UTC "] {
            assert!(zone(text).expect(text).is_utc(), "{text}");
        }
        for (text, ahead) in [
            ("+05:30", Some(19_800)),
            ("-03:00", Some(-10_800)),
            ("Europe/Berlin", None),
            ("Etc/GMT+3", None),
        ] {
            let zone = zone(text).expect(text);
            assert_eq!((zone.ahead(), zone.to_string()), (ahead, text.to_owned()));
        }
        for text in ["", "+5:30", "+15:00", "+05:60", "+0530", "a'b", "Europe/Berlin; x"] {
            assert!(zone(text).is_err(), "{text}");
        }
    }
}
