//! `shopwarm config`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde_json::json;

use crate::config::{Config, DEFAULT_FILE, Shown};
use crate::contexts::shipped::SHIPPED;
use crate::domain::failure::{Failure, FailureKind};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::interfaces::report::table::Table;
use crate::setup::shop::Shop;

const TEMPLATE: &str = include_str!("shopwarm.toml");

pub(super) fn show(config: &Config, output: &Output) -> Exit {
    let value = |shown: &&Shown| shown.value.clone().filter(|value| !value.is_empty());
    let table = Table::new()
        .text("setting", 0, |shown: &&Shown| shown.name.to_owned())
        .field("name", |shown| shown.name)
        .text("value", 0, |shown| {
            value(shown).unwrap_or_else(|| "(not set)".to_owned())
        })
        .field("value", |shown| shown.value.clone())
        .text("from", 1, |shown| shown.from.to_string())
        .field("from", |shown| shown.from.to_string());
    let mut document = table.document(&config.shown, None);
    document.json = json!({ "schema_version": 1, "settings": document.lines });
    output.result(&document.render(output.format, output.width()));
    Exit::Success
}

pub(super) fn check(config: &Config, output: &Output) -> Result<Exit, Failure> {
    let config = Config {
        strict: true,
        ..config.clone()
    };
    let shop = Shop::load(config)?;
    let count =
        |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    output.result(&format!(
        "valid: {}, {}\n",
        count(shop.definitions.len(), "strategy", "strategies"),
        count(shop.jobs.len(), "scheduled job", "scheduled jobs")
    ));
    Ok(Exit::Success)
}

pub(super) fn init(dir: &Path, output: &Output) -> Result<Exit, Failure> {
    let contexts = dir.join("contexts");
    fs::create_dir_all(&contexts).map_err(|e| unwritable(&contexts, &e))?;
    write_new(&dir.join(DEFAULT_FILE), TEMPLATE, output)?;
    for context in SHIPPED {
        write_new(
            &contexts.join(format!("{}.toml", context.name)),
            context.definitions,
            output,
        )?;
    }
    Ok(Exit::Success)
}

/// Writes a file that is not there yet; one that is stays as it is.
fn write_new(path: &Path, text: &str, output: &Output) -> Result<(), Failure> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .map_err(|e| unwritable(path, &e))?;
            output.result(&format!("wrote {}\n", path.display()));
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            output.result(&format!("kept  {} (it exists)\n", path.display()));
        }
        Err(error) => return Err(unwritable(path, &error)),
    }
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        FailureKind::Config,
        format!("cannot write {}", path.display()),
        error.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::strategy::is_name;

    #[test]
    fn the_template_says_what_the_defaults_are() {
        for line in [
            "prefix = \"\"",
            "concurrency = 20",
            "batch_size = 500",
            "default_ttl = \"1h\"",
            "ttl_jitter = \"10%\"",
            "mode = \"refresh\"",
            "stop_on_error = false",
            "skip_identical = false",
            "allow_empty = false",
            "strict = false",
            "statement_timeout = \"5m\"",
        ] {
            assert!(TEMPLATE.contains(&format!("\n# {line}\n")), "{line}");
        }
    }

    #[test]
    fn every_line_of_the_template_can_be_used() {
        // A table's head, or a field's name and nothing but its value: prose has more words.
        let is_setting = |line: &str| {
            let name = line.split_once(" = ").map_or("", |(name, _)| name);
            line.starts_with('[') || (!name.is_empty() && is_name(name))
        };
        let mut lines: Vec<&str> = TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .filter(|line| is_setting(line))
            .collect();
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("shopwarm.toml");
        fs::write(&file, lines.join("\n")).expect("a file");
        let matches = crate::interfaces::cli::command().get_matches_from([
            "shopwarm",
            "config",
            "show",
            "--config",
            &file.display().to_string(),
        ]);
        let flags = crate::config::ConnectionFlags {
            config: Some(file.clone()),
            ..Default::default()
        };
        let resolve = || Config::resolve(&flags, None, None, None, &matches);
        let failed = resolve().err();
        // A URL is given in one way only; every name and value before them was taken.
        assert!(
            failed.is_none_or(|f| f.to_string().contains("are both given")),
            "{lines:?}"
        );
        // Nor are definitions; the shipped ones have all that the jobs name.
        let is_other_way = |line: &str| line.contains("_file = ") || line.contains("_command = ");
        lines.retain(|line| !is_other_way(line) && !line.starts_with("contexts"));
        fs::write(&file, lines.join("\n")).expect("a file");
        let config = resolve().expect("valid");
        let jobs = crate::setup::schedule(&config).expect("valid");
        let shown: Vec<(&str, usize)> = jobs
            .iter()
            .map(|planned| (planned.job.name.as_str(), planned.strategies.len()))
            .collect();
        // `exclude` takes one of seven away.
        assert_eq!(
            shown,
            [
                ("catalog-incremental", 5),
                ("categories", 3),
                ("morning-peak", 2),
                ("nightly", 6),
                ("weekend", 6),
            ]
        );
    }

    #[test]
    fn the_template_shows_the_shipped_jobs() {
        let shipped = include_str!("../../config/schedule.toml");
        for line in shipped.lines() {
            let is_data = !line.is_empty() && !line.starts_with('#');
            assert!(
                !is_data || TEMPLATE.contains(&format!("\n{line}\n")),
                "{line}"
            );
        }
    }
}
