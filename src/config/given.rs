//! URLs that files and commands give, again and again.

use std::path::PathBuf;
use std::sync::Arc;

use super::secret::Secret;
use super::{command, option_file, service_file};
use crate::application::ports::FreshUrl;
use crate::domain::database::plain_url;
use crate::domain::failure::Failure;

/// Where a URL may be read again.
#[derive(Clone)]
pub(super) enum Giver {
    File(PathBuf),
    /// A command and the name of its setting.
    Command(Secret, String),
}

impl Giver {
    /// # Errors
    /// The file or the command gives none.
    pub(super) fn read(&self) -> Result<Secret, Failure> {
        match self {
            Self::File(path) => Secret::read(path),
            Self::Command(text, name) => command::run(text.expose(), name),
        }
    }

    /// The URL that it gave, which can be read again.
    pub(super) fn fresh(self, secret: Secret, is_cache: bool) -> Secret {
        let ask = move || {
            let url = self.read()?;
            Ok(if is_cache { url } else { completed(&url)? }.expose().to_owned())
        };
        let fresh = FreshUrl::new(secret.expose().to_owned(), Arc::new(ask));
        secret.with_fresh(fresh)
    }
}

/// A database's URL with what it leaves to a file of the database's own clients: a service, or a user
/// and a password.
///
/// # Errors
/// The file is needed and does not say it, or says what we cannot follow; never quotes a value.
pub(super) fn completed(url: &Secret) -> Result<Secret, Failure> {
    let url = plain_url(url.expose());
    let completed = match url.split(':').next().unwrap_or_default() {
        "postgres" | "postgresql" => service_file::completed(&url)?,
        "mysql" | "mariadb" => option_file::completed(&url)?,
        _ => None,
    };
    Ok(Secret::new(completed.unwrap_or(url)))
}
