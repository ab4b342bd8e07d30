//! Merges flags, environment and file, and records where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, Command};
use serde_json::Value;

use super::connection::ConnectionSettings;
use super::sample::{Demo, Sample};
use super::schedule::ScheduleSettings;
use super::serve::ServeSettings;
use crate::application::settings::{Group, RunSettings};
use crate::domain::failure::{Failure, FailureKind};

/// The default configuration file, in the working directory.
pub const DEFAULT_FILE: &str = "shopwarm.toml";

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    Flag,
    Environment(String),
    /// The output of a command, and where the command was set.
    Command(Box<Provenance>),
    /// A systemd credential.
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
    /// Redacted; `None`: not set.
    pub value: Option<String>,
    pub from: Provenance,
}

/// A group of settings from each source, highest precedence first.
pub(super) struct Layers<G> {
    pub flags: G,
    pub environment: G,
    pub file: G,
}

impl<G: Group> Layers<G> {
    pub(super) fn new(matches: &ArgMatches, file: G) -> Self {
        Self {
            flags: G::given(matches, ValueSource::CommandLine),
            environment: G::given(matches, ValueSource::EnvVariable),
            file,
        }
    }

    pub(super) fn merged(self) -> G {
        self.flags.over(self.environment).over(self.file)
    }
}

impl Layers<RunSettings> {
    pub(super) fn gentle_by_latency(self) -> Self {
        Self {
            flags: self.flags.gentle_by_latency(),
            environment: self.environment.gentle_by_latency(),
            file: self.file.gentle_by_latency(),
        }
    }
}

/// Reads settings and records where they came from.
pub(super) struct Reading<'a> {
    pub matches: &'a ArgMatches,
    /// The configuration file, which need not exist.
    pub path: PathBuf,
    pub shown: Vec<Shown>,
    /// Files with secrets.
    pub secret_files: Vec<PathBuf>,
    pub warnings: Vec<String>,
    /// URLs that could not be read, if errors are to be collected.
    pub refused: Option<Vec<Failure>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(matches: &'a ArgMatches) -> Self {
        let path = matches.get_one::<PathBuf>("config").cloned();
        Self {
            matches,
            path: path.unwrap_or_else(|| DEFAULT_FILE.into()),
            shown: Vec::new(),
            secret_files: Vec::new(),
            warnings: Vec::new(),
            refused: None,
        }
    }

    /// An environment variable in the file may hold a secret.
    pub(super) fn hide_vars(&mut self, filled: bool) {
        let is_filled = |shown: &Shown| filled && matches!(shown.from, Provenance::File(_));
        let vars = self.shown.iter_mut().find(|shown| shown.name == "vars");
        if let Some(vars) = vars.filter(|vars| is_filled(vars)) {
            vars.value = Some("***".to_owned());
        }
    }

    /// The configuration file, if it is named, or exists and is not for another shop.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let is_read = self.is_named() || (self.wanted_demo().is_none() && self.path.exists());
        is_read.then(|| self.path.clone())
    }

    fn is_named(&self) -> bool {
        self.matches.contains_id("config")
    }

    fn wanted_demo(&self) -> Option<Demo> {
        let demo = self.matches.try_get_one::<Demo>("demo").ok().flatten();
        demo.copied().filter(|demo| *demo != Demo::None)
    }

    /// The sample shop, with `--demo`.
    pub(super) fn demo(&mut self) -> Result<Option<Sample>, Failure> {
        let Some(demo) = self.wanted_demo() else {
            return Ok(None);
        };
        if !self.is_named() && self.path.exists() {
            let path = self.path.display();
            let warning =
                format!("{path} is not read with --demo; to read it, add --config {path}");
            self.warnings.push(warning);
        }
        let set = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = || set("HOME").map(|home| home.join(".cache"));
        let usual = || Some(set("XDG_CACHE_HOME").or_else(home)?.join("shopwarm/demo"));
        let given = self.matches.get_one::<PathBuf>("demo_dir").cloned();
        let dir = given.or_else(usual).ok_or_else(|| {
            let what = "there is no folder for the sample shop";
            let why = "neither HOME nor XDG_CACHE_HOME is set";
            Failure::new(FailureKind::Config, what, why).hint("name one with --demo-dir DIR")
        })?;
        Ok(Sample::new(demo, &dir))
    }

    /// Shows each setting of a group, except those that are already shown as what they resolve to.
    pub(super) fn show_all<G: Group>(&mut self, layers: &Layers<G>) {
        let file = Provenance::File(self.path.clone());
        let defaults = G::defaults().said();
        let said = [&layers.flags, &layers.environment, &layers.file].map(Group::said);
        for name in G::names() {
            if name.contains("_url") || name == "token_file" {
                continue;
            }
            let from = said.iter().position(|layer| layer.contains_key(name));
            let (value, from) = match from {
                Some(0) => (said[0].get(name), Provenance::Flag),
                Some(1) => (said[1].get(name), self.environment(name)),
                Some(_) => (said[2].get(name), file.clone()),
                None => (defaults.get(name), Provenance::Default),
            };
            self.show(name, value.map(text), from);
        }
    }

    pub(super) fn show(&mut self, name: &'static str, value: Option<String>, from: Provenance) {
        self.shown.push(Shown { name, value, from });
    }

    /// Merges a group from all sources and shows it.
    pub(super) fn settle<G: Group>(&mut self, file: G) -> G {
        let layers = Layers::new(self.matches, file);
        self.show_all(&layers);
        layers.merged()
    }

    /// The environment variable of a setting.
    pub(super) fn environment(&self, name: &str) -> Provenance {
        let is_said = |id: &&&str| self.matches.value_source(id) == Some(ValueSource::EnvVariable);
        let saying: &[&str] = match name {
            "gentle" => &["gentle", "max_cache_latency", "max_db_latency"],
            name => &[name],
        };
        let id = saying.iter().find(is_said).copied().unwrap_or(name);
        Provenance::Environment(variable(id))
    }
}

/// The environment variable of a setting, as declared to clap.
pub(super) fn variable(id: &str) -> String {
    let command = ConnectionSettings::augment_args(Command::new("all"));
    let command = ServeSettings::augment_args(RunSettings::augment_args(command));
    let command = ScheduleSettings::augment_args(command);
    let arg = command.get_arguments().find(|arg| arg.get_id() == id);
    let name = arg.and_then(clap::Arg::get_env).unwrap_or_default();
    name.display().to_string()
}

/// The displayed defaults, by environment variable.
pub fn defaults() -> BTreeMap<String, String> {
    let all = [RunSettings::defaults().said(), ServeSettings::defaults().said()];
    let all = all.iter().flatten();
    let shown = all.map(|(name, value)| (variable(name), text(value)));
    shown.filter(|(_, text)| !text.is_empty()).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| format!("{name}={}", text(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
