//! URLs with secrets: from a flag, a variable, a systemd credential or the file; each directly, in
//! a file, or printed by a command.

use std::path::{Path, PathBuf};

use super::command;
use super::connection::ConnectionSettings;
use super::layers::{Layers, Provenance, Reading, variable};
use super::option_file;
use super::parts;
use super::sample::Sample;
use super::secret::{Secret, credential};
use super::service_file;
use crate::domain::database::plain_url;
use crate::domain::failure::{Failure, FailureKind};

/// A URL and the names of its settings.
#[derive(Clone, Copy)]
pub(super) struct Url {
    setting: &'static str,
    credential: &'static str,
    /// Its file name in the sample shop.
    demo: Option<&'static str>,
    /// Another variable that is accepted.
    older: Option<&'static str>,
    /// Whether variables for its parts are accepted.
    in_parts: bool,
    is_cache: bool,
    ways: fn(&ConnectionSettings) -> Ways,
}

pub(super) const DATABASE: Url = Url {
    setting: "database_url",
    credential: "database-url",
    demo: Some("shop.db"),
    older: None,
    in_parts: true,
    is_cache: false,
    ways: |c| Ways::new(&c.database_url, &c.database_url_file, &c.database_url_command),
};

pub(super) const PRIMARY: Url = Url {
    setting: "primary_url",
    credential: "primary-url",
    demo: None,
    older: None,
    in_parts: false,
    is_cache: false,
    ways: |c| Ways::new(&c.primary_url, &c.primary_url_file, &c.primary_url_command),
};

pub(super) const CACHE: Url = Url {
    setting: "cache_url",
    credential: "cache-url",
    demo: Some("cache.db"),
    older: Some("REDIS_URL"),
    in_parts: false,
    is_cache: true,
    ways: |c| Ways::new(&c.cache_url, &c.cache_url_file, &c.cache_url_command),
};

impl Url {
    /// The settings that can set it: URL, file, command.
    fn settings(self) -> [String; 3] {
        ["", "_file", "_command"].map(|way| format!("{}{way}", self.setting))
    }

    fn flags(self) -> [String; 3] {
        self.settings().map(|name| format!("--{}", name.replace('_', "-")))
    }

    fn variables(self) -> [String; 3] {
        self.settings().map(|name| variable(&name))
    }
}

/// The three ways to give a URL in one source.
struct Ways {
    url: Option<Secret>,
    file: Option<PathBuf>,
    command: Option<Secret>,
}

impl Ways {
    fn new(url: &Option<Secret>, file: &Option<PathBuf>, command: &Option<Secret>) -> Self {
        let said = |text: &Secret| !text.expose().is_empty();
        Self {
            url: url.clone().filter(said),
            file: file.clone(),
            command: command.clone().filter(said),
        }
    }
}

impl Reading<'_> {
    /// Finds a URL and shows its origin. Fails if a URL cannot be read, unless errors are to be
    /// collected.
    pub(super) fn url(
        &mut self,
        url: Url,
        layers: &Layers<ConnectionSettings>,
        demo: Option<&Sample>,
    ) -> Result<Option<Secret>, Failure> {
        let found = self.find(url, layers, demo);
        let found = found.and_then(|found| match found {
            Some((secret, from)) if !url.is_cache => {
                let plain = Secret::new(plain_url(secret.expose()));
                Ok(Some((completed(plain)?, from)))
            }
            found => Ok(found),
        });
        let found = match (found, &mut self.refused) {
            (Err(failure), Some(refused)) => {
                refused.push(failure);
                None
            }
            (found, _) => found?,
        };
        let (secret, from) = match found {
            Some((secret, from)) => (Some(secret), from),
            None => (None, Provenance::Default),
        };
        self.show(url.setting, secret.as_ref().map(Secret::redacted), from);
        Ok(secret)
    }

    /// Flags override `--demo`, which overrides everything else.
    fn find(
        &mut self,
        url: Url,
        layers: &Layers<ConnectionSettings>,
        demo: Option<&Sample>,
    ) -> Result<Option<(Secret, Provenance)>, Failure> {
        if let Some(sample) = demo {
            let given = (url.ways)(&layers.flags);
            return match url.demo {
                // The sample database is not a replica.
                None => Ok(None),
                Some(file) => {
                    let of_sample = || (sample.url(file), Provenance::Demo);
                    Ok(Some(self.given(url, &given)?.unwrap_or_else(of_sample)))
                }
            };
        }
        if let Some(found) = self.given(url, &(url.ways)(&layers.flags))? {
            return Ok(Some(found));
        }
        let variables = url.variables();
        let in_environment = (url.ways)(&layers.environment);
        if let Some((way, secret)) = self.one(&in_environment, &variables, FailureKind::Usage)? {
            let from = Provenance::Environment(variables[way].clone());
            return Ok(Some((secret, from_way(way, from))));
        }
        let older = url.older.and_then(|name| Some((std::env::var(name).ok()?, name)));
        if let Some((text, name)) = older.filter(|(text, _)| !text.is_empty()) {
            let from = Provenance::Environment(name.to_owned());
            return Ok(Some((Secret::new(text), from)));
        }
        if let Some(secret) = credential(url.credential)? {
            return Ok(Some((secret, Provenance::Credential(url.credential))));
        }
        let in_file = (url.ways)(&layers.file);
        let found = self.one(&in_file, &url.settings(), FailureKind::Config)?;
        let file = Provenance::File(self.path.clone());
        match found {
            Some((way, secret)) => Ok(Some((secret, from_way(way, file)))),
            // Variables for another program are no reason to refuse a command without a database.
            None if url.in_parts => Ok(parts::database_url().unwrap_or_else(|failure| {
                self.warnings.push(failure.to_string());
                None
            })),
            None => Ok(None),
        }
    }

    /// URLs from flags; warns about passwords in them.
    fn given(&mut self, url: Url, ways: &Ways) -> Result<Option<(Secret, Provenance)>, Failure> {
        let flags = url.flags();
        let Some((way, secret)) = self.one(ways, &flags, FailureKind::Usage)? else {
            return Ok(None);
        };
        if way == 0 && secret.holds_password() {
            let [flag, file, command] = &flags;
            self.warnings.push(format!(
                "everyone on this machine can read the password in {flag} in its list of processes; \
                 use {file}, {command} or {}",
                variable(url.setting)
            ));
        }
        Ok(Some((secret, from_way(way, Provenance::Flag))))
    }

    /// The secret and how it was given. Giving it twice is an error.
    fn one(
        &mut self,
        ways: &Ways,
        names: &[String; 3],
        kind: FailureKind,
    ) -> Result<Option<(usize, Secret)>, Failure> {
        let is_given = [ways.url.is_some(), ways.file.is_some(), ways.command.is_some()];
        let given = names.iter().zip(is_given).filter(|(_, is_given)| *is_given);
        let given: Vec<&str> = given.map(|(name, _)| name.as_str()).collect();
        if given.len() > 1 {
            let place = match kind {
                FailureKind::Config => format!("{}: ", self.path.display()),
                _ => String::new(),
            };
            let what = format!("{place}{} are both given", given.join(" and "));
            return Err(Failure::new(kind, what, "they set the same thing").hint("keep one"));
        }
        if let Some(url) = &ways.url {
            return Ok(Some((0, url.clone())));
        }
        if let Some(path) = &ways.file {
            return Ok(Some((1, self.secret(path)?)));
        }
        match &ways.command {
            Some(command) => Ok(Some((2, command::run(command.expose(), &names[2])?))),
            None => Ok(None),
        }
    }

    /// Reads a secret from a file and records the file: only its owner should be able to read it.
    pub(super) fn secret(&mut self, path: &Path) -> Result<Secret, Failure> {
        let secret = Secret::read(path)?;
        self.secret_files.push(path.to_owned());
        Ok(secret)
    }
}

fn from_way(way: usize, from: Provenance) -> Provenance {
    match way {
        2 => Provenance::Command(Box::new(from)),
        _ => from,
    }
}

/// The URL with what it leaves to a file of the database's own clients: a service, or a user and a
/// password.
///
/// # Errors
/// The file is needed and does not say it, or says what we cannot follow; never quotes a value.
fn completed(url: Secret) -> Result<Secret, Failure> {
    let scheme = url.expose().split(':').next().unwrap_or_default();
    let completed = match scheme {
        "postgres" | "postgresql" => service_file::completed(url.expose())?,
        "mysql" | "mariadb" => option_file::completed(url.expose())?,
        _ => None,
    };
    Ok(completed.map_or(url, Secret::new))
}
