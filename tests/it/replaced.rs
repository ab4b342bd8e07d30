//! Which definitions and jobs there are: the operator's own instead of the shipped ones, or over
//! them; and names that mean nothing, wherever they are said.

use serde_json::Value;

use crate::support::lab::{Lab, SHIPPED, over_shipped, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, Shopwarm, file, shopwarm};
use crate::support::site::Site;

/// One strategy of `own` over a table that no shop has.
fn things() -> String {
    let sql = "SELECT id, name FROM things";
    own(&["things"], &strategy("things", "object", "T:{id}", sql))
}

#[track_caller]
fn ids(run: &Finished) -> Vec<String> {
    let json = run.json();
    let all = json["strategies"].as_array().expect("a list");
    let id = |strategy: &Value| strategy["id"].as_str().expect("a text").to_owned();
    all.iter().map(id).collect()
}

#[test]
fn own_definitions_replace_the_shipped_ones() {
    for dialect in DIALECTS {
        let lab = Lab::things(dialect);
        let run = lab.with(&things(), "warmup all -o json").run().expect(0);
        assert_eq!(ids(&run), ["own/things"]);
        assert_eq!(lab.keys(), ["T:1", "T:2"]);
        let listed = lab.with(&things(), "keys list").run().expect(0);
        assert_eq!(listed.stdout, "T:1\nT:2\n");
        lab.with(&things(), "verify").run().expect(0);
        let doctor = lab.with(&things(), "doctor").run().expect(0).stdout;
        assert!(!doctor.contains("shipped"), "{doctor}");
    }
    let (_dir, path) = file("own.toml", &things());
    let run = shopwarm("strategies -o json").contexts(&path).run();
    assert_eq!(ids(&run.expect(0)), ["own/things"]);
}

#[test]
fn own_definitions_have_no_jobs_that_nobody_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let jobs = |settings: &str| {
        write("shopwarm.toml", &format!("contexts = [\"own.toml\"]\n{settings}"));
        let run = shopwarm("config check").dir(dir.path()).run().expect(0);
        run.stdout.trim().to_owned()
    };
    write("own.toml", &things());
    assert_eq!(jobs(""), "valid: 1 strategy, 0 scheduled jobs");
    let peak = "[schedule.peak]\ncron = \"30 8 * * *\"\nwarmup = \"own\"";
    assert_eq!(jobs(peak), "valid: 1 strategy, 1 scheduled job");
    let run = shopwarm("schedule list -o json").dir(dir.path()).run();
    let runs = run.expect(0).json()["runs"].take();
    let of_peak = |run: &Value| run["job"] == "peak";
    assert!(runs.as_array().expect("a list").iter().all(of_peak), "{runs:#}");
    write("own.toml", &over_shipped(&things()));
    assert_eq!(jobs(""), "valid: 8 strategies, 2 scheduled jobs");
}

#[test]
fn a_file_that_extends_the_shipped_ones_keeps_them() {
    let lab = Lab::shop(Dialect::Sqlite);
    let patch = "[context]\nname = \"catalog\"\n[strategies.hot-products]\nlimit = 3\n";
    let run = lab.with(&over_shipped(patch), "warmup all -o json").run();
    let run = run.expect(0);
    assert_eq!(ids(&run).len(), SHIPPED.len());
    assert_eq!(run.strategy("catalog/hot-products")["warmed"], 3);
    // Without that word a part of a shipped strategy is no strategy.
    let run = lab.with(patch, "warmup all -o json").run().expect(4);
    assert!(run.stderr.contains("catalog/hot-products"), "{}", run.stderr);
    assert!(run.stderr.contains("key: missing"), "{}", run.stderr);
    let wrong = "extends = \"shiped\"\n[context]\nname = \"catalog\"";
    let run = lab.with(wrong, "warmup all").run().expect(4);
    assert!(run.stderr.contains("did you mean `shipped`?"), "{}", run.stderr);
}

/// What `init --template shop` writes is what there is: what is deleted there is gone.
#[test]
fn what_init_wrote_is_all_there_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let command = |arguments: &str| shopwarm(arguments).dir(dir.path());
    command("init --template shop .").run().expect(0);
    let valid = |says: &str| assert_eq!(command("config check").run().expect(0).stdout, says);
    valid("valid: 7 strategies, 2 scheduled jobs\n");
    std::fs::remove_file(dir.path().join("contexts/identity.toml")).expect("a file");
    valid("valid: 6 strategies, 2 scheduled jobs\n");
    let settings = dir.path().join("shopwarm.toml");
    let text = std::fs::read_to_string(&settings).expect("a text");
    let nightly = "[schedule.nightly]\ncron = \"0 2 * * *\"\nwarmup = \"all\"\nconcurrency = 50\n";
    assert!(text.contains(nightly), "{text}");
    std::fs::write(&settings, text.replace(nightly, "")).expect("a file");
    valid("valid: 6 strategies, 1 scheduled job\n");
}

/// A name that nothing has would silently select something else than was meant.
#[test]
fn a_stale_name_is_an_error_everywhere() {
    let site = Site::shop(Dialect::Sqlite);
    let refused = |run: Shopwarm, says: &str| {
        let run = run.run().expect(4);
        let all = format!("{}{}", run.stdout, run.stderr);
        for says in ["did you mean", says] {
            assert!(all.contains(says), "{says}: {all}");
        }
    };
    let everywhere = |settings: &str, says: &str, commands: &[&str]| {
        site.write("shopwarm.toml", settings);
        for command in commands {
            refused(site.command(command), says);
        }
    };
    let looking = ["config check", "schedule list", "serve", "doctor"];
    let warming = ["warmup all", "dry-run", "verify", "keys list"];
    let all = [looking, warming].concat();
    let strategy = "exclude = [\"catalog/hot-product\"]";
    everywhere(strategy, "`catalog/hot-products`", &all);
    everywhere("exclude = [\"catalogue\"]", "`catalog`", &all);
    let job = |line: &str| format!("[schedule.x]\ncron = \"0 2 * * *\"\n{line}");
    everywhere(&job("warmup = [\"catalogue\"]"), "`catalog`", &looking);
    let tags = "warmup = \"all\"\ntags = [\"prodct\"]";
    everywhere(&job(tags), "`product`", &looking);
    everywhere("on_start = [\"catalogue\"]", "`catalog`", &["serve", "config check"]);
}

#[test]
fn a_context_is_excluded_by_its_name() {
    let lab = Lab::shop(Dialect::Sqlite);
    let run = lab.command("warmup all -o json --exclude catalog,identity");
    assert_eq!(ids(&run.run().expect(0)), ["ordering/recent-orders"]);
    let none = lab.command("warmup context catalog --exclude catalog").run();
    let none = none.expect(2);
    assert!(none.stderr.contains("everything that was selected is excluded"), "{}", none.stderr);
}
