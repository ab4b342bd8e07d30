//! Help: one screen, examples that work, and every way to ask for it.

use crate::support::shopwarm::{Finished, Shopwarm, shopwarm};

const COMMANDS: [&str; 24] = [
    "",
    "warmup",
    "warmup all",
    "warmup context",
    "warmup strategy",
    "warmup keys",
    "keys",
    "keys list",
    "keys get",
    "dry-run",
    "verify",
    "init",
    "strategies",
    "doctor",
    "config",
    "config show",
    "config check",
    "serve",
    "runs",
    "usage",
    "probe",
    "schedule list",
    "completions",
    "man",
];

fn on_80_columns(arguments: &str) -> Shopwarm {
    shopwarm(arguments).env("COLUMNS", "80")
}

fn help(command: &str, flag: &str) -> Finished {
    on_80_columns(command).arg(flag).run().expect(0)
}

fn looks_like(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A misspelt flag is not corrected to one that deletes.
#[test]
fn no_misspelt_flag_suggests_pruning() {
    for flag in ["--dryrun", "--dry-run", "--prun"] {
        let run = shopwarm(&format!("--demo warmup all {flag}")).run().expect(2);
        assert!(!run.stderr.contains("'--prune'"), "{}", run.stderr);
        let hint = "hint: `shopwarm dry-run` shows what a run would do";
        assert_eq!(run.stderr.contains(hint), flag.starts_with("--d"), "{}", run.stderr);
    }
}

#[test]
fn the_short_help_is_one_screen_with_examples() {
    for command in COMMANDS {
        let text = help(command, "-h").stdout;
        let lines = text.lines().count();
        assert!(lines <= 40, "{command}: {lines} lines\n{text}");
        let wide = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{command}");
        let (_, examples) = text.split_once("\nExamples:\n").expect(command);
        let examples = examples.lines().count();
        assert!((1..=4).contains(&examples), "{command}: {examples}");
        assert!(!text.contains("env:"), "{text}");
    }
}

#[test]
fn the_long_help_has_every_option() {
    let text = help("warmup all", "--help").stdout;
    for there in [
        "--concurrency <N>",
        "--cache-url-command <COMMAND>",
        "[env: SHOPWARM_CHANGED_OVERLAP]",
        "--shape <ACTION>",
        "[default: 500]",
        "Speed and load:",
        "Safety:",
    ] {
        assert!(text.contains(there), "{there}\n{text}");
    }
    let root = help("", "--help").stdout;
    assert!(root.contains("130  interrupted"), "{root}");
}

#[test]
fn what_to_begin_with_fits_on_a_small_screen() {
    for url in ["", "sqlite:shop.db"] {
        let begin = on_80_columns("").env("DATABASE_URL", url).run().expect(2);
        let text = begin.stderr;
        assert!(text.lines().count() <= 25, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80));
        assert!(text.contains("shopwarm --demo warmup all"), "{text}");
        looks_like("help-start", &text);
    }
}

#[test]
fn help_looks_like_this() {
    for (name, command, flag) in [
        ("help", "", "-h"),
        ("help-long", "", "--help"),
        ("help-warmup", "warmup", "-h"),
        ("help-warmup-all", "warmup all", "-h"),
    ] {
        looks_like(name, &help(command, flag).stdout);
    }
}

#[test]
fn help_and_version_are_commands_too() {
    for command in ["", "warmup", "warmup all", "keys get"] {
        let asked = on_80_columns("help").args(command).run().expect(0).stdout;
        assert_eq!(asked, help(command, "--help").stdout, "{command}");
    }
    let version = shopwarm("version").run().expect(0).stdout;
    assert_eq!(version, shopwarm("--version").run().expect(0).stdout);
}
