//! Reading the files of PostgreSQL's and MySQL's own clients.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::domain::failure::{Failure, FailureKind};

/// A file in the home directory.
pub(super) fn at_home(name: &str) -> Option<PathBuf> {
    set("HOME").map(|home| Path::new(&home).join(name))
}

/// A variable that is set and not empty.
pub(super) fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The text of a file; `None`: there is none.
pub(super) fn text(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, error.to_string())),
    }
}

pub(super) fn unusable(path: &Path, why: impl Into<String>) -> Failure {
    let what = format!("cannot use {}", path.display());
    Failure::new(FailureKind::Config, what, why)
}

/// A name from a file, if nobody could take it for a secret.
pub(super) fn shown(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.!".contains(c);
    match name.len() <= 40 && name.chars().all(is_plain) {
        true => format!("`{name}`"),
        false => "one of its lines".to_owned(),
    }
}
