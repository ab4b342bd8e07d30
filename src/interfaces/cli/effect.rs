//! `shopwarm effect`.

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use crate::application::effect::{self, Effect};
use crate::application::own_keys;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::wording::{keys, rate};
use crate::interfaces::document::{Document, Row, Tone, number, text};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::setup::{self, Access};

#[derive(Args, Debug)]
pub(super) struct EffectArgs {
    /// The run: its id, or a part of it that no other has [default: of each strategy the newest complete one]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Ask about at most so many keys of each strategy, spread evenly
    #[arg(long, value_name = "N", env = "SHOPWARM_SAMPLE", hide_env_values = true, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    sample: u64,
}

pub(super) async fn run(
    args: &EffectArgs,
    config: &Config,
    output: &Output,
) -> Result<Exit, Failure> {
    let cache = setup::cache(config, Access::Look).await?;
    let cache = cache.as_ref();
    // One that cannot tell says so before it is said that nothing is known.
    cache.usage(&[]).await?;
    let all = own_keys::generations(cache, &config.prefix, None).await?;
    let mut effects = Vec::new();
    for generation in effect::chosen(&all, args.run.as_deref())? {
        let prefix = &config.prefix;
        effects.push(effect::of(cache, prefix, &generation, &all, args.sample).await?);
    }
    document(&effects).show(output);
    Ok(Exit::Success)
}

/// The counts of all strategies together, scaled to all keys.
#[derive(Default)]
struct Total {
    keys: u64,
    sampled: u64,
    used: u64,
    unused: u64,
    gone: u64,
    /// `None`: of some strategy it is not known.
    bytes: Option<u64>,
}

impl Total {
    fn of(effects: &[Effect]) -> Self {
        let mut total = Self {
            bytes: Some(0),
            ..Self::default()
        };
        for effect in effects {
            total.keys += effect.generation.keys;
            total.sampled += effect.sampled;
            total.used += effect.scaled(effect.used);
            total.unused += effect.scaled(effect.unused);
            total.gone += effect.scaled(effect.gone);
            let bytes = effect.unused_bytes.as_ref().ok();
            let both = total.bytes.zip(bytes);
            total.bytes = both.map(|(sum, bytes)| sum + effect.scaled(*bytes));
        }
        total
    }
}

fn document(effects: &[Effect]) -> Document {
    let total = Total::of(effects);
    let lines: Vec<Value> = effects.iter().map(line).collect();
    let mut rows: Vec<Row> = effects.iter().map(row).collect();
    rows.push(Row {
        cells: vec![
            "total".to_owned(),
            HumanCount(total.keys).to_string(),
            HumanCount(total.sampled).to_string(),
            HumanCount(total.used).to_string(),
            share(total.used, total.keys),
            HumanCount(total.unused).to_string(),
            HumanCount(total.gone).to_string(),
            bytes(total.bytes),
            String::new(),
        ],
        tone: Tone::Total,
    });
    Document {
        headings: vec![
            text("strategy", 0),
            number("keys", 0),
            number("asked", 2),
            number("used", 0),
            number("share", 1),
            number("never used", 0),
            number("gone", 1),
            number("would save", 0),
            text("run", 3),
        ],
        rows,
        footer: footer(effects, &total),
        verdict: None,
        json: json!({
            "schema_version": 1,
            "totals": {
                "keys": total.keys,
                "sampled": total.sampled,
                "used": total.used,
                "unused": total.unused,
                "gone": total.gone,
                "unused_bytes": total.bytes,
            },
            "strategies": lines,
        }),
        lines,
        csv: &[
            "id",
            "run_id",
            "ended_at",
            "keys",
            "sampled",
            "used",
            "unused",
            "gone",
            "unused_bytes",
            "exact",
            "by_frequency",
            "overwritten",
        ],
    }
}

/// Counts of all keys, worked out from the sample.
fn line(effect: &Effect) -> Value {
    let generation = &effect.generation;
    let unused_bytes = effect.unused_bytes.as_ref().ok();
    json!({
        "id": generation.strategy,
        "run_id": generation.run_id,
        "ended_at": humantime::format_rfc3339_millis(generation.ended_at).to_string(),
        "complete": generation.complete,
        "keys": generation.keys,
        "sampled": effect.sampled,
        "used": effect.scaled(effect.used),
        "unused": effect.scaled(effect.unused),
        "gone": effect.scaled(effect.gone),
        "unused_bytes": unused_bytes.map(|bytes| effect.scaled(*bytes)),
        "unused_bytes_unknown": effect.unused_bytes.as_ref().err(),
        "exact": effect.is_exact(),
        "by_frequency": effect.by_frequency,
        "overwritten": effect.overwritten,
    })
}

fn row(effect: &Effect) -> Row {
    let scaled = |count| {
        let about = if effect.is_exact() { "" } else { "~" };
        format!("{about}{}", HumanCount(effect.scaled(count)))
    };
    let saved = effect.unused_bytes.as_ref().ok();
    Row {
        cells: vec![
            effect.generation.strategy.clone(),
            HumanCount(effect.generation.keys).to_string(),
            HumanCount(effect.sampled).to_string(),
            scaled(effect.used),
            share(effect.used, effect.sampled),
            scaled(effect.unused),
            scaled(effect.gone),
            bytes(saved.map(|bytes| effect.scaled(*bytes))),
            effect.generation.run_id.clone(),
        ],
        tone: Tone::Plain,
    }
}

fn share(part: u64, all: u64) -> String {
    rate((all > 0).then(|| part as f64 / all as f64))
}

fn bytes(count: Option<u64>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| HumanBytes(count).to_string())
}

fn footer(effects: &[Effect], total: &Total) -> String {
    let mut lines = Vec::new();
    if effects.iter().any(|effect| !effect.is_exact()) {
        lines.push("~: worked out from the keys that were asked about (--sample)".to_owned());
    }
    if effects.iter().any(|effect| effect.by_frequency) {
        lines.push(
            "! the server counts how often keys are used (LFU), and not when: this is an estimate"
                .to_owned(),
        );
    }
    for effect in effects.iter().filter(|effect| effect.overwritten) {
        let id = &effect.generation.strategy;
        lines.push(format!(
            "! {id}: a later run has written keys of it again, which counts as use"
        ));
    }
    let unknown = effects.iter().find_map(|e| e.unused_bytes.as_ref().err());
    lines.extend(unknown.map(|why| format!("! memory is not known: {why}")));
    lines.push(match total.bytes {
        Some(bytes) => format!(
            "{} never read or written since the run; without them {} less",
            keys(total.unused),
            HumanBytes(bytes)
        ),
        None => format!("{} never read or written since the run", keys(total.unused)),
    });
    lines.join("\n") + "\n"
}
