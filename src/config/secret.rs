//! What must not be shown, and where it may come from: a text as such, a file, a command, a
//! credential of systemd's.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ConnectionFlags, Provenance, Resolver, Shown};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::redaction;

/// A command that has not printed its secret by then will not.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A secret is a line; what is longer than this is something else.
const MOST_BYTES: u64 = 64 * 1024;

/// Where systemd puts what a unit names with LoadCredential=.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A text that must not be shown. Its `Debug` is redacted; [`Secret::redacted`] is for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The URL without what is secret in it, and without what might be.
    pub fn redacted(&self) -> String {
        redaction::url(&self.0)
    }

    /// Whether there is a password or a token in it, as far as that can be known.
    pub fn holds_password(&self) -> bool {
        redaction::holds_password(&self.0)
    }

    /// Whether it is a URL that can be read, and in one way only.
    pub fn is_valid(&self) -> bool {
        redaction::is_valid(&self.0)
    }

    /// Whether a part of the password may stand where host or path should.
    pub fn is_ambiguous(&self) -> bool {
        redaction::is_ambiguous(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The error of its own would repeat the value.
        String::deserialize(from)
            .map(Self)
            .map_err(|_| D::Error::custom("a text in quotes is expected"))
    }
}

/// A URL, and all that it is called.
struct Names {
    setting: &'static str,
    file: &'static str,
    command: &'static str,
    credential: &'static str,
    flags: [&'static str; 3],
    variables: [&'static str; 3],
}

const DATABASE: Names = Names {
    setting: "database_url",
    file: "database_url_file",
    command: "database_url_command",
    credential: "database-url",
    flags: [
        "--database-url",
        "--database-url-file",
        "--database-url-command",
    ],
    variables: [
        "DATABASE_URL",
        "SHOPWARM_DATABASE_URL_FILE",
        "SHOPWARM_DATABASE_URL_COMMAND",
    ],
};

const CACHE: Names = Names {
    setting: "cache_url",
    file: "cache_url_file",
    command: "cache_url_command",
    credential: "cache-url",
    flags: ["--cache-url", "--cache-url-file", "--cache-url-command"],
    variables: [
        "CACHE_URL",
        "SHOPWARM_CACHE_URL_FILE",
        "SHOPWARM_CACHE_URL_COMMAND",
    ],
};

const PRIMARY: Names = Names {
    setting: "primary_url",
    file: "primary_url_file",
    command: "primary_url_command",
    credential: "primary-url",
    flags: [
        "--primary-url",
        "--primary-url-file",
        "--primary-url-command",
    ],
    variables: [
        "SHOPWARM_PRIMARY_URL",
        "SHOPWARM_PRIMARY_URL_FILE",
        "SHOPWARM_PRIMARY_URL_COMMAND",
    ],
};

/// The three ways in which a URL can be given in one place.
#[derive(Clone, Default)]
struct Ways {
    url: Option<Secret>,
    file: Option<PathBuf>,
    command: Option<Secret>,
}

impl Ways {
    /// Those that are said in one place: on the command line, or in the environment.
    fn only(&self, kept: impl Fn(usize) -> bool) -> Self {
        Self {
            url: self.url.clone().filter(|_| kept(0)),
            file: self.file.clone().filter(|_| kept(1)),
            command: self.command.clone().filter(|_| kept(2)),
        }
    }
}

type Found = Option<(Secret, Provenance)>;

impl Resolver<'_> {
    pub(super) fn database_url(
        &mut self,
        flags: &ConnectionFlags,
        demo: Option<&Path>,
    ) -> Result<Option<Secret>, Failure> {
        let given = Ways {
            url: text(flags.database_url.as_ref()),
            file: flags.database_url_file.clone(),
            command: text(flags.database_url_command.as_ref()),
        };
        let in_file = Ways {
            url: self.file.database_url.take(),
            file: self.file.database_url_file.take(),
            command: self.file.database_url_command.take(),
        };
        let demo = demo.map(|dir| dir.join("shop.db"));
        self.url(&DATABASE, &given, in_file, demo)
    }

    /// The sample shop's database is no copy of another.
    pub(super) fn primary_url(
        &mut self,
        flags: &ConnectionFlags,
        is_demo: bool,
    ) -> Result<Option<Secret>, Failure> {
        let given = Ways {
            url: text(flags.primary_url.as_ref()),
            file: flags.primary_url_file.clone(),
            command: text(flags.primary_url_command.as_ref()),
        };
        let in_file = Ways {
            url: self.file.primary_url.take(),
            file: self.file.primary_url_file.take(),
            command: self.file.primary_url_command.take(),
        };
        match is_demo {
            true => self.url(&PRIMARY, &Ways::default(), Ways::default(), None),
            false => self.url(&PRIMARY, &given, in_file, None),
        }
    }

    pub(super) fn cache_url(
        &mut self,
        flags: &ConnectionFlags,
        demo: Option<&Path>,
    ) -> Result<Option<Secret>, Failure> {
        let given = Ways {
            url: text(flags.cache_url.as_ref()),
            file: flags.cache_url_file.clone(),
            command: text(flags.cache_url_command.as_ref()),
        };
        let in_file = Ways {
            url: self.file.cache_url.take(),
            file: self.file.cache_url_file.take(),
            command: self.file.cache_url_command.take(),
        };
        let demo = demo.map(|dir| dir.join("cache.db"));
        self.url(&CACHE, &given, in_file, demo)
    }

    /// Finds a URL and remembers where. One that cannot be had ends everything, unless the rest is
    /// wanted all the same.
    fn url(
        &mut self,
        names: &Names,
        given: &Ways,
        in_file: Ways,
        demo: Option<PathBuf>,
    ) -> Result<Option<Secret>, Failure> {
        let found =
            self.find(names, given, in_file, demo)
                .or_else(|failure| match &mut self.refused {
                    Some(refused) => {
                        refused.push(failure);
                        Ok(None)
                    }
                    None => Err(failure),
                })?;
        Ok(match found {
            Some((url, from)) => Some(self.show(names.setting, url, from, Secret::redacted)),
            None => {
                self.shown.push(Shown {
                    name: names.setting,
                    value: None,
                    from: Provenance::Default,
                });
                None
            }
        })
    }

    /// `--demo` stands behind a flag and before everything else: who says it means the sample.
    fn find(
        &mut self,
        names: &Names,
        given: &Ways,
        in_file: Ways,
        demo: Option<PathBuf>,
    ) -> Result<Found, Failure> {
        let settings = [names.setting, names.file, names.command];
        let sources = settings.map(|name| self.given(name));
        let flags = given.only(|way| sources[way] == Some(Provenance::Flag));
        if let Some((way, secret)) = self.one(&flags, names.flags, FailureKind::Usage)? {
            if way == 0 && secret.holds_password() {
                self.warnings.push(exposed(names));
            }
            return Ok(Some((secret, from_way(way, Provenance::Flag))));
        }
        if let Some(path) = demo {
            let url = Secret(format!("sqlite:{}", escaped(&path)));
            return Ok(Some((url, Provenance::Demo)));
        }
        let variables = given.only(|way| matches!(sources[way], Some(Provenance::Environment(_))));
        if let Some((way, secret)) = self.one(&variables, names.variables, FailureKind::Usage)? {
            let from = Provenance::Environment(names.variables[way]);
            return Ok(Some((secret, from_way(way, from))));
        }
        if let Some(url) = older_variable(names) {
            return Ok(Some((url, Provenance::Environment("REDIS_URL"))));
        }
        if let Some(url) = credential(names.credential)? {
            return Ok(Some((url, Provenance::Credential(names.credential))));
        }
        let beside = Ways {
            file: in_file.file.map(|path| self.beside(&path)),
            ..in_file
        };
        let found = self.one(&beside, settings, FailureKind::Config)?;
        let file = Provenance::File(self.path.clone());
        Ok(found.map(|(way, secret)| (secret, from_way(way, file))))
    }

    /// The secret that is given in one of three ways, and in which; two are one too many.
    fn one(
        &mut self,
        ways: &Ways,
        names: [&'static str; 3],
        kind: FailureKind,
    ) -> Result<Option<(usize, Secret)>, Failure> {
        let is_given = [
            ways.url.is_some(),
            ways.file.is_some(),
            ways.command.is_some(),
        ];
        let given: Vec<&str> = (0..3).filter(|i| is_given[*i]).map(|i| names[i]).collect();
        if given.len() > 1 {
            let place = match kind {
                FailureKind::Config => format!("{}: ", self.path.display()),
                _ => String::new(),
            };
            let what = format!("{place}{} are both given", given.join(" and "));
            return Err(Failure::new(kind, what, "they are ways to say the same").hint("keep one"));
        }
        if let Some(url) = &ways.url {
            return Ok(Some((0, url.clone())));
        }
        if let Some(path) = &ways.file {
            return Ok(Some((1, self.secret(path)?)));
        }
        match &ways.command {
            Some(command) => Ok(Some((2, run(command.expose(), names[2])?))),
            None => Ok(None),
        }
    }

    /// The secret in a file, which is remembered: it should be its owner's alone.
    pub(super) fn secret(&mut self, path: &Path) -> Result<Secret, Failure> {
        let secret = read(path)?;
        self.secret_files.push(path.to_owned());
        Ok(secret)
    }
}

fn text(given: Option<&String>) -> Option<Secret> {
    given
        .filter(|text| !text.is_empty())
        .map(|text| Secret(text.clone()))
}

fn from_way(way: usize, from: Provenance) -> Provenance {
    match way {
        2 => Provenance::Command(Box::new(from)),
        _ => from,
    }
}

fn exposed(names: &Names) -> String {
    let [url, file, command] = names.flags;
    let variable = names.variables[0];
    format!(
        "the password in {url} is in this machine's list of processes, for all to read; \
         use {file}, {command} or {variable}"
    )
}

/// The older name of the variable stands behind CACHE_URL and before everything later.
fn older_variable(names: &Names) -> Option<Secret> {
    let url = std::env::var("REDIS_URL").ok();
    let is_meant = names.setting == CACHE.setting;
    url.filter(|url| is_meant && !url.is_empty()).map(Secret)
}

/// A path as it may stand in a URL.
fn escaped(path: &Path) -> String {
    let path = path.display().to_string();
    path.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
}

/// What systemd hands to the service under this name, if it does.
pub(super) fn credential(name: &str) -> Result<Option<Secret>, Failure> {
    let Some(dir) = std::env::var_os(CREDENTIALS).filter(|dir| !dir.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&dir).join(name);
    path.exists().then(|| read(&path)).transpose()
}

/// The first line of a file.
fn read(path: &Path) -> Result<Secret, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|e| {
            let cannot = format!("cannot read {}", path.display());
            Failure::new(FailureKind::Config, cannot, e.to_string())
        })?;
    first_line(&bytes).map_err(|why| {
        let what = format!("{} holds no URL or token", path.display());
        Failure::new(FailureKind::Config, what, why)
    })
}

/// The first line, without a byte order mark and the space around it.
fn first_line(bytes: &[u8]) -> Result<Secret, &'static str> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err("more than 64 KiB");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "no UTF-8 text")?;
    let line = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = line.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err("the first line is empty");
    }
    if line.contains(char::is_control) {
        return Err("control characters in the first line");
    }
    Ok(Secret(line.to_owned()))
}

/// The first line that a command prints. Neither the command nor anything it prints is ever shown:
/// both may hold the secret.
fn run(command: &str, name: &str) -> Result<Secret, Failure> {
    let failed = |why: String| {
        Failure::new(FailureKind::Config, format!("{name} gave no URL"), why)
            .hint("run the command by hand: what it prints is not shown, since it may be the URL")
    };
    let deadline = Instant::now() + COMMAND_TIMEOUT;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("sh cannot be started: {e}")))?;
    let (send, printed) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(mut stdout) = stdout else { return };
        let _ = (&mut stdout).take(MOST_BYTES + 1).read_to_end(&mut bytes);
        // To its end, or the command would fail for want of a reader.
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        let _ = send.send(bytes);
    });
    let left = || deadline.saturating_duration_since(Instant::now());
    let bytes = printed.recv_timeout(left());
    let ended = loop {
        match child.try_wait() {
            Ok(None) if bytes.is_ok() && !left().is_zero() => thread::sleep(LOOK_EVERY),
            Ok(status) => break status,
            Err(_) => break None,
        }
    };
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    match (ended, bytes) {
        (Some(status), _) if !status.success() => Err(failed(format!("it failed ({status})"))),
        (Some(_), Ok(bytes)) => first_line(&bytes).map_err(|why| failed(why.to_owned())),
        _ => Err(failed(format!(
            "it did not end within {} s",
            COMMAND_TIMEOUT.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret("postgres://u:s3cret@h/db".to_owned());
        assert_eq!(secret.redacted(), "postgres://u:***@h/db");
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn the_first_line_counts() {
        let line = |bytes: &[u8]| first_line(bytes).map(|secret| secret.0);
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
