//! What `serve` alone needs: where it listens, who may ask, when it is ready.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use serde::Deserialize;

use super::schedule::Names;
use super::secret::{self, Secret};
use super::{Provenance, Resolver, ScheduleFlags, Shown, parsed, value_name};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::settings_text::parse_ttl;

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);

const DEFAULT_GRACE: Duration = Duration::from_secs(25);

/// A token that can be guessed is none.
const SHORTEST_TOKEN: usize = 16;

/// Where the token may stand beside a file. Never a flag: everybody on the machine can read those.
const TOKEN_VARIABLE: &str = "SHOPWARM_TOKEN";

/// As a unit of systemd's names it with LoadCredential=.
const TOKEN_CREDENTIAL: &str = "token";

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Serving")]
pub struct ServeFlags {
    /// Where to listen; beyond this machine only with a token [default: 127.0.0.1:8787]
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SHOPWARM_LISTEN",
        hide_env_values = true
    )]
    pub listen: Option<SocketAddr>,
    /// A file that holds the token which clients must have [env: SHOPWARM_TOKEN: the token itself]
    #[arg(long, value_name = "FILE", env = "SHOPWARM_TOKEN_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// A name that clients may call this server by, beside localhost and addresses; `*`: any
    #[arg(
        long,
        value_name = "HOST",
        env = "SHOPWARM_ALLOWED_HOST",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub allowed_host: Vec<String>,
    /// When /readyz says so [default: start]
    #[arg(
        long,
        value_name = "WHEN",
        env = "SHOPWARM_READY_AFTER",
        hide_env_values = true
    )]
    pub ready_after: Option<ReadyAfter>,
    /// Warm this when it starts: all, or names of contexts and CONTEXT/NAME
    #[arg(
        long,
        value_name = "WHAT",
        env = "SHOPWARM_ON_START",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub on_start: Vec<String>,
    /// How long runs may take to finish when it is told to end [default: 25s]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_GRACE", hide_env_values = true, value_parser = parse_ttl)]
    pub grace: Option<Duration>,
    #[command(flatten)]
    pub schedule: ScheduleFlags,
}

/// When a server counts as ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyAfter {
    /// As soon as it listens
    #[default]
    Start,
    /// After its first complete run
    FirstRun,
}

/// The same in `shopwarm.toml`.
#[derive(Debug, Default)]
pub(super) struct InFile {
    pub listen: Option<String>,
    pub token_file: Option<PathBuf>,
    pub allowed_host: Option<Vec<String>>,
    pub ready_after: Option<ReadyAfter>,
    pub on_start: Option<Names>,
    pub grace: Option<String>,
}

/// What `serve` is told.
#[derive(Clone, Debug)]
pub struct Serving {
    pub listen: SocketAddr,
    pub token: Option<Secret>,
    pub allowed_hosts: Vec<String>,
    pub ready_after: ReadyAfter,
    /// Empty: nothing.
    pub on_start: Vec<String>,
    pub grace: Duration,
}

impl Serving {
    /// Picks each setting. `flags` are `None` for commands that serve nothing.
    pub(super) fn resolve(
        r: &mut Resolver<'_>,
        flags: Option<&ServeFlags>,
        file: InFile,
    ) -> Result<Self, Failure> {
        let given = flags.cloned().unwrap_or_default();
        let listen = parsed(r, "listen", file.listen, |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| "an address and a port, such as 127.0.0.1:8787".to_owned())
        })?;
        let listen = r.setting(
            "listen",
            given.listen,
            listen,
            DEFAULT_LISTEN,
            SocketAddr::to_string,
        );
        let token = match flags {
            Some(_) => token(r, given.token_file, file.token_file)?,
            None => None,
        };
        let list = |names: &Vec<String>| names.join(", ");
        let some = |names: Vec<String>| (!names.is_empty()).then_some(names);
        let allowed_hosts = r.setting(
            "allowed_host",
            some(given.allowed_host),
            file.allowed_host,
            Vec::new(),
            list,
        );
        let ready_after = r.setting(
            "ready_after",
            given.ready_after,
            file.ready_after,
            ReadyAfter::Start,
            value_name,
        );
        let on_start = r.setting(
            "on_start",
            some(given.on_start),
            file.on_start.map(|names| names.0),
            Vec::new(),
            list,
        );
        let grace = parsed(r, "grace", file.grace, parse_ttl)?;
        let grace = r.setting("grace", given.grace, grace, DEFAULT_GRACE, |grace| {
            humantime::format_duration(*grace).to_string()
        });
        Ok(Self {
            listen,
            token,
            allowed_hosts,
            ready_after,
            on_start,
            grace,
        })
    }

    /// Whether others than this machine can ask.
    pub fn is_public(&self) -> bool {
        !self.listen.ip().is_loopback()
    }
}

/// The token, from a file that is named, from the environment or from systemd.
fn token(
    r: &mut Resolver<'_>,
    given: Option<PathBuf>,
    in_file: Option<PathBuf>,
) -> Result<Option<Secret>, Failure> {
    let variable = || std::env::var(TOKEN_VARIABLE).ok().filter(|t| !t.is_empty());
    let (token, from) = if let (Some(path), Some(from)) = (given, r.given("token_file")) {
        (r.secret(&path)?, from)
    } else if let Some(token) = variable() {
        let token = Secret::new(token.trim().to_owned());
        (token, Provenance::Environment(TOKEN_VARIABLE))
    } else if let Some(token) = secret::credential(TOKEN_CREDENTIAL)? {
        (token, Provenance::Credential(TOKEN_CREDENTIAL))
    } else if let Some(path) = in_file {
        let from = Provenance::File(r.path.clone());
        (r.secret(&r.beside(&path))?, from)
    } else {
        r.shown.push(Shown {
            name: "token",
            value: None,
            from: Provenance::Default,
        });
        return Ok(None);
    };
    if token.expose().len() < SHORTEST_TOKEN {
        let why = format!("it is shorter than {SHORTEST_TOKEN} characters");
        return Err(
            Failure::new(FailureKind::Config, "the token can be guessed", why)
                .hint("make one with: openssl rand -hex 32"),
        );
    }
    Ok(Some(r.show("token", token, from, |_| "(set)".to_owned())))
}
