//! A plan that a dry run seals and a run follows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::application::engine::coordinator::Coordinator;
use crate::application::ports::Mode;
use crate::application::settings::{Count, Group as _, RunSettings, Variables};
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::parameter::Vars;
use crate::domain::percent::Percent;
use crate::domain::report::Report;
use crate::domain::selection::Selection;
use crate::domain::strategy::{OF_VALUE, StrategyId};
use crate::setup;

/// A plan of a run. The seal detects edits of the file; it is not a signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPlan {
    schema_version: u32,
    sealed_at: String,
    /// `all`, `context NAME...` or `strategy CONTEXT/NAME...`.
    pub selection: Vec<String>,
    tags: Vec<String>,
    exclude: Vec<String>,
    // Left out where there are none, as the seal of an older plan is without them.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    vars: Variables,
    limit: Option<u64>,
    mode: Mode,
    prefix: String,
    /// Digest of the merged definitions of all selected strategies.
    definitions: String,
    strategies: Vec<Planned>,
    seal: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    id: String,
    keys: u64,
    bytes: u64,
    /// Digest of its merged definition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    definition: String,
}

fn not_written(file: &Path, why: &str) -> Failure {
    let what = format!("cannot write the plan to {}", file.display());
    Failure::new(FailureKind::Config, what, why)
}

impl SealedPlan {
    /// # Errors
    /// The definitions cannot be read again.
    pub fn seal(
        words: &[String],
        config: &Config,
        selection: &Selection,
        report: &Report,
    ) -> Result<Self, Failure> {
        let merged = merged(config, selection)?;
        let planned = report.strategies.iter().map(|strategy| Planned {
            id: strategy.id.to_string(),
            keys: strategy.stats.total(),
            bytes: strategy.stats.bytes,
            definition: digest_of(&merged, &strategy.id.to_string()),
        });
        let mut plan = Self {
            schema_version: 1,
            sealed_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            selection: words.to_vec(),
            tags: config.run.tags(),
            exclude: config.run.exclude(),
            vars: config.run.vars(),
            limit: config.run.limit(),
            mode: config.run.mode(),
            prefix: config.prefix.clone(),
            definitions: fingerprint(&merged),
            strategies: planned.collect(),
            seal: String::new(),
        };
        plan.seal = plan.own_seal();
        Ok(plan)
    }

    /// Whether a plan can be written there, to be asked before the shop is read.
    ///
    /// # Errors
    /// There is something else, or no such folder.
    pub fn check_target(file: &Path) -> Result<(), Failure> {
        let folder = match file.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // A rename would replace a device with a file.
        match std::fs::metadata(file) {
            Ok(found) if !found.is_file() => Err(not_written(file, "it is not a file")),
            _ if !folder.is_dir() => Err(not_written(file, "there is no such folder")),
            _ => Ok(()),
        }
    }

    /// Writes a temporary file and renames it, so that nobody reads half a plan.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        Self::check_target(file)?;
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        let aside = file.with_added_extension("part");
        std::fs::write(&aside, text)
            .and_then(|()| std::fs::rename(&aside, file))
            .map_err(|error| not_written(file, &error.to_string()))
    }

    /// # Errors
    /// [`FailureKind::Config`]: the file cannot be read, is not a plan, or was changed.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let refused = |why: String| {
            let what = format!("{} is not a valid plan", file.display());
            Failure::new(FailureKind::Config, what, why)
                .hint("make one with `shopwarm dry-run --plan FILE`")
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            let what = format!("cannot read the plan {}", file.display());
            Failure::new(FailureKind::Config, what, error.to_string())
                .hint("make one with `shopwarm dry-run --plan FILE`")
        })?;
        let plan: Self = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        if plan.schema_version != 1 {
            let why = format!("schema_version {} is not supported", plan.schema_version);
            return Err(refused(why));
        }
        if plan.seal != plan.own_seal() {
            return Err(refused("it was edited after it was saved".to_owned()));
        }
        Ok(plan)
    }

    fn own_seal(&self) -> String {
        let unsealed = Self { seal: String::new(), ..self.clone() };
        digest(&serde_json::to_string(&unsealed).unwrap_or_default())
    }

    /// Applies the plan's settings that the operator does not set.
    pub fn apply(&self, config: &mut Config) {
        let planned = RunSettings {
            tags: Some(self.tags.clone()),
            exclude: Some(self.exclude.clone()),
            vars: Some(self.vars.clone()),
            limit: self.limit.map(Count::new),
            mode: Some(self.mode),
            ..RunSettings::default()
        };
        config.run = config.run.clone().over(planned);
        if !config.given("prefix") {
            config.prefix.clone_from(&self.prefix);
        }
    }

    /// Checks that the run matches the plan.
    ///
    /// # Errors
    /// [`FailureKind::Config`] with everything that has changed.
    pub async fn check(
        &self,
        config: &Config,
        selection: &Selection,
        run: &Coordinator,
        tolerance: Percent,
    ) -> Result<(), Failure> {
        let mut changed = self.changed_terms(config, selection, run)?;
        if changed.is_empty() {
            changed = self.moved_counts(config, run, tolerance).await?;
        }
        if changed.is_empty() {
            return Ok(());
        }
        let what = format!("the plan {} is out of date", self.sealed_at);
        Err(Failure::new(FailureKind::Config, what, changed.join("; "))
            .hint("make a new one with `shopwarm dry-run --plan FILE`, or run without --plan"))
    }

    fn changed_terms(
        &self,
        config: &Config,
        selection: &Selection,
        run: &Coordinator,
    ) -> Result<Vec<String>, Failure> {
        let mut changed = Vec::new();
        let ids: Vec<String> =
            run.strategies().iter().map(|strategy| strategy.spec().id.to_string()).collect();
        let planned: Vec<&str> = self.strategies.iter().map(|s| s.id.as_str()).collect();
        if ids != planned {
            changed.push(format!(
                "the selection: planned {}, now {}",
                planned.join(", "),
                ids.join(", ")
            ));
        }
        let limit = config.run.limit();
        if limit != self.limit {
            let shown = |limit: Option<u64>| limit.map_or("none".to_owned(), |n| n.to_string());
            changed.push(format!("--limit: planned {}, now {}", shown(self.limit), shown(limit)));
        }
        let name = |mode: Mode| mode.to_possible_value().map(|value| value.get_name().to_owned());
        let (planned, now) = (name(self.mode), name(config.run.mode()));
        if planned != now {
            let (planned, now) = (planned.unwrap_or_default(), now.unwrap_or_default());
            changed.push(format!("--mode: planned {planned}, now {now}"));
        }
        if config.prefix != self.prefix {
            changed.push(format!("--prefix: planned {:?}, now {:?}", self.prefix, config.prefix));
        }
        let merged = merged(config, selection)?;
        if changed.is_empty() && fingerprint(&merged) != self.definitions {
            let is_other =
                |planned: &&Planned| digest_of(&merged, &planned.id) != planned.definition;
            let others = self.strategies.iter().filter(is_other);
            let others: Vec<&str> = others.map(|planned| planned.id.as_str()).collect();
            changed.push(format!("the definitions of {} have changed", others.join(", ")));
        }
        Ok(changed)
    }

    async fn moved_counts(
        &self,
        config: &Config,
        run: &Coordinator,
        tolerance: Percent,
    ) -> Result<Vec<String>, Failure> {
        let mut moved = Vec::new();
        for (strategy, planned) in run.strategies().iter().zip(&self.strategies) {
            let keys = strategy.count(config.run.limit()).await?;
            if tolerance.exceeded_by(keys.abs_diff(planned.keys), planned.keys) {
                moved.push(format!(
                    "{}: planned {} keys, now {keys}, more than {tolerance} apart",
                    planned.id, planned.keys
                ));
            }
        }
        Ok(moved)
    }
}

/// A selected definition: its id, its fields after merging, and the values of its parameters.
type Merged = (StrategyId, Map<String, Value>, Vars);

fn merged(config: &Config, selection: &Selection) -> Result<Vec<Merged>, Failure> {
    let (selected, _) = setup::definitions(config, selection)?;
    let definitions = config.definitions()?;
    let fields = definitions.merged().map(|(id, merged)| (id, merged.shown()));
    let fields: BTreeMap<StrategyId, Map<String, Value>> = fields.collect();
    let with_fields = selected.into_iter().map(|definition| {
        let id = definition.spec.id;
        let fields = fields.get(&id.family()).cloned().unwrap_or_default();
        (id, fields, definition.vars)
    });
    Ok(with_fields.collect())
}

fn fingerprint(merged: &[Merged]) -> String {
    let said = merged.iter().map(|(id, fields, vars)| (id.to_string(), fields, vars));
    digest(&serde_json::to_string(&said.collect::<Vec<_>>()).unwrap_or_default())
}

/// Of a strategy's definition; of one that is repeated for values of the database, its family's.
fn digest_of(merged: &[Merged], id: &str) -> String {
    let is_own = |of: &StrategyId| of.to_string() == id;
    let is_family = |of: &StrategyId| id.split(OF_VALUE).next() == Some(&of.to_string());
    let own = merged.iter().find(|(of, ..)| is_own(of));
    let found = own.or_else(|| merged.iter().find(|(of, ..)| is_family(of)));
    let said = found.map(|(_, fields, vars)| (fields, vars));
    digest(&serde_json::to_string(&said).unwrap_or_default())
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
