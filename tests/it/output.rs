//! What a user sees: forms of the report, errors, exit codes, the surroundings it respects.

use std::fs;
use std::io::Read as _;

use serde_json::Value;

use crate::support::lab::{Lab, own};
use crate::support::servers::{Database, Dialect, Redis};
use crate::support::shop;
use crate::support::shopwarm::{Shopwarm, file, finish, shopwarm};

/// A run over a shop of its own, with one strategy whose second row cannot be stored.
struct Mixed {
    database: Database,
    redis: Redis,
    definitions: (tempfile::TempDir, std::path::PathBuf),
}

impl Mixed {
    fn new() -> Self {
        let definitions = r#"
            extends = "shipped"
            [context]
            name = "extra"
            owns = ["products"]
            [strategies.mixed]
            key = "Mixed:{id}"
            value = "object"
            priority = 1
            sql.any = "SELECT id, CASE WHEN id = 'prod-0011' THEN 9e999 ELSE 1.5 END AS ratio FROM products"
        "#;
        Self {
            database: shop::database(Dialect::Sqlite),
            redis: Redis::start(&[]),
            definitions: file("extra.toml", definitions),
        }
    }

    fn run(&self, arguments: &str) -> Shopwarm {
        let run = shopwarm(arguments).contexts(&self.definitions.1);
        run.database(self.database.url()).cache(self.redis.url())
    }
}

#[test]
fn a_gate_lets_a_few_keys_fail() {
    let mixed = Mixed::new();
    mixed.run("warmup context extra -q --fail-under 99").run().expect(0);
    mixed.run("warmup context extra -q --fail-under 99.9%").run().expect(3);
}

#[test]
fn progress_is_lines_or_json_or_nothing() {
    let mixed = Mixed::new();
    let lines = mixed.run("warmup context ordering").run().expect(0).stderr;
    assert!(lines.starts_with("ordering/recent-orders: completed, 50 keys"), "{lines}");
    assert_eq!(mixed.run("warmup context ordering --progress none").run().expect(0).stderr, "");
    assert_eq!(mixed.run("warmup context ordering -q").run().expect(0).stderr, "");
    let events = mixed.run("warmup context ordering --progress json").run().expect(0).stderr;
    let mut events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    // On a busy machine.
    events.retain(|event| event["event"] != "stalled");
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(
        names,
        [
            "run_started",
            "sized",
            "strategy_started",
            "progress",
            "strategy_finished",
            "run_finished"
        ]
    );
    assert!(events[0]["run_id"].is_string(), "{events:#?}");
    let size = &events[1]["strategies"][0];
    assert_eq!(size["id"], events[2]["id"]);
    assert!(size.get("event").is_none(), "{size}");
    assert_eq!(events[4]["report"]["warmed"], 50);
}

#[test]
fn colour_is_where_it_is_wanted() {
    let mixed = Mixed::new();
    let coloured = |run: Shopwarm| run.run().expect(0).stdout.contains('\x1b');
    assert!(!coloured(mixed.run("warmup context ordering")));
    assert!(coloured(mixed.run("warmup context ordering --color always")));
    assert!(coloured(mixed.run("warmup context ordering").env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(
        mixed.run("warmup context ordering --color never").env("CLICOLOR_FORCE", "1")
    ));
}

#[test]
fn github_actions_get_annotations_and_a_summary() {
    let mixed = Mixed::new();
    let (_dir, summary) = file("summary.md", "before\n");
    let run =
        mixed.run("warmup all").env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let run = run.run().expect(3);
    let annotations: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(annotations.len(), 1, "{}", run.stderr);
    assert!(
        annotations[0].starts_with("::error title=shopwarm extra/mixed::1 key failed: "),
        "{annotations:?}"
    );
    let summary = fs::read_to_string(summary).expect("a summary");
    assert!(
        summary.starts_with("before\n### ✗ shopwarm warmup all — incomplete: 1 key failed; ")
            && summary.contains("| ✗ | extra/mixed |"),
        "{summary}"
    );
    let enough = mixed.run("warmup all --fail-under 50%").env("GITHUB_ACTIONS", "true");
    let warned = "::warning title=shopwarm extra/mixed::1 key failed: ";
    assert!(enough.run().expect(0).stderr.contains(warned));
    let down = shopwarm("--demo warmup all --cache-url redis://127.0.0.1:1")
        .env("GITHUB_ACTIONS", "true")
        .env("HOME", mixed.definitions.0.path());
    assert!(
        down.run().expect(6).stderr.contains("::error title=shopwarm run::cannot reach the cache")
    );
}

#[test]
fn no_output_repeats_a_secret() {
    let secret = "s3cret-canary";
    let url = format!("postgres://shop:{secret}@127.0.0.1:1/shop?sslpassword={secret}");
    let cache = format!("redis://:{secret}@127.0.0.1:1/0");
    let (_dir, config) =
        file("shopwarm.toml", &format!("database_url = \"{url}\"\ncache_url = \"{cache}\"\n"));
    let mut outputs = Vec::new();
    for arguments in [
        "--help",
        "warmup --help",
        "warmup all --help",
        "warmup keys --help",
        "config --help",
        "strategies --help",
        "warmup all",
        "warmup all -v",
        "warmup all -o json",
        "warmup keys x",
        "warmup nothing",
        "strategies",
        "config show",
        "config show -o json",
        "config check",
        "completions bash",
        "man",
        "warmup all --concurrency x",
    ] {
        let environment =
            shopwarm(arguments).database(&url).cache(&cache).env("SHOPWARM_PREFIX", "p").run();
        let in_file = shopwarm(arguments).env("SHOPWARM_CONFIG", &config).run();
        let flags = shopwarm(arguments)
            .arg("--database-url")
            .arg(&url)
            .arg("--redis-url")
            .arg(&cache)
            .run();
        outputs.extend([environment, in_file, flags]);
    }
    for broken in [
        secret.to_owned(),
        format!("://{secret}"),
        format!("postgres://u:{secret}@[::1/x"),
        format!("redis://{secret}:x@h:99999"),
        format!("postgres://u:1/{secret}@127.0.0.1:1/x"),
        format!("rediss://{secret}@127.0.0.1:1"),
        format!("mysql://u:{secret}@h:x/y"),
    ] {
        outputs.push(shopwarm("warmup all").database(&broken).cache("sqlite::memory:").run());
        outputs.push(
            shopwarm("--demo warmup all")
                .env("HOME", std::env::temp_dir())
                .arg("--cache-url")
                .arg(&broken)
                .run(),
        );
        outputs.push(shopwarm("config show").database(&broken).cache(&broken).run());
    }
    for output in outputs {
        assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret), "{output:?}");
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
}

#[test]
fn a_secret_may_come_from_a_file() {
    let (database, redis) =
        (shop::database(Dialect::Postgres), Redis::start(&["--requirepass", "pass"]));
    let (_one, database) = file("database", &format!("{}\n", database.url()));
    let (_two, cache) = file("cache", &redis.url().replace("redis://", "redis://:pass@"));
    let run = shopwarm("warmup context ordering -q")
        .arg("--database-url-file")
        .arg(database)
        .arg("--cache-url-file")
        .arg(cache);
    run.run().expect(0);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mixed = Mixed::new();
    for arguments in
        ["warmup context ordering", "strategies -v", "completions zsh", "man", "config show"]
    {
        let mut child = mixed.run(arguments).start();
        drop(child.stdin.take());
        let mut first = [0; 1];
        child.stdout.take().expect("piped").read_exact(&mut first).expect("some output");
        let done = finish(child).expect(0);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    }
}

#[test]
fn nothing_is_configured_and_it_says_what_to_do() {
    let run = shopwarm("warmup all").run().expect(4);
    assert!(
        run.stderr.contains("no database and no cache are configured")
            && run.stderr.contains("set DATABASE_URL and CACHE_URL, or try --demo"),
        "{}",
        run.stderr
    );
    let help = shopwarm("warmup").run().expect(2);
    assert!(
        help.stderr.contains("nothing was selected")
            && help.stderr.contains("all, NAME..., context"),
        "{}",
        help.stderr
    );
    assert!(shopwarm("--version").run().expect(0).stdout.starts_with("shopwarm "));
}

/// Definitions may come from elsewhere: what they say does not reach the terminal as it is.
#[test]
fn control_characters_of_definitions_are_shown_as_text() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let text = own(
        &["t"],
        "[strategies.red]\nkey = \"\\u001b[31mred:{id}\"\nvalue = \"object\"
         description = \"one\\u001b[2J\\ntwo\"\nsql.any = \"SELECT id FROM t\"\n",
    );
    for command in
        ["strategies", "strategies -v", "doctor", "dry-run all", "warmup all", "keys list"]
    {
        let run = lab.with(&text, command).run();
        for said in [&run.stdout, &run.stderr] {
            assert!(!said.contains('\u{1b}'), "{command}: {said:?}");
        }
    }
    let shown = lab.with(&text, "strategies -v").run().stdout;
    assert!(shown.contains("\\u{1b}[31mred:{id}") && shown.contains("one\\u{1b}[2J"), "{shown}");
}
