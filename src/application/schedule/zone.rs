//! Time zones.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::application::settings::values::text;
use crate::domain::nearest::nearest;

text!(Zone);

/// A time zone by its name, such as `Europe/Berlin`.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(pub TimeZone);

impl FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        TimeZone::get(name.trim()).map(Self).map_err(|_| {
            let all: Vec<String> =
                jiff::tz::db().available().map(|known| known.as_str().to_owned()).collect();
            // Many people write only the city.
            let city = |known: &&String| {
                let known = known.rsplit('/').next().unwrap_or_default();
                known.eq_ignore_ascii_case(name)
            };
            let meant = all.iter().find(city).map(String::as_str);
            match meant.or_else(|| nearest(name, all.iter().map(String::as_str))) {
                Some(meant) => format!("there is no time zone `{name}`; did you mean `{meant}`?"),
                None => format!("there is no time zone `{name}`; names are like `Europe/Berlin`"),
            }
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(zone_name(&self.0))
    }
}

/// The name of a zone. A zone that the system defines only by rules has none.
pub fn zone_name(zone: &TimeZone) -> &str {
    match zone.iana_name() {
        Some("Etc/UTC" | "Etc/UCT" | "Etc/Zulu" | "Zulu" | "UCT") => "UTC",
        Some(name) => name,
        None => "local",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_zone_is_explained() {
        for (name, meant) in [
            ("Berlin", "`Europe/Berlin`"),
            ("America/New York", "`America/New_York`"),
            ("Europe/Berln", "`Europe/Berlin`"),
            ("noon", "names are like `Europe/Berlin`"),
        ] {
            let error = name.parse::<Zone>().expect_err(name);
            assert!(error.contains(meant), "{error}");
        }
        assert_eq!(zone_name(&"Etc/UTC".parse::<Zone>().expect("a zone").0), "UTC");
        let zone = "asia/shanghai".parse::<Zone>().expect("a zone").0;
        assert_eq!(zone_name(&zone), "Asia/Shanghai");
    }
}
