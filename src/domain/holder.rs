//! Who has the lock of a context.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::failure::{Failure, FailureKind};
use super::key::{printable, shortened};
use super::run::RunInfo;
use super::wording::exactly;

/// Who has the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Holder {
    pub run_id: String,
    pub command: String,
    pub host: String,
    pub pid: u32,
    /// RFC 3339, in UTC.
    pub since: String,
    /// Tells this claim from any other.
    #[serde(rename = "token", skip_serializing_if = "String::is_empty")]
    #[schema(ignore)]
    token: String,
    /// The key where it was found.
    #[serde(skip)]
    #[schema(ignore)]
    key: String,
}

impl Holder {
    pub fn new(info: &RunInfo) -> Self {
        Self {
            run_id: info.id.clone(),
            command: info.command.clone(),
            host: info.host.clone(),
            pid: std::process::id(),
            since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            token: format!("{:032x}", fastrand::u128(..)),
            key: String::new(),
        }
    }

    /// What a key holds, whoever put it there.
    pub fn found(key: &str, value: &[u8]) -> Self {
        Self { key: key.to_owned(), ..serde_json::from_slice(value).unwrap_or_default() }
    }

    /// Whether it says what a run says.
    fn is_known(&self) -> bool {
        !self.run_id.is_empty()
    }

    /// The holder without what it proves its claim with.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.token.clear();
        self
    }

    /// How long it has had it, by our clock.
    pub fn age(&self) -> Option<Duration> {
        let since = humantime::parse_rfc3339(&self.since).ok()?;
        SystemTime::now().duration_since(since).ok()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| shortened(&printable(text.as_bytes()), 200);
        if !self.is_known() {
            return write!(f, "the lock key {} holds a value that no run wrote", shown(&self.key));
        }
        let (command, host, run_id) = (&self.command, &self.host, &self.run_id);
        let [command, host, run_id] = [command, host, run_id].map(|text| shown(text));
        write!(f, "`{command}` on {host} (process {}, run {run_id})", self.pid)?;
        match self.age() {
            Some(age) => write!(f, ", started {} ago", exactly(Duration::from_secs(age.as_secs()))),
            None => Ok(()),
        }
    }
}

impl Holder {
    pub fn trouble(&self) -> &'static str {
        if self.is_known() { "another run is active" } else { "the lock is taken" }
    }
}

impl From<Holder> for Failure {
    fn from(holder: Holder) -> Self {
        let why = format!("{holder}");
        let hint = match holder.is_known() {
            true => "wait for it with --lock-wait 5m, or run beside it with --no-lock",
            false => "delete that key if nothing of yours uses it, or run with --no-lock",
        };
        Failure::new(FailureKind::Busy, holder.trouble(), why).hint(hint)
    }
}
