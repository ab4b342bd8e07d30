//! `shopwarm usage`.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::runs::{back, find};
use crate::application::keys::manifest::{self, KeyManifest};
use crate::application::keys::usage::{self as effect, Effect};
use crate::application::record::history;
use crate::application::settings::Count;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::wording::{exactly, grouped, keys, rate, size};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::interfaces::report::document::Document;
use crate::interfaces::report::table::Table;
use crate::interfaces::report::words::{bytes, joined, share};
use crate::setup::{self, Access};

/// Before this, keys that are not used say nothing.
const TOO_EARLY: Duration = Duration::from_mins(30);

const OUR_READS: &str = "! verify, dry-run and `keys list --cached` count as use on this server; Redis 7.2 \
    and later can tell them apart\n";

#[derive(Args, Debug)]
pub(super) struct UsageArgs {
    /// The run: its id, a unique part of it, or `last~1` [default: each strategy's last complete run]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Check at most this many keys per strategy, spread evenly
    #[arg(long, value_name = "N", env = "SHOPWARM_SAMPLE", default_value_t = 10_000, value_parser = Count::<{ u64::MAX }>::number::<u64>)]
    sample: u64,
}

pub(super) async fn run(
    args: &UsageArgs,
    config: &Config,
    output: &Output,
) -> Result<Exit, Failure> {
    let cache = setup::cache(config, Access::Read).await?;
    let cache = cache.as_ref();
    // Ask the cache first whether it records use.
    cache.usage(&[]).await?;
    let all = manifest::manifests(cache, &config.prefix, None).await?;
    let mut run = args.run.clone();
    if let Some(id) = run.as_mut().filter(|id| back(id).is_some_and(|back| back > 0)) {
        let known = history::runs(cache, &config.prefix).await?;
        id.clone_from(&find(&known, id)?.run_id);
    }
    let mut effects = Vec::new();
    for manifest in effect::chosen(&all, run.as_deref())? {
        let prefix = &config.prefix;
        effects.push(effect::of(cache, prefix, &manifest, &all, args.sample).await?);
    }
    let counts_our_reads = cache.counts_our_reads().await;
    document(&effects, counts_our_reads).show(output);
    Ok(Exit::Success)
}

/// A strategy, or the total; counts are extrapolated from the sample.
struct Line<'a> {
    effect: Option<&'a Effect>,
    keys: u64,
    sampled: u64,
    used: u64,
    unused: u64,
    gone: u64,
    /// `None`: unknown for at least one strategy.
    bytes: Option<u64>,
}

impl<'a> Line<'a> {
    fn of(effect: &'a Effect) -> Self {
        let bytes = effect.unused_bytes.as_ref().ok();
        Self {
            effect: Some(effect),
            keys: effect.manifest.keys,
            sampled: effect.sampled,
            used: effect.scaled(effect.used),
            unused: effect.scaled(effect.unused),
            gone: effect.scaled(effect.gone),
            bytes: bytes.map(|bytes| effect.scaled(*bytes)),
        }
    }

    fn total(effects: &[Effect]) -> Self {
        let all = || effects.iter().map(Line::of);
        Self {
            effect: None,
            keys: all().map(|line| line.keys).sum(),
            sampled: all().map(|line| line.sampled).sum(),
            used: all().map(|line| line.used).sum(),
            unused: all().map(|line| line.unused).sum(),
            gone: all().map(|line| line.gone).sum(),
            bytes: all().map(|line| line.bytes).sum(),
        }
    }

    fn manifest(&self) -> Option<&'a KeyManifest> {
        self.effect.map(|effect| &effect.manifest)
    }

    fn name(&self) -> String {
        let manifest = self.manifest();
        manifest.map_or_else(|| "total".to_owned(), |of| of.strategy.clone())
    }

    /// With `~` if it is extrapolated.
    fn about(&self, count: u64) -> String {
        let is_exact = self.effect.is_none_or(Effect::is_exact);
        let about = if is_exact { "" } else { "~" };
        format!("{about}{}", grouped(count))
    }

    fn used_share(&self) -> String {
        rate(match self.effect {
            Some(effect) => share(effect.used, effect.sampled),
            None => share(self.used, self.keys),
        })
    }

    fn totals(&self) -> Value {
        json!({
            "keys": self.keys,
            "sampled": self.sampled,
            "used": self.used,
            "unused": self.unused,
            "gone": self.gone,
            "unused_bytes": self.bytes,
        })
    }

    fn ended_at(&self) -> Option<String> {
        let manifest = self.manifest()?;
        Some(humantime::format_rfc3339_millis(manifest.ended_at).to_string())
    }

    fn bytes_unknown(&self) -> Option<String> {
        self.effect?.unused_bytes.as_ref().err().cloned()
    }
}

fn document(effects: &[Effect], counts_our_reads: bool) -> Document {
    let total = Line::total(effects);
    let (totals, footer) = (total.totals(), footer(effects, &total));
    let sampled = effects.iter().any(|effect| !effect.is_exact());
    let mut document = table(sampled).document(effects.iter().map(Line::of), Some(total));
    document.footer = footer;
    if counts_our_reads {
        document.footer.insert_str(0, OUR_READS);
    }
    document.json = json!({
        "schema_version": 1,
        "counts_our_reads": counts_our_reads,
        "totals": totals,
        "strategies": document.lines,
    });
    document
}

fn table<'a>(sampled: bool) -> Table<'a, Line<'a>> {
    Table::new()
        .text("strategy", 0, Line::name)
        .field("id", Line::name)
        .field("run_id", |line| line.manifest().map(|of| of.run_id.clone()))
        .field("ended_at", Line::ended_at)
        .json("complete", |line| line.manifest().map(|of| of.complete))
        .number("keys", 0, |line| grouped(line.keys))
        .field("keys", |line| line.keys)
        .when(sampled, |table| table.number("sampled", 2, |line| grouped(line.sampled)))
        .field("sampled", |line| line.sampled)
        .number("used", 0, |line| line.about(line.used))
        .asked()
        .field("used", |line| line.used)
        .number("used %", 1, Line::used_share)
        .number("unused", 0, |line| line.about(line.unused))
        .field("unused", |line| line.unused)
        .number("gone", 1, |line| line.about(line.gone))
        .field("gone", |line| line.gone)
        .number("unused memory", 0, |line| bytes(line.bytes))
        .field("unused_bytes", |line| line.bytes)
        .json("unused_bytes_unknown", Line::bytes_unknown)
        .field("exact", |line| line.effect.map(Effect::is_exact))
        .field("by_frequency", |line| line.effect.map(|of| of.by_frequency))
        .field("overwritten", |line| line.effect.map(|of| of.overwritten))
        .text("run", 3, |line| line.manifest().map_or_else(String::new, |of| of.run_id.clone()))
}

fn footer(effects: &[Effect], total: &Line<'_>) -> String {
    let mut lines = Vec::new();
    if effects.iter().any(|effect| !effect.is_exact()) {
        lines.push("~: estimated from a sample of the keys (--sample)".to_owned());
    }
    if effects.iter().any(|effect| effect.by_frequency) {
        lines.push(
            "! the server records how often keys are used (LFU), not when: this is an estimate"
                .to_owned(),
        );
    }
    for effect in effects.iter().filter(|effect| effect.overwritten) {
        let id = &effect.manifest.strategy;
        lines.push(format!("! {id}: a later run rewrote some of its keys, which counts as use"));
    }
    let unknown = effects.iter().find_map(|e| e.unused_bytes.as_ref().err());
    lines.extend(unknown.map(|why| format!("! memory is not known: {why}")));
    let since = effects.iter().filter_map(|e| e.manifest.ended_at.elapsed().ok());
    let since = since.min().unwrap_or_default();
    let ago = exactly(Duration::from_secs(since.as_secs()));
    lines.push(format!(
        "used: read or written since the run ended {ago} ago; gone: expired, evicted or deleted"
    ));
    lines.push(match total.bytes {
        Some(bytes) => {
            format!("{} not used since the run, taking {}", keys(total.unused), size(bytes))
        }
        None => format!("{} not used since the run", keys(total.unused)),
    });
    lines.push(match () {
        () if since < TOO_EARLY => {
            "too early to tell: check again after an hour of traffic".to_owned()
        }
        () if total.unused > total.used => {
            "most were not used: a lower `limit` or a shorter `ttl` in these definitions saves memory"
                .to_owned()
        }
        () => return joined(lines),
    });
    joined(lines)
}
