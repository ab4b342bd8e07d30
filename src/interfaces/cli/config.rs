//! `shopwarm config`.

use serde_json::json;

use crate::config::{Config, Provenance, Shown};
use crate::domain::failure::Failure;
use crate::domain::wording::{counted, strategies};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::interfaces::report::table::Table;
use crate::setup::{self, shop::Shop};

pub(super) fn show(config: &Config, output: &Output) -> Exit {
    let value = |shown: &&Shown| shown.value.clone().filter(|value| !value.is_empty());
    let table = Table::new()
        .text("setting", 0, |shown: &&Shown| shown.name.to_owned())
        .field("name", |shown| shown.name)
        .text("value", 0, |shown| value(shown).unwrap_or_else(|| "(not set)".to_owned()))
        .field("value", |shown| shown.value.clone())
        .text("from", 0, |shown| shown.from.to_string())
        .field("from", |shown| shown.from.to_string());
    let mut document = table.document(&config.shown, None);
    document.json = json!({ "schema_version": 1, "settings": document.lines });
    // For people: first what was set; on a screen, nothing else.
    let is_default = |shown: &&Shown| shown.from == Provenance::Default;
    let (defaults, set): (Vec<_>, Vec<_>) = config.shown.iter().partition(is_default);
    let hidden = match output.width() {
        Some(_) if !output.verbose => defaults.len(),
        _ => 0,
    };
    let shown = set.into_iter().chain(defaults.into_iter().skip(hidden));
    document.rows = table.document(shown, None).rows;
    if hidden > 0 {
        document.footer = format!("{hidden} settings have their defaults; -v shows them\n");
    }
    output.result(&document.render(output.format, output.width()));
    Exit::Success
}

pub(super) fn check(config: &Config, output: &Output) -> Result<Exit, Failure> {
    let mut config = config.clone();
    config.run.strict = Some(true);
    setup::check_urls(&config)?;
    let definitions = config.definitions()?;
    let shop = Shop::load(config)?;
    output.result(&format!(
        "valid: {}, {}\n",
        strategies(shop.definitions.len()),
        counted(shop.jobs.len(), "scheduled job")
    ));
    for file in definitions.ignored() {
        output
            .note(&format!("warning: {} is not read: definitions are .toml files", file.display()));
    }
    let unbounded = definitions.unbounded();
    if !unbounded.is_empty() {
        let them = if unbounded.len() == 1 { "it" } else { "them" };
        output.note(&format!(
            "{} may read any table: add owns to [context] to limit {them}",
            unbounded.join(", ")
        ));
    }
    let known = shop.definitions.iter();
    let known = known.filter(|known| known.spec.unprotected_ok || known.unordered_ok);
    if let known @ 1.. = known.count() {
        output.note(&format!("warnings acknowledged with \"ok\": {}", strategies(known)));
    }
    if let Some(advice) = setup::advice(&shop.definitions) {
        output.note(&format!("warning: {}", advice.text));
        output.note(&format!("    hint: {}", advice.hint.unwrap_or_default()));
    }
    output.note("not checked against the database: `shopwarm doctor` does that");
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::init::TEMPLATE;
    use super::*;
    use crate::application::settings::{
        Group as _, READING, RunSettings, Settings as _, whole_help,
    };
    use crate::contexts::registry::Registry;
    use crate::domain::strategy::is_name;
    use clap::Args as _;

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
        let matches = crate::interfaces::cli::parse::command().get_matches_from([
            "shopwarm",
            "config",
            "show",
            "--config",
            &file.display().to_string(),
        ]);
        let resolve =
            || Config::resolve(crate::interfaces::cli::parse::leaf(&matches), &Registry::default());
        let failed = resolve().err();
        // A URL is given in one way only; every name and value before them was taken.
        assert!(failed.is_none_or(|f| f.to_string().contains("are both given")), "{lines:?}");
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
            assert!(!is_data || TEMPLATE.contains(&format!("\n{line}\n")), "{line}");
        }
    }

    // ── one option, everywhere ────────────────────────────────────────────────────────────────

    /// The arguments of a subcommand by their ids.
    fn arguments(path: &[&str]) -> Vec<clap::Arg> {
        let mut command = crate::interfaces::cli::parse::command();
        for name in path {
            let found = command.find_subcommand(name).expect("a subcommand");
            command = found.clone();
        }
        command.get_arguments().cloned().collect()
    }

    fn is_of_run(arg: &&clap::Arg) -> bool {
        let run = RunSettings::augment_args(clap::Command::new("run"));
        run.get_arguments().any(|of_run| of_run.get_id() == arg.get_id())
    }

    #[test]
    fn a_run_option_is_a_flag_a_variable_a_key_of_the_file_and_of_jobs_and_a_field_over_http() {
        let names = RunSettings::names();
        let arguments = arguments(&["warmup", "all"]);
        let flags: Vec<&clap::Arg> = arguments.iter().filter(is_of_run).collect();
        let ids: Vec<&str> = flags.iter().map(|arg| arg.get_id().as_str()).collect();
        assert_eq!(ids, names, "each flag of a run is a setting");
        for arg in &flags {
            let flag = arg.get_long().expect("a flag");
            let variable = format!("SHOPWARM_{}", flag.to_uppercase().replace('-', "_"));
            let has = arg.get_env().and_then(std::ffi::OsStr::to_str);
            assert_eq!(has, Some(variable.as_str()));
        }
        let file = crate::config::file_names();
        let job = crate::config::JobTable::names();
        let body = api_fields("WarmupBody");
        let shown = api_fields("OwnSettings");
        for name in &names {
            assert!(file.contains(name), "{name} is not in shopwarm.toml");
            assert!(job.contains(name), "{name} is not in jobs");
            assert!(
                body.iter().any(|field| field == name),
                "{name} is not in the bodies of requests"
            );
            assert!(shown.iter().any(|field| field == name), "{name} of a job is not shown");
        }
        let others: Vec<&String> = body.iter().filter(|n| !names.contains(&n.as_str())).collect();
        assert_eq!(others, ["dry_run"], "a command of its own elsewhere");
        for (id, schema) in api_schema("WarmupBody") {
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{id} is not described");
        }
    }

    #[test]
    fn commands_that_read_have_the_settings_for_it() {
        for command in [["verify"].as_slice(), &["keys", "list"]] {
            let arguments = arguments(command);
            let ids: Vec<&str> =
                arguments.iter().filter(is_of_run).map(|a| a.get_id().as_str()).collect();
            assert_eq!(ids, READING);
        }
        let dry_run = arguments(&["dry-run"]);
        assert!(READING.iter().all(|id| dry_run.iter().any(|arg| arg.get_id() == *id)));
    }

    #[test]
    fn every_setting_is_documented_with_its_default() {
        let page = include_str!("../../../docs/settings.md");
        let defaults = RunSettings::defaults().said();
        let arguments = arguments(&["warmup", "all"]);
        let mut table = String::from("| setting | flag | default | what |\n|---|---|---|---|\n");
        for name in RunSettings::names() {
            let arg = arguments.iter().find(|arg| arg.get_id() == name).expect("a flag");
            let help = whole_help(arg);
            let help = help.split(" [env: ").next().expect("help").to_owned();
            let (what, own) = match help.split_once(" [default: ") {
                Some((what, default)) => {
                    (what.to_owned(), default.trim_end_matches(']').to_owned())
                }
                None => (help, String::new()),
            };
            let default = match defaults.get(name) {
                Some(serde_json::Value::Bool(on)) => {
                    (if *on { "true" } else { "false" }).to_owned()
                }
                _ => own,
            };
            let flag = arg.get_long().expect("a flag");
            table += &format!("| `{name}` | `--{flag}` | {default} | {what} |\n");
        }
        assert!(page.contains(&table), "docs/settings.md is to have:\n{table}");
    }

    fn api_schema(name: &str) -> serde_json::Map<String, serde_json::Value> {
        let api = serde_json::to_value(crate::interfaces::admin::document()).expect("JSON");
        let schema = &api["components"]["schemas"][name]["properties"];
        schema.as_object().unwrap_or_else(|| panic!("no {name}: {api:#}")).clone()
    }

    fn api_fields(name: &str) -> Vec<String> {
        api_schema(name).keys().cloned().collect()
    }
}
