//! What somebody wants warmed, and how.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::application::runs::lock::Locking;
use crate::application::settings::RunSettings;
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::selection::Selection;

/// What somebody wants warmed, and how. Belongs to the run, never to shared state.
#[derive(Clone, Debug)]
pub struct RunRequest {
    pub selection: Selection,
    /// As it would be spelled on the command line.
    pub command: String,
    pub trigger: Trigger,
    pub job: Option<String>,
    /// The time of the job that it is for: each is run once, by whatever server.
    pub occurrence: Option<Timestamp>,
    /// A run of another server that does the same: where that was complete, this one is not needed.
    pub unless: Option<String>,
    pub locking: Locking,
    /// What it does otherwise than the configuration says.
    pub settings: RunSettings,
    /// Looks, and writes nothing.
    pub dry_run: bool,
}

impl RunRequest {
    /// Whether its success says less than that of a run as the operator set it up: it warms a part, or
    /// somebody asked for less over HTTP.
    pub(super) fn is_part(&self) -> bool {
        let asked = &self.settings;
        let less =
            asked.exclude.is_some() || asked.fail_under.is_some() || asked.allow_empty.is_some();
        asked.tags.is_some() || (self.job.is_none() && less)
    }
}

impl RunRequest {
    /// Warms a selection as configured, and gives way to other runs.
    pub fn new(selection: Selection, trigger: Trigger) -> Self {
        Self {
            command: format!("warmup {}", selection.words()),
            selection,
            trigger,
            job: None,
            occurrence: None,
            unless: None,
            locking: Locking::GiveWay,
            settings: RunSettings::default(),
            dry_run: false,
        }
    }

    pub fn info(&self) -> RunInfo {
        let mut info = RunInfo::new(self.command.clone(), self.trigger);
        info.job.clone_from(&self.job);
        info
    }

    /// The same for requests that ask for the same.
    pub fn digest(&self) -> String {
        let asked = serde_json::json!([self.command, self.settings, self.dry_run]);
        hex(asked.to_string().as_bytes())
    }
}

/// A digest: what clients call their requests may be long, and tells things of them.
pub fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}
