//! What is in a new sample shop, and what to try there.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::again;
use super::parse::leaf;
use crate::config::{Config, Demo, Sample};
use crate::domain::failure::Failure;
use crate::interfaces::output::{LogFormat, Output};
use crate::setup;

/// Makes the sample shop, if one is asked for, and says so if it is new.
pub(super) async fn begin(
    matches: &ArgMatches,
    config: impl Fn() -> Result<Config, Failure>,
    output: &Output,
) -> Result<(), Failure> {
    if leaf(matches).get_one::<Demo>("demo").is_none() {
        return Ok(());
    }
    // The command itself says what is wrong with its configuration.
    let Ok(config) = config() else { return Ok(()) };
    if setup::make_sample(&config).await?
        && let Some(sample) = &config.demo
        && output.log_format != Some(LogFormat::Json)
    {
        let typed = matches.subcommand_name().unwrap_or_default();
        output.note(&tour(sample, &again::flags(matches).everywhere, typed));
    }
    Ok(())
}

/// How many commands it suggests.
const SUGGESTED: usize = 3;

/// `flags`: those that lead to the shop; `typed`: the command that runs now.
fn tour(sample: &Sample, flags: &str, typed: &str) -> String {
    let (what, next) = match sample.demo {
        Demo::None | Demo::Shop => (
            "sample shop: 1,000 products, 200 orders and 40 users",
            ["verify", "keys get Product:id:prod-0001", "serve", "dry-run"],
        ),
        Demo::Stale => (
            "sample shop: a warm cache, and rows that changed since",
            ["verify", "keys get Product:id:prod-0001", "warmup all", "dry-run"],
        ),
        Demo::Expiring => (
            "sample shop: a warm cache, a few hours later",
            ["dry-run", "keys list --state expiring", "warmup all", "verify"],
        ),
        Demo::Failing => (
            "sample shop with errors: prices that are NaN, and a renamed column",
            ["warmup all", "doctor", "keys get Product:id:prod-0002", "strategies"],
        ),
    };
    let folder = short(&sample.folder);
    let others = next.iter().filter(|line| !line.starts_with(typed));
    let next: Vec<String> =
        others.take(SUGGESTED).map(|line| format!("shopwarm{flags} {line}")).collect();
    let more = match sample.demo {
        Demo::None | Demo::Shop => {
            "  more:     --demo=stale, --demo=expiring, --demo=failing".to_owned()
        }
        _ => "  Recreated after 10 minutes, or when you delete the folder.".to_owned(),
    };
    format!(
        "{what}\n  database: {folder}/shop.db\n  cache:    {folder}/cache.db\n  try:      {}\n{more}\n",
        next.join("\n            "),
    )
}

/// A folder, with `~` for the user's own.
fn short(folder: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let inner = home.and_then(|home| folder.strip_prefix(home).ok().map(Path::to_owned));
    match inner {
        Some(inner) => format!("~/{}", inner.display()),
        None => folder.display().to_string(),
    }
}
