//! The identity and circumstances of a run.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Who asked for a run.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "kebab-case")]
pub enum Trigger {
    /// A person, or a deployment, at the command line.
    #[default]
    Cli,
    /// Somebody over the admin API.
    Api,
    /// The clock.
    Schedule,
    /// The start of `serve`.
    Start,
}

impl Trigger {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Flags of a command line that change what is done, each after a blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Of all commands.
    pub everywhere: String,
    /// Of all commands that read the database.
    pub reading: String,
    /// Of this command only.
    pub own: String,
}

impl Flags {
    /// One of them, with its value: ` --plan night.json`.
    pub fn named(flags: &str, name: &str) -> Option<String> {
        let mut all = flags.split(" --").skip(1);
        let found = all.find(|flag| is_named(flag, name))?;
        Some(format!(" --{found}"))
    }

    /// All others.
    pub fn without(flags: &str, name: &str) -> String {
        let all = flags.split(" --").skip(1);
        let others = all.filter(|flag| !is_named(flag, name));
        others.map(|flag| format!(" --{flag}")).collect()
    }
}

fn is_named(flag: &str, name: &str) -> bool {
    let rest = flag.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '=']))
}

#[derive(Clone, Debug)]
pub struct RunInfo {
    /// Sorts by time.
    pub id: String,
    /// As it is spelled on the command line, without the program's name: `warmup all`.
    pub command: String,
    pub flags: Flags,
    pub trigger: Trigger,
    /// The job of the schedule, where one is.
    pub job: Option<String>,
    /// The machine.
    pub host: String,
    pub started: SystemTime,
}

impl RunInfo {
    /// A run that starts now.
    pub fn new(command: String, trigger: Trigger) -> Self {
        let started = SystemTime::now();
        let unix = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // A random part distinguishes runs of the same millisecond, here and on other machines.
        let id = format!("{:012x}-{:08x}", unix.as_millis(), fastrand::u32(..));
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self { id, command, flags: Flags::default(), trigger, job: None, host, started }
    }

    /// The same command once more; `more`: another flag, unless it is set to something else.
    pub fn again(&self, more: &str) -> String {
        let Flags { everywhere, reading, own } = &self.flags;
        let given = format!("{own}{reading}{everywhere}");
        let name = more.split_inclusive(' ').next().unwrap_or_default();
        let more = match more.is_empty() || given.contains(name) {
            true => String::new(),
            false => format!(" {more}"),
        };
        format!("shopwarm {}{more}{given}", self.command)
    }

    /// The same without a flag.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let Flags { everywhere, reading, own } = &self.flags;
        Self {
            flags: Flags {
                everywhere: everywhere.clone(),
                reading: Flags::without(reading, name),
                own: Flags::without(own, name),
            },
            ..self.clone()
        }
    }

    /// Another command about the same database and cache.
    pub fn instead(&self, command: &str) -> String {
        format!("shopwarm {command}{}", self.flags.everywhere)
    }
}
