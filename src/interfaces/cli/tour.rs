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
        output.note(&tour(sample, &again::flags(matches).everywhere));
    }
    Ok(())
}

/// `flags`: those that lead to the shop.
fn tour(sample: &Sample, flags: &str) -> String {
    let (what, next) = match sample.demo {
        Demo::None | Demo::Shop => (
            "sample shop: 1,000 products, 200 orders and 40 users",
            ["verify", "keys get Product:id:prod-0001", "serve"],
        ),
        Demo::Stale => (
            "sample shop: a warm cache, and rows that changed since",
            ["verify", "keys get Product:id:prod-0001", "warmup all"],
        ),
        Demo::Expiring => (
            "sample shop: a warm cache, a few hours later",
            ["dry-run", "keys list --state expiring", "warmup all"],
        ),
        Demo::Failing => (
            "sample shop with errors: prices that are NaN, and a renamed column",
            ["warmup all", "doctor", "keys get Product:id:prod-0002"],
        ),
    };
    let folder = short(&sample.folder);
    let next = next.map(|command| format!("shopwarm{flags} {command}"));
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
