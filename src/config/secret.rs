//! Text that must not be shown.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::application::ports::FreshUrl;
use crate::application::settings::group::Setting;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::redaction;

/// A secret is one line, and no longer than this.
pub(super) const MAX_BYTES: u64 = 64 * 1024;

/// Where systemd puts the credentials of LoadCredential=.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Text that must not be shown. Its `Debug` and its JSON are redacted; [`Secret::redacted`] is for
/// people.
#[derive(Clone)]
pub struct Secret {
    text: String,
    fresh: Option<FreshUrl>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self { text, fresh: None }
    }

    pub(super) fn with_fresh(self, fresh: FreshUrl) -> Self {
        Self { fresh: Some(fresh), ..self }
    }

    /// The same, asked for again when it is needed; `None`: it does not change.
    pub fn fresh(&self) -> Option<&FreshUrl> {
        self.fresh.as_ref()
    }

    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The URL without its secrets, and without anything that may be one.
    pub fn redacted(&self) -> String {
        redaction::url(&self.text)
    }

    /// Whether it seems to contain a password or token.
    pub fn holds_password(&self) -> bool {
        redaction::holds_password(&self.text)
    }

    /// Whether it is a URL with only one reading.
    pub fn is_valid(&self) -> bool {
        redaction::is_valid(&self.text)
    }

    /// Whether part of the password could be read as host or path.
    pub fn is_ambiguous(&self) -> bool {
        redaction::is_ambiguous(&self.text)
    }

    /// The first line of a file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|e| {
                let cannot = format!("cannot read {}", path.display());
                Failure::new(FailureKind::Config, cannot, e.to_string())
            })?;
        Self::first_line(&bytes).map_err(|why| {
            let what = format!("{} contains no URL or token", path.display());
            Failure::new(FailureKind::Config, what, why)
        })
    }

    /// The first line, without byte order mark and surrounding space.
    pub(super) fn first_line(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err("more than 64 KiB");
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text")?;
        let line = text.strip_prefix('\u{feff}').unwrap_or(text);
        let line = line.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            return Err("the first line is empty");
        }
        if line.contains(char::is_control) {
            return Err("control characters in the first line");
        }
        Ok(Self::new(line.to_owned()))
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // serde's own error would repeat the value.
        String::deserialize(from)
            .map(Self::new)
            .map_err(|_| D::Error::custom("expected a string in quotes"))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.redacted())
    }
}

impl Setting for Secret {}

/// The systemd credential with this name.
pub(super) fn credential(name: &str) -> Result<Option<Secret>, Failure> {
    let Some(dir) = std::env::var_os(CREDENTIALS).filter(|dir| !dir.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&dir).join(name);
    path.exists().then(|| Secret::read(&path)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("postgres://u:s3cret@h/db".to_owned());
        assert_eq!(secret.redacted(), "postgres://u:***@h/db");
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn the_first_line_counts() {
        let line = |bytes: &[u8]| Secret::first_line(bytes).map(|secret| secret.text);
        assert_eq!(line(b"\xef\xbb\xbf a b \r\nc\n").as_deref(), Ok("a b"));
        for (bytes, why) in [
            (&b""[..], "empty"),
            (b"\nsecond", "empty"),
            (b"\xff\xfe", "UTF-8"),
            (b"a\0b", "control"),
            (&[b'a'; 64 * 1024 + 1], "64 KiB"),
        ] {
            assert!(line(bytes).unwrap_err().contains(why), "{why}");
        }
    }
}
