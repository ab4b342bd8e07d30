//! Flags, environment and file become one [`Config`], once. Nothing else reads them.
//!
//! Precedence: flag, environment, systemd credentials, file, default. clap reads the first two.

mod client_files;
mod command;
mod connection;
mod file;
mod given;
mod layers;
mod option_file;
mod parts;
mod reading_args;
mod sample;
mod schedule;
mod secret;
mod serve;
mod service_file;
mod token;
mod urls;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use jiff::tz::TimeZone;

use crate::application::run_state::options::Options;
use crate::application::settings::RunSettings;
use crate::contexts::definitions::Definitions;
use crate::contexts::registry::Registry;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::parameter::Vars;
use crate::domain::run::Flags;
use crate::domain::selection::Filter;
use crate::domain::session_zone::SessionZone;

pub use connection::{ConnectionSettings, PlaceArgs};
use file::File;
#[cfg(test)]
pub use file::file_names;
pub use layers::{DEFAULT_FILE, Provenance, Shown, defaults};
use layers::{Layers, Reading};
pub use reading_args::{ReadingArgs, WorkingArgs};
pub use sample::{Demo, Sample};
pub use schedule::{JobTable, OwnJobs, ScheduleSettings};
pub use secret::Secret;
pub use serve::{ReadyAfter, ServeSettings};
use urls::{CACHE, DATABASE, PRIMARY};

/// The complete configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub database_url: Option<Secret>,
    /// The primary, if `database_url` is a replica.
    pub primary_url: Option<Secret>,
    pub cache_url: Option<Secret>,
    /// TLS with the cache: CA certificate, client certificate and key.
    pub cache_ca: Option<PathBuf>,
    pub cache_cert: Option<PathBuf>,
    pub cache_key: Option<PathBuf>,
    /// Where its nodes are reached: `ANNOUNCED=REACHABLE`.
    pub cache_nodes: Vec<String>,
    pub failover_timeout: Option<Duration>,
    /// The time zone of sessions with the database.
    pub session_timezone: SessionZone,
    pub prefix: String,
    pub contexts: Vec<PathBuf>,
    /// The sample shop, with `--demo`.
    pub demo: Option<Sample>,
    /// Default settings of runs.
    pub run: RunSettings,
    /// Error kind for an unknown name in `exclude`: usage on the command line, configuration in a
    /// file.
    pub exclude_kind: FailureKind,
    /// Default time zone.
    pub timezone: TimeZone,
    /// Jobs of the file; whether the shipped ones apply depends on the definitions.
    pub jobs: OwnJobs,
    pub serve: ServeSettings,
    /// The token of `serve`.
    pub token: Option<Secret>,
    pub shown: Vec<Shown>,
    /// The flags of the command line, to repeat it.
    pub flags: Flags,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Files that passwords or tokens were read from.
    pub secret_files: Vec<PathBuf>,
    /// Warnings, one per line.
    pub warnings: Vec<String>,
    /// The strategies that are code.
    pub registry: Registry,
}

impl Config {
    /// Resolves every setting. `matches` are those of the subcommand.
    ///
    /// # Errors
    /// [`FailureKind::Config`] if a file cannot be read or is not valid.
    pub fn resolve(matches: &ArgMatches, registry: &Registry) -> Result<Self, Failure> {
        let mut reading = Reading::new(matches);
        let file = match reading.file() {
            Some(path) => File::load(&path)?,
            None => File::default(),
        };
        Self::complete(&mut reading, file, registry)
    }

    /// As much as can be read, and the errors of the rest.
    pub fn salvage(matches: &ArgMatches, registry: &Registry) -> (Option<Self>, Vec<Failure>) {
        let mut wrong = Vec::new();
        let mut add = |failure: Failure| {
            if !wrong.contains(&failure) {
                wrong.push(failure);
            }
        };
        let path = Reading::new(matches).file();
        let strict = path.as_ref().map_or(Ok(File::default()), |path| File::load(path));
        let lenient = path.map_or(File::default(), |path| File::salvage(&path));
        for file in [strict, Ok(lenient)] {
            let mut reading = Reading::new(matches);
            reading.refused = Some(Vec::new());
            let done = file.and_then(|file| Self::complete(&mut reading, file, registry));
            reading.refused.into_iter().flatten().for_each(&mut add);
            match done {
                Ok(config) => return (Some(config), wrong),
                Err(failure) => add(failure),
            }
        }
        (None, wrong)
    }

    fn complete(
        reading: &mut Reading<'_>,
        File { settings: file, is_secret, fills_vars }: File,
        registry: &Registry,
    ) -> Result<Self, Failure> {
        if is_secret {
            reading.secret_files.push(reading.path.clone());
        }
        let demo = reading.demo()?;
        let layers = Layers::new(reading.matches, file.connection);
        let database_url = reading.url(DATABASE, &layers, demo.as_ref())?;
        let primary_url = reading.url(PRIMARY, &layers, demo.as_ref())?;
        let cache_url = reading.url(CACHE, &layers, demo.as_ref())?;
        reading.show_all(&layers);
        let connection = layers.merged();
        let layers = Layers::new(reading.matches, file.run).gentle_by_latency();
        reading.show_all(&layers);
        reading.hide_vars(fills_vars);
        let is_in_file = layers.flags.exclude.is_none() && layers.environment.exclude.is_none();
        let run = layers.merged();
        let timezone = reading.settle(file.schedule).timezone().0;
        let layers = Layers::new(reading.matches, file.serve);
        reading.show_all(&layers);
        let token = reading.token(&layers)?;
        Ok(Self {
            database_url,
            primary_url,
            cache_url,
            session_timezone: connection.session_timezone(),
            prefix: connection.prefix(),
            cache_nodes: connection.cache_node(),
            failover_timeout: connection.failover_timeout.map(|span| span.0),
            contexts: connection.contexts(),
            cache_ca: connection.cache_ca,
            cache_cert: connection.cache_cert,
            cache_key: connection.cache_key,
            demo,
            exclude_kind: match is_in_file && run.exclude.is_some() {
                true => FailureKind::Config,
                false => FailureKind::Usage,
            },
            run,
            jobs: OwnJobs {
                jobs: file.tables.schedule,
                file: reading.path.display().to_string(),
                zone: timezone.clone(),
            },
            timezone,
            serve: layers.merged(),
            token,
            flags: Flags::default(),
            shown: std::mem::take(&mut reading.shown),
            file: reading.file(),
            secret_files: std::mem::take(&mut reading.secret_files),
            warnings: std::mem::take(&mut reading.warnings),
            registry: registry.clone(),
        })
    }

    /// Whether a setting was set anywhere.
    pub fn given(&self, name: &str) -> bool {
        let shown = self.shown.iter().find(|shown| shown.name == name);
        shown.is_some_and(|shown| shown.from != Provenance::Default)
    }

    /// All definitions, merged.
    ///
    /// # Errors
    /// As [`Definitions::load`].
    pub fn definitions(&self) -> Result<Definitions, Failure> {
        Definitions::load(&self.contexts, &self.registry)
    }

    /// The definitions alone, whatever else is wrong; connects to nothing and runs no command.
    ///
    /// # Errors
    /// As [`Definitions::load`].
    pub fn definitions_of(
        matches: &ArgMatches,
        registry: &Registry,
    ) -> Result<Definitions, Failure> {
        let path = Reading::new(matches).file();
        let file = path.map_or_else(File::default, |path| File::salvage(&path));
        let connection = Layers::new(matches, file.settings.connection).merged();
        Definitions::load(&connection.contexts(), registry)
    }

    /// The engine's options of a run.
    pub fn options(&self) -> Options {
        self.run.options(&self.prefix)
    }

    /// The values that are given for variables of the definitions.
    pub fn vars(&self) -> Vars {
        self.run.vars().0
    }

    pub fn filter(&self) -> Filter {
        self.run.filter(self.exclude_kind)
    }
}
