//! The schedule as its owner sees it: the coming times, the tables of the configuration file, and
//! what is said of wrong ones. The times around changes of the clocks are beside the code.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::shopwarm::{Finished, Shopwarm, binary, file, shopwarm};
use crate::support::terminal::Terminal;

fn list(arguments: &str) -> Shopwarm {
    shopwarm("schedule list").args(arguments)
}

/// The runs of `schedule list -o json`.
#[track_caller]
fn runs(run: &Finished) -> Vec<Value> {
    run.json()["runs"].as_array().expect("a list").clone()
}

fn of_job<'a>(runs: &'a [Value], job: &str) -> Vec<&'a Value> {
    runs.iter().filter(|run| run["job"] == job).collect()
}

fn said<'a>(run: &'a Value, field: &str) -> &'a str {
    let text = run[field].as_str();
    text.unwrap_or_else(|| panic!("{field} in {run:#}"))
}

fn at(run: &Value, field: &str) -> jiff::Timestamp {
    said(run, field).parse().expect("an instant")
}

fn check(path: &Path) -> Shopwarm {
    shopwarm("config check --config").arg(path)
}

#[test]
fn the_shipped_jobs_are_listed_in_order_of_time() {
    let run = list("-o json --timezone Asia/Shanghai").run().expect(0);
    assert_eq!(run.json()["timezone"], "Asia/Shanghai");
    let runs = runs(&run);
    let starts: Vec<_> = runs.iter().map(|run| at(run, "starts_at")).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    for run in &runs {
        assert_eq!(at(run, "starts_at"), at(run, "starts_at_utc"));
        assert_eq!(run["at"], run["starts_at"], "no jitter");
        assert!(said(run, "starts_at").ends_with("+08:00"), "{run:#}");
    }
    let wait = |run: &Value| run["in_seconds"].as_u64().expect("a number");

    let catalog = of_job(&runs, "catalog-incremental");
    assert_eq!(catalog.len(), 3);
    assert!(wait(catalog[0]) < 30 * 60);
    for pair in catalog.windows(2) {
        assert_eq!(wait(pair[1]) - wait(pair[0]), 30 * 60);
    }
    assert_eq!(catalog[0]["warmup"], json!(["catalog"]));
    assert_eq!(catalog[0]["strategies"].as_array().map(Vec::len), Some(5));
    let minute = &said(catalog[0], "starts_at")[14..19];
    assert!(["00:00", "30:00"].contains(&minute), "{minute}");

    let nightly = of_job(&runs, "nightly");
    assert_eq!(nightly.len(), 3);
    for run in &nightly {
        assert_eq!(&said(run, "starts_at")[11..19], "02:00:00");
        assert_eq!(&said(run, "starts_at_utc")[11..], "18:00:00Z");
    }
    assert_eq!(nightly[0]["strategies"].as_array().map(Vec::len), Some(7));
}

#[test]
fn as_many_times_are_listed_as_asked_for() {
    for (n, expected) in [("1", 2), ("100", 200)] {
        let run = list("-o ndjson --next").arg(n).run().expect(0);
        assert_eq!(run.stdout.lines().count(), expected);
    }
    for n in ["0", "101", "x"] {
        list("--next").arg(n).run().expect(2);
    }
}

/// How long until then is what one wants to know.
#[test]
fn eighty_columns_say_how_long_it_is() {
    let terminal = Terminal::new(80, 30);
    let list = |zone: &str| {
        let program = binary().display();
        terminal.run(&format!("{program} schedule list --timezone {zone}; echo exit=$?"));
        terminal.wait_for("exit=0")
    };
    let screen = list("Asia/Shanghai");
    let mut lines = screen.lines();
    let head = lines.find(|line| line.starts_with("local time  "));
    let words: Vec<&str> = head.expect("a head").split_whitespace().collect();
    assert_eq!(words, ["local", "time", "in", "job", "warms"]);
    assert!(screen.contains("local time: Asia/Shanghai"), "{screen}");
    assert!(!screen.contains("+08:00"), "{screen}");
}

#[test]
fn the_forms_agree() {
    let table = list("--timezone UTC --next 1").run().expect(0).stdout;
    assert!(table.contains("local time: UTC"), "{table}");
    let markdown = list("--timezone UTC --next 1 -o markdown").run().expect(0);
    for form in [&table, &markdown.stdout] {
        assert!(form.contains("all (7 strategies)"), "{form}");
        assert!(form.contains("catalog (5 strategies)"), "{form}");
        assert!(form.contains("*/30 * * * *"), "{form}");
        assert!(form.contains(" 02:00 ") && !form.contains("+00:00"), "{form}");
        assert!(form.contains("local time: UTC"), "{form}");
    }
    let csv = list("--timezone UTC --next 1 -o csv").run().expect(0).stdout;
    assert!(csv.starts_with("job,cron,timezone,starts_at,"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
}

/// Flag, environment, file, the system's zone; and a job's own before them all.
#[test]
fn the_zone_is_the_nearest_that_is_said() {
    let toml = "timezone = \"America/New_York\"\n[schedule.there]\ncron = \"0 9 * * *\"\n\
                warmup = \"catalog/categories\"\ntimezone = \"Australia/Lord_Howe\"\n";
    let (_dir, path) = file("shopwarm.toml", toml);
    let zone = |command: Shopwarm| command.run().expect(0).json()["timezone"].clone();
    let with_file = |arguments: &str| list(arguments).arg("--config").arg(&path);
    assert_eq!(zone(list("-o json").env("TZ", "Europe/Berlin")), "Europe/Berlin");
    assert_eq!(zone(list("-o json").env("TZ", "No/Where")), "UTC");
    assert_eq!(zone(with_file("-o json").env("TZ", "Europe/Berlin")), "America/New_York");
    let from_env = || with_file("-o json").env("SHOPWARM_TIMEZONE", "Asia/Shanghai");
    assert_eq!(zone(from_env()), "Asia/Shanghai");
    let run = from_env().args("--timezone UTC").run().expect(0);
    assert_eq!(run.json()["timezone"], "UTC");
    let runs = runs(&run);
    let there = of_job(&runs, "there");
    assert_eq!(there[0]["timezone"], "Australia/Lord_Howe");
    let start = at(there[0], "at")
        .to_zoned(jiff::tz::TimeZone::get("Australia/Lord_Howe").expect("a zone"));
    assert_eq!((start.hour(), start.minute()), (9, 0));

    let shown = |command: Shopwarm| {
        let settings = command.run().expect(0).json()["settings"].clone();
        let mut all = settings.as_array().expect("a list").iter();
        let found = all.find(|s| s["name"] == "timezone").expect("it is shown");
        (found["value"].clone(), found["from"].clone())
    };
    assert_eq!(
        shown(shopwarm("config show -o json").env("SHOPWARM_TIMEZONE", "Asia/Shanghai")),
        (json!("Asia/Shanghai"), json!("environment SHOPWARM_TIMEZONE"))
    );
    let (value, from) = shown(shopwarm("config show -o json --config").arg(&path));
    assert_eq!(value, "America/New_York");
    assert!(from.as_str().is_some_and(|from| from.ends_with("shopwarm.toml")));
}

#[test]
fn jobs_merge_over_the_shipped_ones() {
    let toml = r#"
        timezone = "UTC"
        [schedule.nightly]
        cron = "15 30 3 * * *"
        [schedule.catalog-incremental]
        enabled = false
        [schedule.peak]
        cron = "30 8 * * *"
        warmup = ["ordering", "catalog/hot-products"]
        jitter = "5m"
        [schedule.tagged]
        cron = "0 1 * * 6"
        warmup = ["all"]
        tags = ["product"]
    "#;
    let (_dir, path) = file("shopwarm.toml", toml);
    let run = check(&path).run().expect(0);
    assert_eq!(run.stdout, "valid: 7 strategies, 3 scheduled jobs\n");
    let run = list("-o json --next 20 --config").arg(&path).run().expect(0);
    let runs = runs(&run);
    assert!(of_job(&runs, "catalog-incremental").is_empty());
    let nightly = of_job(&runs, "nightly");
    assert_eq!(&said(nightly[0], "starts_at")[11..19], "03:30:15");
    assert_eq!(nightly[0]["warmup"], json!(["all"]));

    let peak = of_job(&runs, "peak");
    assert_eq!(peak[0]["strategies"], json!(["catalog/hot-products", "ordering/recent-orders"]));
    let mut delays = Vec::new();
    for run in &peak {
        assert_eq!(&said(run, "at")[11..19], "08:30:00");
        let delay = at(run, "starts_at").duration_since(at(run, "at")).as_secs();
        assert!((0..=300).contains(&delay), "{delay}");
        delays.push(delay);
    }
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 10, "{delays:?}");

    let tagged = of_job(&runs, "tagged");
    let ids = tagged[0]["strategies"].as_array().expect("a list");
    assert!(!ids.is_empty() && ids.len() < 7, "{ids:?}");
    for run in &tagged {
        let day = at(run, "at").to_zoned(jiff::tz::TimeZone::UTC).weekday();
        assert_eq!(day, jiff::civil::Weekday::Saturday);
    }
}

#[test]
fn without_jobs_it_says_so() {
    let toml =
        "[schedule.nightly]\nenabled = false\n[schedule.catalog-incremental]\nenabled = false\n";
    let (_dir, path) = file("shopwarm.toml", toml);
    let run = list("--config").arg(&path).run().expect(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("no jobs are scheduled"), "{}", run.stderr);
    let run = list("-o json --config").arg(&path).run().expect(0);
    assert_eq!(runs(&run), Vec::<Value>::new());
    let run = check(&path).run().expect(0);
    assert_eq!(run.stdout, "valid: 7 strategies, 0 scheduled jobs\n");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (toml, says) in [
        (
            "[schedule.nightly]\n\ncron = \"0 25 * * *\"",
            vec!["shopwarm.toml, line 3", "`25` is not a valid hour", "\"0 2 * * *\""],
        ),
        ("[schedule.nightly]\ncron = \"0 2 30 2 *\"", vec!["line 2", "there is no such day"]),
        (
            "[schedule.nightly]\nconcurency = 3",
            vec!["line 2", "unknown field `concurency`", "did you mean `concurrency`?"],
        ),
        // Options that are gone.
        ("avoid = [\"11:00-14:00\"]", vec!["line 1", "unknown field `avoid`"]),
        ("[schedule.nightly]\nmax_refill = 500", vec!["line 2", "unknown field `max_refill`"]),
        (
            "timezone = \"Europe/Berln\"",
            vec!["line 1", "no time zone `Europe/Berln`", "did you mean `Europe/Berlin`?"],
        ),
        (
            "[schedule.x]\ncron = \"0 1 * * *\"\nwarmup = [\"catalgo\"]",
            vec!["shopwarm.toml: schedule.x", "`catalgo`", "did you mean `catalog`?"],
        ),
        (
            "[schedule.x]\ncron = \"0 1 * * *\"\nwarmup = \"hot-products\"",
            vec!["schedule.x", "did you mean `catalog/hot-products`?"],
        ),
        (
            "[schedule.nightly]\ntags = [\"produkt\"]",
            vec!["schedule.nightly", "`produkt`", "did you mean `product`?"],
        ),
        ("[schedule.nightly]\nconcurrency = 0", vec!["line 2", "0 is not from 1 to 1000"]),
        (
            "[schedule.\"Every Night\"]\ncron = \"0 1 * * *\"\nwarmup = \"all\"",
            vec!["a job's name"],
        ),
    ] {
        let (_dir, path) = file("shopwarm.toml", toml);
        for command in ["config check --config", "schedule list --config"] {
            let run = shopwarm(command).arg(&path).run().expect(4);
            for says in &says {
                assert!(run.stderr.contains(says), "{says}\n{}", run.stderr);
            }
        }
    }
    let run = list("--timezone Nowhere/City").run().expect(2);
    assert!(run.stderr.contains("--timezone"), "{}", run.stderr);
}

/// Who takes the catalog away need not know that a job was shipped for it.
#[test]
fn a_shipped_job_with_nothing_left_to_warm_is_left_out() {
    let toml = r#"
        exclude = ["catalog/hot-products", "catalog/recommendations", "catalog/categories",
                   "catalog/category-list", "catalog/category-tree"]
    "#;
    let (_dir, path) = file("shopwarm.toml", toml);
    let run = list("-o json --config").arg(&path).run().expect(0);
    let runs = runs(&run);
    assert!(of_job(&runs, "catalog-incremental").is_empty());
    assert_eq!(of_job(&runs, "nightly").len(), 3);
    let own = format!("{toml}\n[schedule.mine]\ncron = \"@daily\"\nwarmup = \"catalog\"\n");
    let (_dir, path) = file("shopwarm.toml", &own);
    let run = check(&path).run().expect(4);
    assert!(run.stderr.contains("schedule.mine"), "{}", run.stderr);
}
