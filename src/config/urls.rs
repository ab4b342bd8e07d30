//! URLs with secrets: from a flag, a variable, a systemd credential or the file; each directly, in
//! a file, or printed by a command.

use std::path::{Path, PathBuf};

use super::connection::ConnectionSettings;
use super::given::{Giver, completed};
use super::layers::{Layers, Provenance, Reading, variable};
use super::parts;
use super::sample::Sample;
use super::secret::{Secret, credential};
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

/// A URL, where it can be read again, and where it was found.
type Found = (Secret, Option<Giver>, Provenance);

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
        let found = found.and_then(|found| {
            let Some((secret, giver, from)) = found else {
                return Ok(None);
            };
            let secret = if url.is_cache { secret } else { completed(&secret)? };
            Ok(Some(match giver {
                Some(giver) => (giver.fresh(secret, url.is_cache), from),
                None => (secret, from),
            }))
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
    ) -> Result<Option<Found>, Failure> {
        if let Some(sample) = demo {
            let given = (url.ways)(&layers.flags);
            return match url.demo {
                // The sample database is not a replica.
                None => Ok(None),
                Some(file) => {
                    let of_sample = || (sample.url(file), None, Provenance::Demo);
                    Ok(Some(self.given(url, &given)?.unwrap_or_else(of_sample)))
                }
            };
        }
        if let Some(found) = self.given(url, &(url.ways)(&layers.flags))? {
            return Ok(Some(found));
        }
        let variables = url.variables();
        let in_environment = (url.ways)(&layers.environment);
        if let Some((way, secret, giver)) =
            self.one(&in_environment, &variables, FailureKind::Usage)?
        {
            let from = Provenance::Environment(variables[way].clone());
            return Ok(Some((secret, giver, from_way(way, from))));
        }
        let older = url.older.and_then(|name| Some((std::env::var(name).ok()?, name)));
        if let Some((text, name)) = older.filter(|(text, _)| !text.is_empty()) {
            let from = Provenance::Environment(name.to_owned());
            return Ok(Some((Secret::new(text), None, from)));
        }
        if let Some(secret) = credential(url.credential)? {
            return Ok(Some((secret, None, Provenance::Credential(url.credential))));
        }
        let in_file = (url.ways)(&layers.file);
        let found = self.one(&in_file, &url.settings(), FailureKind::Config)?;
        let file = Provenance::File(self.path.clone());
        match found {
            Some((way, secret, giver)) => Ok(Some((secret, giver, from_way(way, file)))),
            // Variables for another program are no reason to refuse a command without a database.
            None if url.in_parts => {
                let found = parts::database_url().unwrap_or_else(|failure| {
                    self.warnings.push(failure.to_string());
                    None
                });
                Ok(found.map(|(secret, from)| (secret, None, from)))
            }
            None => Ok(None),
        }
    }

    /// URLs from flags; warns about passwords in them.
    fn given(&mut self, url: Url, ways: &Ways) -> Result<Option<Found>, Failure> {
        let flags = url.flags();
        let Some((way, secret, giver)) = self.one(ways, &flags, FailureKind::Usage)? else {
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
        Ok(Some((secret, giver, from_way(way, Provenance::Flag))))
    }

    /// The way in which a secret was given, the secret, and where it can be read again. Giving it twice is an
    /// error.
    fn one(
        &mut self,
        ways: &Ways,
        names: &[String; 3],
        kind: FailureKind,
    ) -> Result<Option<(usize, Secret, Option<Giver>)>, Failure> {
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
            return Ok(Some((0, url.clone(), None)));
        }
        if let Some(path) = &ways.file {
            let secret = self.secret(path)?;
            // A pipe gives it once.
            let giver = path.is_file().then(|| Giver::File(path.clone()));
            return Ok(Some((1, secret, giver)));
        }
        match &ways.command {
            Some(command) => {
                let giver = Giver::Command(command.clone(), names[2].clone());
                Ok(Some((2, giver.read()?, Some(giver))))
            }
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
