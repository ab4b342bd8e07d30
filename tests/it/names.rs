//! How strategies, contexts and tables are named: loosely, by pattern, and never in vain.

use serde_json::Value;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, Shopwarm, shopwarm};
use crate::support::site::Site;

#[track_caller]
fn ids(run: Finished) -> Vec<String> {
    let json = run.expect(0).json();
    let all = json["strategies"].as_array().expect("a list");
    let id = |strategy: &Value| strategy["id"].as_str().expect("a text").to_owned();
    all.iter().map(id).collect()
}

#[test]
fn a_context_a_strategy_or_a_pattern_is_named_as_it_is() {
    let lab = Lab::shop(Dialect::Sqlite);
    let warmed = |names: &str| ids(lab.command(&format!("warmup {names} -o json")).run());
    assert_eq!(warmed("catalog").len(), 5);
    assert_eq!(warmed("catalog/hot-products --limit 3"), ["catalog/hot-products"]);
    let several = ["catalog/categories", "ordering/recent-orders"];
    assert_eq!(warmed("ordering catalog/categories").len(), 2);
    assert_eq!(warmed("--limit 3 ordering */categories"), several);
    assert_eq!(warmed("strategy ordering/recent-orders"), several[1..]);
    for command in ["dry-run", "verify"] {
        let run = lab.command(&format!("{command} ordering */categories -o json"));
        assert_eq!(ids(run.run()), several, "{command}");
    }
    let listed = lab.command("keys list catalog/category-tree").run().expect(0);
    let by_flag = lab.command("keys list --strategy catalog/category-tree").run();
    assert_eq!(listed.stdout, by_flag.expect(0).stdout);
    let shown = ids(lab.command("strategies ordering identity -o json").run());
    assert_eq!(shown, ["ordering/recent-orders", "identity/active-user-sessions"]);
    let checks = lab.command("doctor ordering -o json").run().expect(0).json();
    let is_strategy = |check: &&Value| check["check"].as_str().is_some_and(|c| c.contains('/'));
    let checks: Vec<&Value> = checks["checks"].as_array().expect("a list").iter().collect();
    let strategies: Vec<_> = checks.into_iter().filter(is_strategy).collect();
    assert_eq!(strategies.len(), 1, "{strategies:?}");
}

#[test]
fn a_name_that_nothing_has_is_refused_with_the_one_that_is_meant() {
    let lab = Lab::shop(Dialect::Sqlite);
    for (name, says) in [
        ("catalogue", "did you mean `catalog`?"),
        ("hot-products", "did you mean `catalog/hot-products`?"),
        ("catalog/hot-product", "did you mean `catalog/hot-products`?"),
        ("catalog/x*", "no context or strategy matches `catalog/x*`"),
        ("catalog all", "`catalog all` is not a selection"),
    ] {
        for command in ["warmup", "dry-run", "verify", "keys list", "strategies", "doctor"] {
            let run = lab.command(&format!("{command} {name}")).run().expect(2);
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(said.contains(says), "{command} {name}: {said}");
        }
    }
}

#[test]
fn what_is_excluded_may_be_a_pattern_everywhere() {
    let site = Site::shop(Dialect::Sqlite);
    let left = ["ordering/recent-orders"];
    let flag = site.command("warmup all -o json --exclude catalog/*,id*");
    assert_eq!(ids(flag.run()), left);
    let warm = |command: Shopwarm| ids(command.run());
    let variable = site.command("warmup all -o json").env("SHOPWARM_EXCLUDE", "catalog/*,id*");
    assert_eq!(warm(variable), left);
    site.write(
        "shopwarm.toml",
        "exclude = [\"identity\"]\n[schedule.nightly]\nexclude = [\"catalog/*\", \"identity\"]\n\
         [schedule.catalog-incremental]\nenabled = false",
    );
    assert_eq!(warm(site.command("warmup all -o json")).len(), 6);
    let server = site.serve();
    let jobs = server.json("/admin/schedule");
    assert_eq!(jobs["jobs"][0]["strategies"], serde_json::json!(left), "{jobs:#}");
    let body = serde_json::json!({ "exclude": ["*/c*", "catalog/hot-products", "*/recommendations", "identity"] });
    let run = server.post_json("/admin/warmup/all", &body).expect(200).json();
    assert!(run.to_string().contains("recent-orders"), "{run:#}");
    assert!(!run.to_string().contains("hot-products"), "{run:#}");
    let stale = serde_json::json!({ "exclude": ["catalog/none-*"] });
    let refused = server.post_json("/admin/warmup/all", &stale);
    assert!(refused.status >= 400, "{}", refused.status);
    site.write("shopwarm.toml", "exclude = [\"catalog/none-*\"]");
    for command in ["config check", "schedule list", "serve", "doctor", "warmup all"] {
        let run = site.command(command).run().expect(4);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains("no context or strategy matches"), "{command}: {said}");
    }
}

#[test]
fn a_context_can_be_off() {
    let site = Site::shop(Dialect::Sqlite);
    site.define("extends = \"shipped\"\n[context]\nname = \"identity\"\nenabled = false");
    assert_eq!(ids(site.command("warmup all -o json").run()).len(), 6);
    let shown = site.command("strategies").run().expect(0).stdout;
    assert!(shown.contains("identity/active-user-sessions (disabled)"), "{shown}");
}

/// `things` in a schema that the SQL may name or not.
fn reading(owns: &str, table: &str) -> String {
    let sql = format!("SELECT id, name FROM {table}");
    own(&[], &strategy("things", "object", "T:{id}", &sql)).replace("owns = []", owns)
}

#[test]
fn owned_tables_are_patterns_or_any() {
    for dialect in DIALECTS {
        let lab = Lab::things(dialect);
        for owns in ["owns = [\"th*\"]", "owns = [\"x\", \"*ings\"]", ""] {
            let run = lab.with(&reading(owns, "things"), "warmup all").run();
            run.expect(0);
            assert_eq!(lab.keys(), ["T:1", "T:2"], "{owns}");
        }
        let run = lab.with(&reading("owns = [\"thing_*\"]", "things"), "warmup all").run();
        assert!(run.expect(4).stderr.contains("not in `owns` (`thing_*`)"));
        let schema = match dialect {
            Dialect::Postgres => "public",
            Dialect::MySql => lab.database.name(),
            Dialect::Sqlite => "main",
        };
        let qualified = format!("{schema}.things");
        let owns = format!("owns = [\"{qualified}\"]");
        lab.with(&reading(&owns, &qualified), "warmup all").run().expect(0);
        if dialect != Dialect::MySql {
            for (owns, table) in [(owns.as_str(), "things"), ("owns = [\"things\"]", &qualified)] {
                lab.with(&reading(owns, table), "warmup all").run().expect(0);
            }
        }
        let other = reading("owns = [\"things\"]", "other.things");
        let run = lab.with(&other, "warmup all").run().expect(4);
        assert!(run.stderr.contains("`other.things`"), "{}", run.stderr);
    }
    let check = |owns: &str| {
        let (_dir, path) = crate::support::shopwarm::file("own.toml", &reading(owns, "things"));
        shopwarm("config check").contexts(&path).run().expect(0).stderr
    };
    let always = "not checked against the database: `shopwarm doctor` does that\n";
    assert_eq!(check("owns = [\"things\"]"), always);
    assert_eq!(
        check(""),
        format!("own may read any table: add owns to [context] to limit it\n{always}")
    );
}

#[test]
fn a_folder_is_read_with_its_folders_and_what_is_not_read_is_named() {
    let lab = Lab::things(Dialect::Sqlite);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("a file");
    };
    let things =
        |name: &str| strategy(name, "object", &format!("{name}:{{id}}"), "SELECT id FROM things");
    write("a.toml", &own(&["others"], &things("a")));
    write("deep/er/b.toml", &own(&["things"], &things("b")));
    write("deep/.hidden/c.toml", "not TOML");
    write(".d.toml", "not TOML");
    write("README.md", "about");
    write("deep/e.yaml", "strategies:");
    let command = |arguments: &str| lab.command(arguments).contexts(folder.path());
    // What each file owns is the context's.
    assert_eq!(ids(command("warmup all -o json").run()), ["own/a", "own/b"]);
    let check = command("config check").run().expect(0);
    assert_eq!(check.stdout, "valid: 2 strategies, 0 scheduled jobs\n");
    let yaml = folder.path().join("deep/e.yaml");
    let says = format!(
        "warning: {} is not read: definitions are .toml files\n\
         not checked against the database: `shopwarm doctor` does that\n",
        yaml.display()
    );
    assert_eq!(check.stderr, says);
    let doctor = command("doctor").run().expect(0).stdout;
    assert!(doctor.contains("deep/e.yaml is not read"), "{doctor}");
}

#[test]
fn sql_may_be_a_text_and_a_ttl_a_number_or_none() {
    let lab = Lab::things(Dialect::Sqlite);
    let text = |ttl: &str| {
        let plain = strategy("things", "object", "T:{id}", "SELECT id FROM things");
        own(&["things"], &plain.replace("sql.any", &format!("ttl = {ttl}\nsql")))
    };
    lab.with(&text("3600"), "warmup all --ttl-jitter 0").run().expect(0);
    let left: u64 = lab.redis.cli(&["TTL", "T:1"]).parse().expect("a number");
    assert!((3590..=3600).contains(&left), "{left}");
    for (wrong, says) in [
        ("true", "line 8: expected a duration such as \"2h\", a number of seconds, or \"none\""),
        ("\"soon\"", "ttl: `soon` is not a duration"),
        ("0", "ttl: `0s` is not between"),
    ] {
        let run = lab.with(&text(wrong), "warmup all").run().expect(4);
        assert!(run.stderr.contains(says), "{wrong}: {}", run.stderr);
    }
    let wrong = text("1").replace("sql = \"SELECT id FROM things\"", "sql = 3");
    let run = lab.with(&wrong, "warmup all").run().expect(4);
    assert!(run.stderr.contains("expected a query, or a table such as sql.postgres"));
}

#[test]
fn an_entry_may_live_for_ever() {
    let lab = Lab::things(Dialect::Sqlite);
    let embedded = crate::support::cached::Embedded::new();
    let caches: [&dyn Fn(Shopwarm) -> Shopwarm; 2] = [&|run| run, &|run| embedded.on(run)];
    for shape in ["object", "hash"] {
        let plain = strategy(
            "things",
            shape,
            &format!("{shape}:{{id}}"),
            "SELECT id, 'v' AS _version FROM things",
        );
        let (none, day) = (plain.clone() + "ttl = \"none\"\n", plain + "ttl = \"1day\"\n");
        let (none, day) = (own(&["things"], &none), own(&["things"], &day));
        for on in caches {
            let run =
                |definitions: &str, arguments: &str| on(lab.with(definitions, arguments)).run();
            let classes = |definitions: &str| {
                let found = run(definitions, "dry-run -o json").expect(0).strategy("own/things");
                ["missing", "expiring", "identical"].map(|name| found[name].clone())
            };
            assert_eq!(classes(&none), [2, 0, 0]);
            run(&none, "warmup all").expect(0);
            assert_eq!(classes(&none), [0, 0, 2]);
            assert_eq!(classes(&day), [0, 0, 2]);
            let outlives = run(&day, "verify -o json").expect(0).strategy("own/things");
            assert_eq!(outlives["ttl_outside"], 2, "they outlive a day");
            run(&none, "verify --require 100%").expect(0);
            run(&day, "warmup all").expect(0);
            assert_eq!(classes(&none), [0, 2, 0], "with a TTL they expire one day");
            let report = run(&none, "warmup all -o json --skip-identical").expect(0);
            assert_eq!(report.strategy("own/things")["ttl_seconds"], Value::Null);
            assert_eq!(classes(&none), [0, 0, 2]);
            let table = run(&none, "dry-run").expect(0).stdout;
            assert!(table.contains("none"), "{table}");
        }
    }
    assert_eq!(lab.redis.cli(&["TTL", "object:1"]), "-1");
    assert_eq!(lab.redis.cli(&["TTL", "hash:2"]), "-1");
}
