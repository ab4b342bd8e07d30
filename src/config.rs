//! Flags, environment and file become one [`Config`], once. Past this file nobody reads any of
//! them.
//!
//! Precedence: flag, environment, systemd's credentials, file, default. clap reads the first two.

mod flags;
mod schedule;
mod secret;
mod serve;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, ValueEnum};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::application::engine::options::{ChangedOptions, Options};
use crate::application::guards::memory::OnEviction;
use crate::application::guards::shape::ShapeGuard;
use crate::application::pace::{GentleLimits, PaceLimits};
use crate::application::ports::Mode;
use crate::application::schedule::zone_name;
use crate::application::selection::Filter;
use crate::domain::amount::Amount;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Gates, Percent};
use crate::domain::settings_text::{parse_toml, parse_ttl};
use crate::domain::strategy::DEFAULT_TTL;

pub use flags::{
    ConnectionFlags, ModeName, OnEvictionName, ReadFlags, RunFlags, ScheduleFlags, ShapeName,
};
use flags::{parse_latency, parse_overlap};
pub use schedule::OwnJobs;
use schedule::{Jobs, Names, Text, Zone};
pub use secret::Secret;
pub use serve::{ReadyAfter, ServeFlags, Serving};

/// The configuration file that is read where it stands in the working directory.
pub const DEFAULT_FILE: &str = "shopwarm.toml";

/// What deletes rows without a trace is noticed then.
const DEFAULT_FULL_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Longer than a transaction of a shop takes.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(5 * 60);

const DEFAULT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// `shopwarm.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSettings {
    database_url: Option<Secret>,
    database_url_file: Option<PathBuf>,
    database_url_command: Option<Secret>,
    primary_url: Option<Secret>,
    primary_url_file: Option<PathBuf>,
    primary_url_command: Option<Secret>,
    cache_url: Option<Secret>,
    cache_url_file: Option<PathBuf>,
    cache_url_command: Option<Secret>,
    cache_ca: Option<PathBuf>,
    cache_cert: Option<PathBuf>,
    cache_key: Option<PathBuf>,
    prefix: Option<String>,
    contexts: Option<Vec<PathBuf>>,
    concurrency: Option<u32>,
    batch_size: Option<u32>,
    db_concurrency: Option<u32>,
    default_ttl: Option<String>,
    ttl_jitter: Option<String>,
    skip_identical: Option<bool>,
    mode: Option<ModeName>,
    full_every: Option<String>,
    changed_overlap: Option<String>,
    exclude: Option<Vec<String>>,
    stop_on_error: Option<bool>,
    fail_under: Option<String>,
    allow_empty: Option<bool>,
    strict: Option<bool>,
    deadline: Option<String>,
    wait: Option<String>,
    statement_timeout: Option<String>,
    max_shrink: Option<String>,
    shape: Option<ShapeName>,
    on_eviction: Option<OnEvictionName>,
    rate: Option<Amount>,
    max_bytes_rate: Option<Amount>,
    gentle: Option<bool>,
    verify_writes: Option<bool>,
    max_cache_latency: Option<String>,
    max_db_latency: Option<String>,
    listen: Option<String>,
    token_file: Option<PathBuf>,
    allowed_host: Option<Vec<String>>,
    ready_after: Option<ReadyAfter>,
    on_start: Option<Names>,
    grace: Option<String>,
    timezone: Option<Text<Zone>>,
    #[serde(default)]
    schedule: Jobs,
}

/// What the configuration file says of where things are, whatever else it says.
#[derive(Debug, Default, Deserialize)]
struct FileLinks {
    database_url: Option<Secret>,
    database_url_file: Option<PathBuf>,
    database_url_command: Option<Secret>,
    primary_url: Option<Secret>,
    primary_url_file: Option<PathBuf>,
    primary_url_command: Option<Secret>,
    cache_url: Option<Secret>,
    cache_url_file: Option<PathBuf>,
    cache_url_command: Option<Secret>,
    cache_ca: Option<PathBuf>,
    cache_cert: Option<PathBuf>,
    cache_key: Option<PathBuf>,
    prefix: Option<String>,
    contexts: Option<Vec<PathBuf>>,
}

impl From<FileLinks> for FileSettings {
    fn from(links: FileLinks) -> Self {
        Self {
            database_url: links.database_url,
            database_url_file: links.database_url_file,
            database_url_command: links.database_url_command,
            primary_url: links.primary_url,
            primary_url_file: links.primary_url_file,
            primary_url_command: links.primary_url_command,
            cache_url: links.cache_url,
            cache_url_file: links.cache_url_file,
            cache_url_command: links.cache_url_command,
            cache_ca: links.cache_ca,
            cache_cert: links.cache_cert,
            cache_key: links.cache_key,
            prefix: links.prefix,
            contexts: links.contexts,
            ..Self::default()
        }
    }
}

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    Flag,
    Environment(&'static str),
    /// What a command wrote, and where the command was named.
    Command(Box<Provenance>),
    /// A credential that systemd handed to the service.
    Credential(&'static str),
    File(PathBuf),
    Demo,
    Default,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Command(from) => write!(f, "command ({from})"),
            Self::Credential(name) => write!(f, "systemd credential {name}"),
            Self::File(path) => path.display().fmt(f),
            Self::Demo => f.write_str("--demo"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting as `config show` prints it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub name: &'static str,
    /// Redacted; `None` is not set.
    pub value: Option<String>,
    pub from: Provenance,
}

/// What is meant, complete.
#[derive(Clone, Debug)]
pub struct Config {
    pub database_url: Option<Secret>,
    /// Where `database_url` is a copy of it.
    pub primary_url: Option<Secret>,
    pub cache_url: Option<Secret>,
    /// Of a cache with TLS: the authority that it is trusted by, our certificate and its key.
    pub cache_ca: Option<PathBuf>,
    pub cache_cert: Option<PathBuf>,
    pub cache_key: Option<PathBuf>,
    pub prefix: String,
    pub contexts: Vec<PathBuf>,
    /// The sample shop's folder, when it is to be used.
    pub demo: Option<PathBuf>,
    pub options: Options,
    pub filter: Filter,
    /// A definition that does not fit stops everything; else it costs its strategy.
    pub strict: bool,
    pub deadline: Option<Duration>,
    /// How long servers that do not answer yet are waited for.
    pub wait: Option<Duration>,
    pub statement_timeout: Duration,
    /// Of jobs that name none.
    pub timezone: TimeZone,
    /// Those of the file; whether the shipped ones are there too depends on the definitions.
    pub jobs: OwnJobs,
    pub serving: Serving,
    pub shown: Vec<Shown>,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Files that a password or a token was read from.
    pub secret_files: Vec<PathBuf>,
    /// What is done and should not be, a line each.
    pub warnings: Vec<String>,
}

impl Config {
    /// Whether a setting was said, on the command line, in the environment or in a file.
    pub fn given(&self, name: &str) -> bool {
        let shown = self.shown.iter().find(|shown| shown.name == name);
        shown.is_some_and(|shown| shown.from != Provenance::Default)
    }

    /// Resolves every setting. `run` is `None` for commands that have no run, `serve` for those
    /// that serve nothing, `schedule` for those that name no jobs; `matches` are those of the
    /// subcommand, which know where a value came from.
    ///
    /// # Errors
    /// A [`FailureKind::Config`] failure for a file that cannot be read or says something wrong.
    pub fn resolve(
        flags: &ConnectionFlags,
        run: Option<&RunFlags>,
        serve: Option<&ServeFlags>,
        schedule: Option<&ScheduleFlags>,
        matches: &ArgMatches,
    ) -> Result<Self, Failure> {
        let resolver = &mut Resolver::new(flags, matches)?;
        Self::complete(resolver, flags, run, serve, schedule)
    }

    /// As much of it as there is, and all that stands in the way of the rest.
    pub fn salvage(
        flags: &ConnectionFlags,
        run: &RunFlags,
        matches: &ArgMatches,
    ) -> (Option<Self>, Vec<Failure>) {
        let mut wrong = Vec::new();
        let readings = [
            Resolver::new(flags, matches),
            Ok(Resolver::of_links(flags, matches)),
        ];
        for reading in readings {
            let done = reading.and_then(|mut resolver| {
                resolver.refused = Some(Vec::new());
                let done = Self::complete(&mut resolver, flags, Some(run), None, None);
                for failure in resolver.refused.into_iter().flatten() {
                    if !wrong.contains(&failure) {
                        wrong.push(failure);
                    }
                }
                done
            });
            match done {
                Ok(config) => return (Some(config), wrong),
                Err(failure) if !wrong.contains(&failure) => wrong.push(failure),
                Err(_) => {}
            }
        }
        (None, wrong)
    }

    fn complete(
        resolver: &mut Resolver<'_>,
        flags: &ConnectionFlags,
        run: Option<&RunFlags>,
        serve: Option<&ServeFlags>,
        schedule: Option<&ScheduleFlags>,
    ) -> Result<Self, Failure> {
        let run = run.cloned().unwrap_or_default();
        let read = run.read;
        let demo = resolver.demo(flags)?;
        let database_url = resolver.database_url(flags, demo.as_deref())?;
        let primary_url = resolver.primary_url(flags, demo.is_some())?;
        let cache_url = resolver.cache_url(flags, demo.as_deref())?;
        let r = &mut *resolver;
        let file = std::mem::take(&mut r.file);
        let cache_ca = r.file_path("cache_ca", flags.cache_ca.clone(), file.cache_ca);
        let cache_cert = r.file_path("cache_cert", flags.cache_cert.clone(), file.cache_cert);
        let cache_key = r.file_path("cache_key", flags.cache_key.clone(), file.cache_key);
        let prefix = r.setting(
            "prefix",
            flags.prefix.clone(),
            file.prefix,
            String::new(),
            Clone::clone,
        );
        let given = (!flags.contexts.is_empty()).then(|| flags.contexts.clone());
        let from_file = file
            .contexts
            .map(|paths| paths.iter().map(|path| r.beside(path)).collect());
        let contexts = r.setting(
            "contexts",
            given,
            from_file,
            Vec::new(),
            |paths: &Vec<PathBuf>| {
                paths
                    .iter()
                    .map(|p| p.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        );
        let concurrency = ranged(r, "concurrency", file.concurrency, 1000)?;
        let concurrency = r.setting(
            "concurrency",
            read.concurrency,
            concurrency,
            20,
            u32::to_string,
        );
        let batch_size = ranged(r, "batch_size", file.batch_size, 10_000)?;
        let batch_size = r.setting(
            "batch_size",
            read.batch_size,
            batch_size,
            500,
            u32::to_string,
        );
        let db_concurrency = ranged(r, "db_concurrency", file.db_concurrency, 16)?;
        let db_concurrency = r.setting(
            "db_concurrency",
            read.db_concurrency,
            db_concurrency,
            1,
            u32::to_string,
        );
        let duration = |d: &Duration| humantime::format_duration(*d).to_string();
        let ttl = parsed(r, "default_ttl", file.default_ttl, parse_ttl)?;
        let default_ttl = r.setting("default_ttl", read.default_ttl, ttl, DEFAULT_TTL, duration);
        let jitter = parsed(r, "ttl_jitter", file.ttl_jitter, |t| t.parse::<Percent>())?;
        let ttl_jitter = r.setting(
            "ttl_jitter",
            read.ttl_jitter,
            jitter,
            Percent::whole(10),
            Percent::to_string,
        );
        let mode = r.setting("mode", run.mode, file.mode, ModeName::Refresh, value_name);
        let skip_identical = r.setting(
            "skip_identical",
            run.skip_identical.then_some(true),
            file.skip_identical,
            false,
            bool::to_string,
        );
        let given = (!read.exclude.is_empty()).then_some(read.exclude);
        let exclude = r.setting(
            "exclude",
            given,
            file.exclude,
            Vec::new(),
            |ids: &Vec<String>| ids.join(", "),
        );
        let exclude_kind = match r.shown.last() {
            Some(Shown {
                from: Provenance::File(_),
                ..
            }) => FailureKind::Config,
            _ => FailureKind::Usage,
        };
        let given = (!read.tag.is_empty()).then_some(read.tag);
        let tags = r.setting("tag", given, None, Vec::new(), |tags: &Vec<String>| {
            tags.join(", ")
        });
        let limit = r.optional("limit", read.limit, None, u64::to_string);
        let changed = run.changed.then_some(true);
        let changed = r.setting("changed", changed, None, false, bool::to_string);
        let full_every = parsed(r, "full_every", file.full_every, parse_ttl)?;
        let full_every = r.setting(
            "full_every",
            run.full_every,
            full_every,
            DEFAULT_FULL_EVERY,
            duration,
        );
        let overlap = parsed(r, "changed_overlap", file.changed_overlap, parse_overlap)?;
        let overlap = r.setting(
            "changed_overlap",
            run.changed_overlap,
            overlap,
            DEFAULT_OVERLAP,
            duration,
        );
        let stop_on_error = run.stop_on_error.then_some(true);
        let stop_on_error = r.setting(
            "stop_on_error",
            stop_on_error,
            file.stop_on_error,
            false,
            bool::to_string,
        );
        let allow_empty = read.allow_empty.then_some(true);
        let allow_empty = r.setting(
            "allow_empty",
            allow_empty,
            file.allow_empty,
            false,
            bool::to_string,
        );
        let strict = read.strict.then_some(true);
        let strict = r.setting("strict", strict, file.strict, false, bool::to_string);
        let gate = parsed(r, "fail_under", file.fail_under, |t| t.parse::<Percent>())?;
        let fail_under = r.optional("fail_under", run.fail_under, gate, Percent::to_string);
        let deadline = parsed(r, "deadline", file.deadline, parse_ttl)?;
        let deadline = r.optional("deadline", read.deadline, deadline, duration);
        let wait = parsed(r, "wait", file.wait, parse_ttl)?;
        let wait = r.optional("wait", read.wait, wait, duration);
        let timeout = parsed(r, "statement_timeout", file.statement_timeout, parse_ttl)?;
        let timeout = r.setting(
            "statement_timeout",
            read.statement_timeout,
            timeout,
            DEFAULT_STATEMENT_TIMEOUT,
            duration,
        );
        let shrink = parsed(r, "max_shrink", file.max_shrink, |t| t.parse::<Percent>())?;
        let max_shrink = r.optional("max_shrink", run.max_shrink, shrink, Percent::to_string);
        let shape = r.setting("shape", run.shape, file.shape, ShapeName::Warn, value_name);
        let on_eviction = r.setting(
            "on_eviction",
            run.on_eviction,
            file.on_eviction,
            OnEvictionName::Warn,
            value_name,
        );
        let shown = |amount: &Amount| amount.get().to_string();
        let rate = r.optional("rate", run.rate, file.rate, shown);
        let bytes_rate = r.optional(
            "max_bytes_rate",
            run.max_bytes_rate,
            file.max_bytes_rate,
            shown,
        );
        let cache_latency = parsed(
            r,
            "max_cache_latency",
            file.max_cache_latency,
            parse_latency,
        )?;
        let cache_latency = r.optional(
            "max_cache_latency",
            run.max_cache_latency,
            cache_latency,
            duration,
        );
        let db_latency = parsed(r, "max_db_latency", file.max_db_latency, parse_latency)?;
        let db_latency = r.optional("max_db_latency", run.max_db_latency, db_latency, duration);
        // Who says how long others may wait means to give way to them.
        let is_gentle = cache_latency.or(db_latency).is_some();
        let gentle = match r.gentle(run.gentle) {
            Some((gentle, from)) => r.show("gentle", gentle, from, bool::to_string),
            None => r.setting("gentle", None, file.gentle, is_gentle, bool::to_string),
        };
        let verify_writes = match r.given("no_verify_writes") {
            Some(from) => r.show(
                "verify_writes",
                !run.no_verify_writes,
                from,
                bool::to_string,
            ),
            None => r.setting(
                "verify_writes",
                None,
                file.verify_writes,
                true,
                bool::to_string,
            ),
        };
        let timezone = r.setting(
            "timezone",
            schedule.and_then(|flags| flags.timezone.clone()),
            file.timezone.map(|zone| zone.0.0),
            TimeZone::try_system().unwrap_or(TimeZone::UTC),
            |zone| zone_name(zone).to_owned(),
        );
        let in_file = serve::InFile {
            listen: file.listen,
            token_file: file.token_file,
            allowed_host: file.allowed_host,
            ready_after: file.ready_after,
            on_start: file.on_start,
            grace: file.grace,
        };
        let serving = Serving::resolve(r, serve, in_file)?;
        let jobs = OwnJobs {
            jobs: file.schedule,
            file: r.path.display().to_string(),
            zone: timezone.clone(),
        };
        Ok(Self {
            database_url,
            primary_url,
            cache_url,
            cache_ca,
            cache_cert,
            cache_key,
            prefix: prefix.clone(),
            contexts,
            demo,
            options: Options {
                prefix,
                concurrency: concurrency as usize,
                batch_size: batch_size as usize,
                db_concurrency: db_concurrency as usize,
                default_ttl,
                ttl_jitter: ttl_jitter.fraction(),
                mode: mode.into(),
                skip_identical,
                values: true,
                sample: None,
                lists_keys: false,
                limit,
                verify_writes,
                stop_on_error,
                gates: Gates {
                    fail_under,
                    allow_empty,
                },
                max_shrink,
                shape: match shape {
                    ShapeName::Warn => ShapeGuard::Warn,
                    ShapeName::Fail => ShapeGuard::Fail,
                    ShapeName::Off => ShapeGuard::Off,
                },
                changed: ChangedOptions {
                    on: changed,
                    full_every,
                    overlap,
                },
                on_eviction: match on_eviction {
                    OnEvictionName::Stop => OnEviction::Stop,
                    OnEvictionName::Warn => OnEviction::Warn,
                    OnEvictionName::Ignore => OnEviction::Ignore,
                },
                pace: PaceLimits {
                    rate: rate.map(Amount::get),
                    bytes_rate: bytes_rate.map(Amount::get),
                    gentle,
                    gentle_limits: GentleLimits {
                        cache_latency,
                        db_latency,
                    },
                },
            },
            filter: Filter {
                tags,
                exclude,
                exclude_kind,
            },
            strict,
            deadline,
            wait,
            statement_timeout: timeout,
            timezone,
            jobs,
            serving,
            shown: std::mem::take(&mut resolver.shown),
            file: resolver.is_file.then(|| resolver.path.clone()),
            secret_files: std::mem::take(&mut resolver.secret_files),
            warnings: std::mem::take(&mut resolver.warnings),
        })
    }
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Refresh => Self::Refresh,
            ModeName::OnlyMissing => Self::OnlyMissing,
        }
    }
}

/// Picks values and remembers where they came from.
struct Resolver<'a> {
    matches: &'a ArgMatches,
    path: PathBuf,
    /// Whether there is a file at `path`.
    is_file: bool,
    file: FileSettings,
    shown: Vec<Shown>,
    secret_files: Vec<PathBuf>,
    warnings: Vec<String>,
    /// URLs that cannot be had, where the rest is wanted all the same.
    refused: Option<Vec<Failure>>,
}

impl<'a> Resolver<'a> {
    fn new(flags: &ConnectionFlags, matches: &'a ArgMatches) -> Result<Self, Failure> {
        let path = flags.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let is_file = flags.config.is_some() || path.exists();
        let file = if is_file {
            let text = read_text(&path)?;
            parse_toml(&text, &path.display().to_string())?
        } else {
            FileSettings::default()
        };
        Ok(Self::with(path, is_file, file, matches))
    }

    /// Of a file that something is wrong with: where things are, as far as it can be read.
    fn of_links(flags: &ConnectionFlags, matches: &'a ArgMatches) -> Self {
        let path = flags.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let text = read_text(&path).unwrap_or_default();
        let links: FileLinks = toml::from_str(&text).unwrap_or_default();
        let is_file = path.exists();
        Self::with(path, is_file, links.into(), matches)
    }

    fn with(path: PathBuf, is_file: bool, file: FileSettings, matches: &'a ArgMatches) -> Self {
        let urls = [&file.database_url, &file.primary_url, &file.cache_url];
        let is_secret = urls.into_iter().flatten().any(Secret::holds_password);
        Self {
            secret_files: is_secret.then(|| path.clone()).into_iter().collect(),
            matches,
            path,
            is_file,
            file,
            shown: Vec::new(),
            warnings: Vec::new(),
            refused: None,
        }
    }

    /// Whether a flag's value stands on the command line, in the environment or nowhere.
    fn given(&self, name: &str) -> Option<Provenance> {
        match self
            .matches
            .try_contains_id(name)
            .ok()
            .and_then(|_| self.matches.value_source(name))?
        {
            ValueSource::CommandLine => Some(Provenance::Flag),
            ValueSource::EnvVariable => Some(Provenance::Environment(env_name(name))),
            _ => None,
        }
    }

    /// What command line and environment say of gentleness, in as many words or by how long others
    /// may wait.
    fn gentle(&self, flag: bool) -> Option<(bool, Provenance)> {
        let latencies = ["max_cache_latency", "max_db_latency"].map(|name| self.given(name));
        let mut latencies = latencies.into_iter().flatten();
        match self.given("gentle") {
            Some(Provenance::Flag) => Some((flag, Provenance::Flag)),
            Some(variable) => Some(match latencies.any(|from| from == Provenance::Flag) {
                true => (true, Provenance::Flag),
                false => (flag, variable),
            }),
            None => latencies.next().map(|from| (true, from)),
        }
    }

    fn setting<T>(
        &mut self,
        name: &'static str,
        given: Option<T>,
        file: Option<T>,
        default: T,
        show: impl Fn(&T) -> String,
    ) -> T {
        match self.pick(name, given, file) {
            Some((value, from)) => self.show(name, value, from, show),
            None => self.show(name, default, Provenance::Default, show),
        }
    }

    fn optional<T>(
        &mut self,
        name: &'static str,
        given: Option<T>,
        file: Option<T>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let Some((value, from)) = self.pick(name, given, file) else {
            self.shown.push(Shown {
                name,
                value: None,
                from: Provenance::Default,
            });
            return None;
        };
        Some(self.show(name, value, from, show))
    }

    fn file_path(
        &mut self,
        name: &'static str,
        given: Option<PathBuf>,
        file: Option<PathBuf>,
    ) -> Option<PathBuf> {
        let file = file.map(|path| self.beside(&path));
        self.optional(name, given, file, |path| path.display().to_string())
    }

    fn pick<T>(&self, name: &str, given: Option<T>, file: Option<T>) -> Option<(T, Provenance)> {
        match (given, self.given(name), file) {
            (Some(value), Some(from), _) => Some((value, from)),
            (_, _, Some(value)) => Some((value, Provenance::File(self.path.clone()))),
            _ => None,
        }
    }

    fn show<T>(
        &mut self,
        name: &'static str,
        value: T,
        from: Provenance,
        show: impl Fn(&T) -> String,
    ) -> T {
        let shown = Some(show(&value));
        self.shown.push(Shown {
            name,
            value: shown,
            from,
        });
        value
    }

    /// A path in the configuration file is meant from where the file stands.
    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    fn demo(&mut self, flags: &ConnectionFlags) -> Result<Option<PathBuf>, Failure> {
        if !flags.demo {
            return Ok(None);
        }
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let home = || set("HOME").map(|home| home.join(".cache"));
        let usual = || Some(set("XDG_CACHE_HOME").or_else(home)?.join("shopwarm/demo"));
        flags
            .demo_dir
            .clone()
            .or_else(usual)
            .map(Some)
            .ok_or_else(|| {
                let why = "neither HOME nor XDG_CACHE_HOME is set";
                Failure::new(
                    FailureKind::Config,
                    "there is no place for the sample shop",
                    why,
                )
                .hint("give one with --demo-dir DIR")
            })
    }
}

/// A choice as the command line spells it.
fn value_name(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The variable behind a flag.
fn env_name(name: &str) -> &'static str {
    match name {
        "database_url" => "DATABASE_URL",
        "cache_url" => "CACHE_URL",
        "database_url_file" => "SHOPWARM_DATABASE_URL_FILE",
        "cache_url_file" => "SHOPWARM_CACHE_URL_FILE",
        "database_url_command" => "SHOPWARM_DATABASE_URL_COMMAND",
        "primary_url" => "SHOPWARM_PRIMARY_URL",
        "primary_url_file" => "SHOPWARM_PRIMARY_URL_FILE",
        "primary_url_command" => "SHOPWARM_PRIMARY_URL_COMMAND",
        "no_verify_writes" => "SHOPWARM_NO_VERIFY_WRITES",
        "cache_url_command" => "SHOPWARM_CACHE_URL_COMMAND",
        "cache_ca" => "SHOPWARM_CACHE_CA",
        "cache_cert" => "SHOPWARM_CACHE_CERT",
        "cache_key" => "SHOPWARM_CACHE_KEY",
        "prefix" => "SHOPWARM_PREFIX",
        "contexts" => "SHOPWARM_CONTEXTS",
        "concurrency" => "SHOPWARM_CONCURRENCY",
        "batch_size" => "SHOPWARM_BATCH_SIZE",
        "db_concurrency" => "SHOPWARM_DB_CONCURRENCY",
        "default_ttl" => "SHOPWARM_DEFAULT_TTL",
        "ttl_jitter" => "SHOPWARM_TTL_JITTER",
        "skip_identical" => "SHOPWARM_SKIP_IDENTICAL",
        "mode" => "SHOPWARM_MODE",
        "exclude" => "SHOPWARM_EXCLUDE",
        "tag" => "SHOPWARM_TAG",
        "limit" => "SHOPWARM_LIMIT",
        "stop_on_error" => "SHOPWARM_STOP_ON_ERROR",
        "fail_under" => "SHOPWARM_FAIL_UNDER",
        "allow_empty" => "SHOPWARM_ALLOW_EMPTY",
        "strict" => "SHOPWARM_STRICT",
        "deadline" => "SHOPWARM_DEADLINE",
        "statement_timeout" => "SHOPWARM_STATEMENT_TIMEOUT",
        "changed" => "SHOPWARM_CHANGED",
        "full_every" => "SHOPWARM_FULL_EVERY",
        "changed_overlap" => "SHOPWARM_CHANGED_OVERLAP",
        "max_shrink" => "SHOPWARM_MAX_SHRINK",
        "shape" => "SHOPWARM_SHAPE",
        "on_eviction" => "SHOPWARM_ON_EVICTION",
        "rate" => "SHOPWARM_RATE",
        "max_bytes_rate" => "SHOPWARM_MAX_BYTES_RATE",
        "gentle" => "SHOPWARM_GENTLE",
        "max_cache_latency" => "SHOPWARM_MAX_CACHE_LATENCY",
        "max_db_latency" => "SHOPWARM_MAX_DB_LATENCY",
        "listen" => "SHOPWARM_LISTEN",
        "token_file" => "SHOPWARM_TOKEN_FILE",
        "allowed_host" => "SHOPWARM_ALLOWED_HOST",
        "ready_after" => "SHOPWARM_READY_AFTER",
        "on_start" => "SHOPWARM_ON_START",
        "grace" => "SHOPWARM_GRACE",
        "timezone" => "SHOPWARM_TIMEZONE",
        _ => "",
    }
}

fn ranged(
    resolver: &Resolver<'_>,
    name: &str,
    value: Option<u32>,
    most: u32,
) -> Result<Option<u32>, Failure> {
    match value {
        Some(n) if n == 0 || n > most => {
            Err(wrong(resolver, name, &format!("{n} is not in 1..{most}")))
        }
        value => Ok(value),
    }
}

fn parsed<T>(
    resolver: &Resolver<'_>,
    name: &str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    text.map(|text| parse(&text).map_err(|why| wrong(resolver, name, &why)))
        .transpose()
}

fn wrong(resolver: &Resolver<'_>, name: &str, why: &str) -> Failure {
    Failure::new(
        FailureKind::Config,
        format!("{}: {name}", resolver.path.display()),
        why,
    )
}

fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| {
        Failure::new(
            FailureKind::Config,
            format!("cannot read {}", path.display()),
            e.to_string(),
        )
    })
}
