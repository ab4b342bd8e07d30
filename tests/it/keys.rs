//! `keys list` and `keys get`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cached::{self, Embedded, classes, dump, objects, planned, spread};
use crate::support::lab::{Lab, SHIPPED, own, strategy};
use crate::support::music;
use crate::support::servers::{Dialect, Redis};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Shopwarm, finish, shopwarm};
use crate::support::terminal::{self, Terminal};

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The lists, the dry run and the run itself: the same keys, each once.
fn agree(
    command: &dyn Fn(&str) -> Shopwarm,
    redis: &Redis,
    prefix: &str,
    why: &str,
) -> Vec<String> {
    let list = sorted(&command("keys list").run().expect(0).stdout);
    let dry_run = command("dry-run --keys -o ndjson").run().expect(0);
    let mut looked: Vec<String> = objects(&dry_run.stdout)
        .iter()
        .filter(|line| line["type"] == "key")
        .map(|line| line["key"].as_str().expect("a text").to_owned())
        .collect();
    looked.sort();
    let own = format!("{prefix}shopwarm:");
    assert!(dump(redis).is_empty(), "{why}: only looked");
    let run = command("warmup all -o json").run().expect(0);
    let mut warmed: Vec<String> =
        dump(redis).into_keys().filter(|key| !key.starts_with(&own)).collect();
    warmed.sort();
    assert_eq!(run.json()["totals"]["warmed"], warmed.len(), "{why}");
    // Keys are shown with their control characters escaped.
    let shown: Vec<String> = warmed.iter().map(|key| key.escape_default().to_string()).collect();
    assert!(warmed == shown, "{why}: keys that need no escaping");
    assert_eq!(list, warmed, "{why}: keys list");
    assert_eq!(looked, warmed, "{why}: dry-run --keys");
    warmed
}

#[test]
fn lists_and_runs_agree_on_the_shipped_definitions() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        let keys = agree(&|a| lab.command(a), &lab.redis, "", &format!("{dialect:?}"));
        assert_eq!(keys.len(), 170);
        for id in SHIPPED {
            let list = lab.command("keys list --strategy").arg(id).run().expect(0);
            let run = lab.command("dry-run -o json strategy").arg(id).run().expect(0);
            assert_eq!(run.json()["totals"]["keys"], list.stdout.lines().count(), "{id}");
        }
    }
}

/// Numbers beyond floats, pairs, lists, hashes, and texts of which one is NULL.
#[test]
fn lists_and_runs_agree_on_a_foreign_shop() {
    for dialect in DIALECTS {
        let store = music::Store::open(dialect);
        let bios = "[context]\nname = \"music\"\n\
            [strategies.bios]\nkey = \"Bio:{_artist}\"\nvalue = \"text\"\n\
            sql.any = \"SELECT artist_uuid AS _artist, bio FROM artists\"\n\
            [strategies.bio-fields]\nkey = \"BioFields:{_artist}\"\nvalue = \"hash\"\n\
            sql.any = \"SELECT artist_uuid AS _artist, bio FROM artists\"\n";
        std::fs::write(store.contexts.path().join("texts.toml"), bios).expect("a file");
        let command = |arguments: &str| store.command(&format!("{arguments} --prefix m:"));
        let keys = agree(&command, &store.lab.redis, "m:", &format!("{dialect:?}"));
        // One of ten artists has no bio, and so no key.
        assert_eq!(keys.len(), 10 + 30 + 40 + 40 + 200 + 9 + 9, "{dialect:?}");
        assert!(keys.iter().all(|key| key.starts_with("m:")));
    }
}

#[test]
fn a_list_can_be_narrowed() {
    let lab = Lab::shop(Dialect::Sqlite);
    let list = |arguments: &str| {
        lab.command("keys list --prefix s:").args(arguments).run().expect(0).stdout
    };
    let count = |arguments: &str| list(arguments).lines().count();
    assert_eq!(count("--context catalog"), 100 + 4 + 11 + 1 + 1);
    assert_eq!(count("--context ordering --context identity"), 50 + 3);
    assert_eq!(count("--strategy catalog/categories --strategy ordering/recent-orders"), 11 + 50);
    assert_eq!(count("--tag category"), 13);
    assert_eq!(count("--limit 2"), 2 + 2 + 2 + 1 + 1 + 2 + 2);
    // With the prefix or without.
    for pattern in ["Category:*", "s:Category:*", "*Category:*"] {
        assert_eq!(count(&format!("--pattern {pattern}")), 13, "{pattern}");
    }
    assert_eq!(list("--pattern Category:l??t:[ab]ll"), "s:Category:list:all\n");
    assert_eq!(list("--pattern nothing*"), "");
    // In the order of the run: what is worth most comes first.
    assert!(list("").starts_with("s:Product:id:"));
    let best = lab.database.query(
        "SELECT id FROM products WHERE is_active AND deleted_at IS NULL ORDER BY sales_count DESC, id DESC LIMIT 3",
    );
    let best: String = best.lines().map(|id| format!("s:Product:id:{id}\n")).collect();
    assert_eq!(list("--strategy catalog/hot-products --limit 3"), best);
}

#[test]
fn what_is_wrong_with_a_list_is_said() {
    let lab = Lab::shop(Dialect::Sqlite);
    for (arguments, words) in [
        ("--pattern [a", &["[a", "at character"][..]),
        ("--pattern a***b", &["a***b", "at character"]),
        ("--state gone", &["gone", "wrong-type"]),
        ("--context catalogue", &["catalogue", "catalog"]),
        ("--strategy catalog/hot-product", &["did you mean", "catalog/hot-products"]),
        ("--tag produkt", &["produkt"]),
        ("--context catalog --strategy catalog/categories", &["cannot be used with"]),
        ("--expiring-within soon", &["soon"]),
        ("--limit 0", &["0"]),
    ] {
        let run = lab.command("keys list").args(arguments).run().expect(2);
        for word in words {
            assert!(run.stderr.contains(word), "{arguments}: no {word} in {}", run.stderr);
        }
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn several_keys_are_shown_one_after_the_other() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.command("warmup all -q").run().expect(0);
    let (tea, list) = ("Category:list:all", "Category:tree:root");
    let get = |arguments: &str| lab.command(&format!("keys get {arguments}")).run();
    let both = get(&format!("{tea} {list}")).expect(0).stdout;
    let each = [tea, list].map(|key| get(key).expect(0).stdout);
    let timeless = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("cached "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(timeless(&both), timeless(&each.join("\n")));
    // One that is nowhere does not keep the others from being shown.
    let lines = get(&format!("nothing:1 {tea} -o ndjson")).expect(3).stdout;
    let keys: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["key"].clone())
        .collect();
    assert_eq!(keys, ["nothing:1", tea]);
    let respelled = get("Produkts:id:prod-0011").expect(3).stdout;
    let meant = "shopwarm keys get Product:id:prod-0011\n";
    assert!(respelled.contains(meant), "{respelled}");
    assert!(respelled.contains("did you mean this key?"), "{respelled}");
    let shorter = get("Product:prod-0011").expect(3).stdout;
    assert!(shorter.contains(meant), "{shorter}");
    for form in ["--raw", "-o json"] {
        let refused = get(&format!("{tea} {list} {form}")).expect(2);
        let says = format!("{form} takes one key");
        assert!(refused.stderr.contains(&says), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
        get(&format!("{tea} {form}")).expect(0);
    }
}

#[test]
fn a_list_can_be_piped_into_a_run() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        let list = lab.command("keys list --prefix s:").run().expect(0).stdout;
        let run =
            lab.command("warmup keys - -o json --prefix s:").stdin(list.clone()).run().expect(0);
        assert_eq!(run.json()["totals"]["warmed"], 170, "{dialect:?}");
        assert_eq!(lab.keys(), sorted(&list), "{dialect:?}");
    }
}

const ODD_KEYS: [&str; 5] =
    ["two\nlines", "a tab\tand \"quotes\"", "\u{1b}[31mred\u{7}", "日本 🎵", "\u{202e}backwards"];

/// A strategy `own/t` with these keys, `K:...` each.
fn of_keys(keys: &[&str]) -> (Lab, String) {
    let lab = Lab::empty(Dialect::Sqlite);
    let mut sql = "CREATE TABLE t (k TEXT, v TEXT);".to_owned();
    for key in keys {
        sql += &format!("INSERT INTO t VALUES (CAST(X'{}' AS TEXT), 'v');", hex(key));
    }
    lab.database.sql(&sql);
    let definitions = own(&["t"], &strategy("t", "text", "K:{_k}", "SELECT k AS _k, v FROM t"));
    (lab, definitions)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Nothing that a terminal would obey.
#[track_caller]
fn is_harmless(text: &str) {
    let bad = |c: &char| (c.is_control() && !"\n".contains(*c)) || *c == '\u{202e}';
    let found = text.chars().find(bad);
    assert!(found.is_none(), "{found:?} in {}", text.escape_debug());
}

#[test]
fn keys_of_any_characters_go_through_a_pipe_that_ends_them_with_zero() {
    let (lab, definitions) = of_keys(&ODD_KEYS);
    let list = lab.with(&definitions, "keys list -0 --context own").run().expect(0).stdout;
    let mut keys: Vec<&str> = list.split_terminator('\0').collect();
    keys.sort_unstable();
    let mut expected = ODD_KEYS.map(|key| format!("K:{key}"));
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let run = lab.with(&definitions, "warmup keys -0 - -o json");
    let run = run.stdin(list).run().expect(0);
    assert_eq!(run.json()["totals"]["warmed"], 5);
    let there: Vec<String> =
        dump(&lab.redis).into_keys().filter(|key| key.starts_with("K:")).collect();
    assert_eq!(there, expected);
}

#[test]
fn odd_keys_are_shown_escaped_and_shortened() {
    let long = "x".repeat(1_000_000);
    let mut all = ODD_KEYS.to_vec();
    all.push(&long);
    let (lab, definitions) = of_keys(&all);
    for arguments in [
        "keys list --context own",
        "keys list --context own -o table",
        "keys list --context own -o csv --cached",
        "keys list --context own -o markdown",
        "keys list --context own -o json",
        "keys list --context own -o ndjson",
        "dry-run context own --keys",
        "dry-run context own",
        "dry-run context own -o json",
        "verify context own",
        "keys get K:two\nlines",
    ] {
        let mut command = lab.with(&definitions, "--color never").env("CACHE_URL", lab.redis.url());
        for word in arguments.split(' ') {
            command = command.arg(word);
        }
        let run = command.run();
        assert!([0, 10].contains(&run.code), "{arguments}: {run:?}");
        is_harmless(&run.stdout);
        is_harmless(&run.stderr);
        let size = run.stdout.len() + run.stderr.len();
        assert!(size < 20_000, "{arguments}: {size} bytes");
    }
    let run = lab.with(&definitions, "keys list --context own").run().expect(0);
    assert!(run.stdout.contains("K:two\\nlines\n"), "{}", run.stdout);
    assert!(run.stdout.contains("… (1000002 bytes)\n"));
    // Who would pipe these lines on must know.
    assert!(run.stderr.contains("5 keys shown escaped or shortened; -0"), "{}", run.stderr);
    // An argument cannot be longer.
    let run =
        lab.with(&definitions, "keys get").arg(format!("K:{}", &long[..100_000])).run().expect(3);
    assert!(run.stdout.len() + run.stderr.len() < 20_000);
}

#[test]
fn every_form_says_the_same() {
    let lab = cached::lab(Dialect::Sqlite);
    spread(&lab.redis, "");
    let planned = planned("");
    let stood = dump(&lab.redis);
    let expected = classes(&planned, &stood, 3_600_000);
    let list = |form: &str| {
        lab.with(&cached::definitions(), "keys list --context own --cached -o")
            .arg(form)
            .run()
            .expect(0)
            .stdout
    };

    let lines = objects(&list("ndjson"));
    let whole: Value = serde_json::from_str(&list("json")).expect("JSON");
    assert_eq!(whole["total"], lines.len());
    let states = |lines: &[Value]| -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        lines.iter().map(|line| (text(&line["key"]), text(&line["state"]))).collect()
    };
    let wanted: BTreeMap<String, String> =
        expected.iter().map(|(k, c)| (k.clone(), (*c).to_owned())).collect();
    assert_eq!(states(&lines), wanted);
    assert_eq!(states(whole["keys"].as_array().expect("a list")), wanted);

    let mut csv = csv_rows(&list("csv"));
    assert_eq!(csv.remove(0), ["strategy", "key", "state", "ttl_seconds", "bytes", "type"]);
    let csv: BTreeMap<String, String> =
        csv.into_iter().map(|row| (row[1].clone(), row[2].replace('-', "_"))).collect();
    assert_eq!(csv, wanted);
    for (form, head) in [("table", 2), ("markdown", 2)] {
        let text = list(form);
        assert_eq!(text.lines().count(), head + wanted.len(), "{form}");
        for (key, class) in &wanted {
            let state = class.replace('_', "-");
            assert!(
                text.lines()
                    .any(|line| line.contains(&state)
                        && line.split([' ', '|']).any(|word| word == key)),
                "{form}: {key} {state}"
            );
        }
    }

    for line in &lines {
        let key = line["key"].as_str().expect("a text");
        let Some(stood) = stood.get(key) else {
            assert_eq!((&line["ttl_seconds"], &line["type"]), (&Value::Null, &Value::Null));
            continue;
        };
        assert_eq!(line["type"], stood.kind, "{line}");
        let ttl = line["ttl_seconds"].as_i64().expect("a number");
        let (least, most) =
            if stood.ttl < 0 { (-1, -1) } else { (stood.ttl / 1000 - 60, stood.ttl / 1000) };
        assert!((least..=most).contains(&ttl), "{line} {stood:?}");
        if let ("string", Value::String(text)) = (stood.kind.as_str(), &stood.value) {
            assert_eq!(line["bytes"], text.len(), "{line}");
        }
    }
}

fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn states_filter_a_list() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        spread(&lab.redis, "p:");
        let expected = classes(&planned("p:"), &dump(&lab.redis), 3_600_000);
        for state in ["missing", "different", "expiring", "wrong-type", "identical"] {
            let list = format!("keys list --context own --prefix p: --state {state}");
            let list = lab.with(&cached::definitions(), &list).run().expect(0);
            let class = state.replace('-', "_");
            let mut wanted: Vec<String> =
                expected.iter().filter(|(_, c)| **c == class).map(|(k, _)| k.clone()).collect();
            wanted.sort();
            assert!(!wanted.is_empty(), "{state}");
            assert_eq!(sorted(&list.stdout), wanted, "{dialect:?} {state}");
        }
        let both =
            "keys list --context own --prefix p: --state missing,wrong-type --expiring-within 1s";
        let both = lab.with(&cached::definitions(), both).run().expect(0).stdout.lines().count();
        let wanted = expected.values().filter(|c| ["missing", "wrong_type"].contains(*c)).count();
        assert_eq!(both, wanted);
    }
}

const PATIENCE: Duration = Duration::from_mins(1);

/// Neither the keys nor the rows behind them are read to their end, which some never have.
#[test]
fn a_reader_that_has_enough_ends_the_list_and_the_query() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, v text); \
         INSERT INTO t SELECT n, 'v' FROM generate_series(1, 300000) n",
    );
    let endless = "SELECT a.id AS _a, b.id AS _b, a.v FROM t a CROSS JOIN t b";
    for (definitions, cached) in [
        (strategy("t", "object", "K:{id}", "SELECT id, v FROM t"), ""),
        (strategy("t", "text", "K:{_a}:{_b}", endless), ""),
        (strategy("t", "text", "K:{_a}:{_b}", endless), "--cached"),
    ] {
        let list = format!("keys list --context own {cached}");
        let mut child = lab.with(&own(&["t"], &definitions), &list).start();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        drop(out);
        let since = Instant::now();
        while child.try_wait().expect("a child").is_none() {
            if since.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("it goes on and on");
            }
            sleep(Duration::from_millis(10));
        }
        let run = finish(child).expect(0);
        assert_eq!(run.stderr, "");
        assert!(line.contains("K:"), "{line}");
        let queries = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid() AND query LIKE '%FROM t%'",
            lab.database.name()
        );
        while lab.database.query(&queries) != "0" {
            assert!(since.elapsed() < PATIENCE, "the query goes on");
            sleep(Duration::from_millis(20));
        }
    }
}

/// Whoever asks for columns has them; the others have keys, for the next command.
#[test]
fn columns_survive_a_pipe_and_keys_alone_stay_keys() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.command("warmup all -q").run().expect(0);
    let list = |arguments: &str| {
        let list = lab.command("keys list catalog").args(arguments);
        list.run().expect(0)
    };
    let columns = list("--cached").stdout;
    let plain = list("").stdout;
    for (row, key) in columns.lines().zip(plain.lines()) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [state, ttl, bytes, kind, strategy, last] = cells.as_slice() else {
            panic!("{row}");
        };
        assert_eq!((*state, *kind, *last), ("identical", "string", key));
        assert!(ttl.parse::<u64>().is_ok_and(|ttl| ttl > 60), "{row}");
        assert!(bytes.parse::<u64>().is_ok(), "{row}");
        assert!(strategy.starts_with("catalog/"), "{row}");
    }
    assert_eq!(columns.lines().count(), plain.lines().count());
    assert_eq!(list("--state identical").stdout, plain);
    assert_eq!(list("--cached -0").stdout.replace('\0', "\n"), plain);
    let none = list("--state missing,different");
    assert_eq!(
        (none.stdout.as_str(), none.stderr.as_str()),
        ("", "no key is missing or different\n")
    );
    assert_eq!(list("--pattern nothing").stderr, "there is no such key\n");
}

/// What is shown of a key says which side is which, and what to do.
#[test]
fn a_key_is_shown_with_what_to_do_about_it() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.command("warmup all -q").run().expect(0);
    let key = lab.command("keys list catalog/hot-products --limit 1");
    let key = key.run().expect(0).stdout.trim().to_owned();
    let get = |key: &str, code| {
        let get = lab.command("keys get --prefix").arg("").arg(key);
        get.run().expect(code).stdout
    };
    assert!(!get(&key, 0).contains("\nnext"));
    let next = format!("\nnext       shopwarm warmup keys {key}");
    lab.redis.cli(&["SET", &key, "{\"id\":\"old\"}"]);
    let different = get(&key, 0);
    assert!(different.contains(&next), "{different}");
    assert!(different.contains("- cached  + database"), "{different}");
    lab.redis.cli(&["DEL", &key]);
    assert!(get(&key, 0).contains(&next));
    lab.redis.cli(&["HSET", &key, "a", "b"]);
    assert!(get(&key, 0).contains(&next));
    let nowhere = get("no such key", 3);
    assert!(nowhere.contains("\nnext       shopwarm strategies"), "{nowhere}");
}

#[test]
fn memory_does_not_grow_with_the_list() {
    let lab = Lab::empty(Dialect::Sqlite);
    let numbers = "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < 1000000) \
                   SELECT id AS _id, 'v' AS v FROM s";
    let definitions = own(&["t"], &strategy("t", "text", "Key:of:some:length:{_id}", numbers));
    let mut child = lab.with(&definitions, "keys list --context own").start();
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let status = format!("/proc/{}/status", child.id());
    let (mut lines, mut early, mut late) = (0, 0, 0);
    let memory = || -> u64 {
        let status = std::fs::read_to_string(&status).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let words = line.expect("a peak").split_whitespace().nth(1);
        words.expect("kB").parse().expect("a number")
    };
    for line in out.lines() {
        line.expect("a line");
        lines += 1;
        // Its end is not read yet: it waits on a full pipe.
        match lines {
            100_000 => early = memory(),
            990_000 => late = memory(),
            _ => {}
        }
    }
    finish(child).expect(0);
    assert_eq!(lines, 1_000_000);
    assert!(late < early + 8_000, "{early} kB, then {late} kB");
}

fn get(lab: &Lab, key: &str) -> Value {
    lab.with(&cached::definitions(), "keys get -o json").arg(key).run().expect(0).json()
}

#[test]
fn a_key_is_shown_with_what_the_database_would_give() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        let redis = &lab.redis;
        let old = "{\"id\": 1, \"v\": \"old\", \"extra\": [1]}";
        redis.cli(&["SET", "O:1", old, "EX", "600"]);
        let shown = get(&lab, "O:1");
        assert_eq!(shown["strategy"], "own/objects");
        assert_eq!(shown["state"], "different");
        assert_eq!(shown["cached"]["type"], "string");
        assert_eq!(shown["cached"]["bytes"], old.len());
        let ttl = shown["cached"]["ttl_seconds"].as_u64().expect("a number");
        assert!((540..=600).contains(&ttl), "{ttl}");
        assert_eq!(shown["cached"]["value"], json!({ "id": 1, "v": "old", "extra": [1] }));
        let planned = planned("");
        assert_eq!(shown["database"]["value"], planned["O:1"].value, "{dialect:?}");
        assert_eq!(
            shown["differences"],
            json!([
                { "field": "v", "cached": "\"old\"", "database": planned["O:1"].value["v"].to_string() },
                { "field": "extra", "cached": "[1]", "database": null },
            ])
        );

        redis.cli(&["HSET", "H:2", "id", "2", "v", "old"]);
        let shown = get(&lab, "H:2");
        assert_eq!(
            (&shown["state"], &shown["cached"]["type"]),
            (&json!("different"), &json!("hash"))
        );
        assert_eq!(shown["cached"]["ttl_seconds"], -1);
        assert_eq!(shown["differences"][0]["field"], "v");
        assert_eq!(shown["database"]["value"], planned["H:2"].value);

        redis.cli(&["SET", "T:3", planned["T:3"].value.as_str().expect("a text")]);
        assert_eq!(get(&lab, "T:3")["state"], "identical");
        redis.cli(&["RPUSH", "L:4", "a"]);
        let shown = get(&lab, "L:4");
        assert_eq!(
            (&shown["state"], &shown["cached"]["type"]),
            (&json!("wrong_type"), &json!("list"))
        );
        let shown = get(&lab, "L:5");
        assert_eq!((&shown["state"], &shown["cached"]), (&json!("missing"), &Value::Null));
        assert_eq!(shown["database"]["value"], planned["L:5"].value);
        redis.cli(&["SET", "O:9999", "{}"]);
        assert_eq!(get(&lab, "O:9999")["state"], "orphan");
        redis.cli(&["SET", "else:1", "x"]);
        let shown = get(&lab, "else:1");
        assert_eq!((&shown["strategy"], &shown["database"]), (&Value::Null, &Value::Null));

        let nowhere = lab.with(&cached::definitions(), "keys get O:8888 -o json").run().expect(3);
        assert_eq!(nowhere.json()["state"], "nowhere");
    }
}

#[test]
fn a_key_may_be_given_with_its_prefix_or_without() {
    let lab = cached::lab(Dialect::Sqlite);
    for key in ["p:O:1", "O:1"] {
        let shown = lab
            .with(&cached::definitions(), "keys get --prefix p: -o json")
            .arg(key)
            .run()
            .expect(0);
        assert_eq!(
            (&shown.json()["key"], &shown.json()["state"]),
            (&json!("p:O:1"), &json!("missing"))
        );
    }
}

#[test]
fn the_raw_bytes_of_a_key_come_alone() {
    let lab = cached::lab(Dialect::Sqlite);
    let value = "{\"id\": 1,\t\"v\": \"\\u00e9\u{1b}é\"}\n\n";
    lab.redis.cli(&["SET", "O:1", value]);
    let raw = |key: &str, code: i32| {
        lab.with(&cached::definitions(), "keys get --raw").arg(key).run().expect(code)
    };
    assert_eq!(raw("O:1", 0).stdout, value);
    let nothing = raw("O:2", 3);
    assert_eq!(nothing.stdout, "");
    assert!(nothing.stderr.contains("does not have this key"), "{}", nothing.stderr);

    let embedded = Embedded::new();
    embedded.on(lab.with(&cached::definitions(), "warmup context own -q")).run().expect(0);
    let raw = embedded.on(lab.with(&cached::definitions(), "keys get --raw T:1")).run().expect(0);
    assert_eq!(raw.stdout, planned("")["T:1"].value.as_str().expect("a text"));
    // Without a database: what is cached alone.
    let raw = shopwarm("keys get --raw O:1").cache(lab.redis.url()).run().expect(0);
    assert_eq!(raw.stdout, value);
}

#[test]
fn a_terminal_sees_differences_in_colours() {
    let (lab, definitions) = of_keys(&["1"]);
    lab.redis.cli(&["SET", "K:1", "old \u{1b}[5m"]);
    let (_dir, file) = crate::support::shopwarm::file("own.toml", &definitions);
    let terminal = Terminal::new(120, 40);
    let arguments = format!("keys get K:1 --contexts {}", file.display());
    terminal.type_line(&terminal::command(&arguments, &lab.database.url(), &lab.redis.url()));
    terminal.wait_for("exit=0");
    let screen = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let has = |colour: &str, text: &str| {
        screen.lines().any(|line| line.contains(colour) && line.contains(text))
    };
    assert!(has("\x1b[31m", "- \"old"), "{screen:?}");
    assert!(has("\x1b[32m", "+ \"v\""), "{screen:?}");
    assert!(!screen.contains("\x1b[5m"), "{screen:?}");
    let piped = lab.with(&definitions, "keys get K:1").run().expect(0).stdout;
    assert!(piped.contains("- \"old") && !piped.contains('\x1b'), "{piped}");
}

/// With twenty batches in flight too.
#[test]
fn a_list_is_in_the_order_of_the_run() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        spread(&lab.redis, "");
        let list = |arguments: &str| {
            let run = lab.with(&cached::definitions(), "keys list --context own");
            run.args(arguments).run().expect(0).stdout
        };
        let mut expected: Vec<String> = (1..=cached::ROWS).map(|n| format!("O:{n}")).collect();
        let planned = planned("");
        let texts = (1..=cached::ROWS).map(|n| format!("T:{n}"));
        expected.extend(texts.filter(|key| planned.contains_key(key)));
        expected.extend((1..=cached::ROWS).map(|n| format!("H:{n}")));
        // The lists follow in the order of their keys, which is the database's own.
        let whole = list("");
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!(lines[..expected.len()], expected, "{dialect:?}");
        assert!(lines[expected.len()..].iter().all(|key| key.starts_with("L:")));
        assert_eq!(lines.len(), planned.len());
        for arguments in ["--cached", "--cached --batch-size 3 --concurrency 20", "--batch-size 1"]
        {
            let listed = list(arguments);
            let key = |line: &str| line.rsplit('\t').next().unwrap_or_default().to_owned();
            let listed: Vec<String> = listed.lines().map(key).collect();
            assert_eq!(listed, lines, "{dialect:?} {arguments}");
        }
    }
}

/// A row that makes no value costs its key, and is said.
#[test]
fn rows_that_make_no_value_are_no_keys() {
    let lab = Lab::empty(Dialect::Sqlite);
    let sql = "SELECT 1 AS id, 1.5 AS v UNION ALL SELECT 2, 9e999 UNION ALL SELECT 3, 2.5 UNION ALL SELECT NULL, 1";
    let definitions = own(&["t"], &strategy("t", "object", "K:{id}", sql));
    let run = |arguments: &str, code: i32| lab.with(&definitions, arguments).run().expect(code);
    let warmed = run("warmup context own -o json", 3);
    assert_eq!(warmed.strategy("own/t")["failed"], 2);
    let looked = run("dry-run context own -o json --exit-code", 3).strategy("own/t");
    assert_eq!((&looked["keys"], &looked["failed"]), (&json!(2), &json!(2)));
    assert_eq!(looked["errors"], warmed.strategy("own/t")["errors"]);
    let cached = run("keys list --context own --cached", 3);
    let keys = cached.stdout.lines().filter_map(|line| line.rsplit('\t').next());
    assert_eq!(keys.collect::<Vec<_>>(), ["K:1", "K:3"]);
    assert!(cached.stderr.contains("    K:2\n"), "{}", cached.stderr);
    let verified = run("verify context own -o json", 3).json()["verified"].clone();
    assert_eq!(
        (&verified["planned"], &verified["equal"], &verified["failed"]),
        (&json!(4), &json!(2), &json!(2))
    );
}

#[test]
fn what_the_cache_does_not_say_is_unknown() {
    let lab = cached::lab(Dialect::Sqlite);
    spread(&lab.redis, "");
    lab.redis.cli(&["ACL", "SETUSER", "one", "on", ">hunter2", "~*", "+ping"]);
    let url = lab.redis.url().replace("//", "//one:hunter2@");
    let run = |arguments: &str, code: i32| {
        lab.with(&cached::definitions(), arguments).cache(&url).run().expect(code)
    };
    let list = run("keys list --context own --cached -o ndjson", 0);
    let lines = objects(&list.stdout);
    assert_eq!(lines.len(), planned("").len());
    for line in lines {
        assert_eq!((&line["state"], &line["bytes"]), (&json!("unknown"), &Value::Null));
    }
    assert!(list.stderr.contains("NOPERM"), "{}", list.stderr);
    // An empty list would say that nothing is missing.
    let filtered = run("keys list --context own --state missing,different", 7);
    assert!(filtered.stderr.contains("is not known"), "{}", filtered.stderr);
    let get = run("keys get O:1", 7);
    assert!(get.stderr.contains("NOPERM") && !get.stderr.contains("hunter2"), "{}", get.stderr);
    run("keys get O:1 --raw", 7);
}

#[test]
fn json_cannot_touch_the_terminal() {
    let lab = Lab::shop(Dialect::Sqlite);
    let value = "{\"id\":\"\u{9b}31m\u{7f}\u{202e}\"}";
    lab.redis.cli(&["SET", "Product:id:1", value]);
    for form in ["json", "ndjson"] {
        let shown = lab.command("keys get Product:id:1 -o").arg(form).run().expect(0);
        let raw = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!shown.stdout.contains(raw), "{:?}", shown.stdout);
        assert_eq!(shown.json()["cached"]["value"]["id"], "\u{9b}31m\u{7f}\u{202e}");
    }
}

#[test]
fn zero_bytes_are_asked_for() {
    let lab = Lab::shop(Dialect::Sqlite);
    let run = lab.command("warmup keys -").stdin("Product:id:1\0Product:id:2\0").run().expect(2);
    assert!(run.stderr.contains("keys -0 -"), "{}", run.stderr);
}

#[test]
fn a_list_that_was_cut_short_says_so() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY, v int)");
    let definitions = own(&["t"], &strategy("t", "object", "K:{id}", "SELECT id, v FROM t"));
    let run = lab.with(&definitions, "keys list --context own -o json").run().expect(3).json();
    assert_eq!((&run["total"], &run["outcome"]), (&json!(0), &json!("incomplete")));
    assert!(run["error"].to_string().contains("too few keys"), "{run:#}");
}

#[test]
fn a_time_that_may_not_be_asked_is_not_for_ever() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.redis.cli(&["SET", "Product:id:1", "{}", "EX", "100"]);
    let permissions = ["~*", "+@all", "-pttl"];
    lab.redis.cli(&[&["ACL", "SETUSER", "one", "on", ">hunter2"], &permissions[..]].concat());
    let url = lab.redis.url().replace("//", "//one:hunter2@");
    let get = |form: &str| {
        let command = lab.command("keys get Product:id:1 -o").arg(form);
        command.cache(&url).run().expect(0)
    };
    let table = get("table").stdout;
    assert!(table.contains("not known: NOPERM"), "{table}");
    assert!(get("json").json()["cached"]["ttl_seconds"].is_null());
}

#[test]
fn a_file_of_keys_is_not_an_argument() {
    let lab = Lab::shop(Dialect::Sqlite);
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("my keys"), "Category:list:all\n").expect("a file");
    let warm = |key: &str| {
        let run = lab.command("warmup keys").arg(key).dir(dir.path()).run();
        run.expect(3).stderr
    };
    let hint = "shopwarm warmup keys - < 'my keys'";
    assert!(warm("@my keys").contains(hint), "{}", warm("@my keys"));
    assert!(!warm("@other").contains("warmup keys -"));
}
