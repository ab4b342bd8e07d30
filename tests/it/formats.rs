//! `format = "php"`: what PHP reads, and what PHP would have written.

use std::fmt::Write as _;

use fastrand::Rng;
use serde_json::{Value, json};
use shopwarm::domain::coding::{Coding, Format};

use crate::support::cached::Embedded;
use crate::support::lab::{Lab, counts, errors, own, strategy};
use crate::support::readers::php;
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

const PHP: &str = "format = \"php\"\n";

/// A JSON text of random shape, with numbers, names and characters that are easy to get wrong.
fn random_json(random: &mut Rng, depth: u32) -> String {
    let words = ["", "0", "-0", "7", "007", "-12", "1.5", "käse", "\\u0000a", "\\\"", "🙂", "x y"];
    let word = |random: &mut Rng| format!("\"{}\"", random.choice(words).expect("a word"));
    match random.u32(..if depth == 0 { 6 } else { 8 }) {
        0 => "null".to_owned(),
        1 => random.bool().to_string(),
        2 => random.i64(..).to_string(),
        3 => format!("{:e}", f64::from_bits(random.u64(..)).abs().min(f64::MAX)),
        4 => format!("{}.{:02}", random.i32(-1000..1000), random.u32(..100)),
        5 => word(random),
        6 => {
            let items = (0..random.u32(..4)).map(|_| random_json(random, depth - 1));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        _ => {
            let fields = (0..random.u32(..5)).map(|_| {
                let name = word(random);
                format!("{name}:{}", random_json(random, depth - 1))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[test]
fn php_would_have_written_the_same_bytes() {
    let coding = Coding::from(Format::Php);
    let mut random = Rng::with_seed(7);
    let mut texts: Vec<String> = (0..3000).map(|_| random_json(&mut random, 4)).collect();
    // Where PHP changes to powers of ten, and the ends of what it holds.
    texts.extend((-330..309).map(|power| format!("1.25e{power}")));
    texts.extend(
        ["1e15", "1e16", "1e17", "1e18", "123456789012345680.0", "0.0001", "-0"].map(str::to_owned),
    );
    texts.extend([i64::MIN, i64::MAX].map(|number| format!("{{\"{number}\":{number}}}")));
    let mut lines = String::new();
    let mut written = 0;
    for text in &texts {
        let mut bytes = Vec::new();
        if coding.encode(text.as_bytes(), &mut bytes).is_ok() {
            written += 1;
            let _ = writeln!(lines, "{}\t{}", hex(text.as_bytes()), hex(&bytes));
        }
    }
    assert!(written > 3000, "{written}");
    let wrong = php(
        "$wrong = [];
         foreach (explode(\"\\n\", trim($in)) as $line) {
             [$json, $ours] = array_map('hex2bin', explode(\"\\t\", $line));
             $value = json_decode($json, true);
             $back = unserialize($ours);
             if (serialize($value) !== $ours || serialize($back) !== $ours) {
                 $wrong[] = [$json, serialize($value), $ours];
             }
         }
         echo json_encode($wrong);",
        &lines,
        None,
    );
    assert_eq!(wrong, json!([]));
}

/// A table with a price, a document and a list's children.
fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2), doc json);
         INSERT INTO t VALUES (1, 'Käse \"x\"', 12.50, '{\"a\": [1, 2.50, null], \"7\": {}}'),
                              (2, NULL, 3.00, NULL);
         CREATE TABLE c (id int PRIMARY KEY, parent int, label VARCHAR(20));
         INSERT INTO c VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')",
    );
    lab
}

fn definitions() -> String {
    let price = "SELECT id, name, price, doc FROM t";
    let strategies = [
        strategy("object", "object", "o:{id}", price),
        strategy(
            "list",
            "list",
            "l:{_parent}",
            "SELECT parent AS _parent, id AS _id, label FROM c",
        ) + "order_by = \"_id\"\n",
        strategy("text", "text", "t:{_id}", "SELECT id AS _id, name FROM t"),
        strategy("doc", "text", "d:{_id}", "SELECT id AS _id, doc FROM t"),
    ];
    own(&["t", "c"], &strategies.map(|one| one + PHP).concat())
}

#[test]
fn php_reads_what_was_warmed_from_every_database() {
    for dialect in DIALECTS {
        let lab = lab(dialect);
        lab.warm(&definitions()).expect(0);
        let read = php(
            "$all = [];
             foreach ($redis->keys('*') as $key) {
                 if (!str_contains($key, 'shopwarm:')) $all[$key] = unserialize($redis->get($key));
             }
             ksort($all);
             echo json_encode($all, JSON_UNESCAPED_UNICODE);",
            "",
            Some(&lab.redis),
        );
        assert_eq!(
            read,
            json!({
                "d:1": {"a": [1, 2.5, null], "7": []},
                "l:1": ["a", "b"],
                "l:2": ["c"],
                "o:1": {"id": 1, "name": "Käse \"x\"", "price": 12.5,
                        "doc": {"a": [1, 2.5, null], "7": []}},
                "o:2": {"id": 2, "name": null, "price": 3, "doc": null},
                "t:1": "Käse \"x\"",
            }),
            "{dialect:?}"
        );
        let verified = lab.with(&definitions(), "verify all -o json").run().expect(0);
        assert_eq!(verified.json()["totals"]["identical"], 6, "{dialect:?}");
    }
}

#[test]
fn what_php_wrote_is_compared_by_its_meaning() {
    let lab = lab(Dialect::MySql);
    lab.warm(&definitions()).expect(0);
    // The same in another order of fields and with a float for a price; then another price.
    let set = "$value = unserialize($redis->get('o:1')); $value = array_reverse($value, true);
               $redis->set('o:1', serialize($value), 7200);
               $value = unserialize($redis->get('o:2')); $value['price'] = '3.00';
               $redis->set('o:2', serialize($value), 7200);
               echo 'null';";
    php(set, "", Some(&lab.redis));
    let dry = lab.with(&definitions(), "dry-run strategy own/object -o json").run();
    let classes = &dry.expect(0).json()["totals"];
    assert_eq!((&classes["identical"], &classes["different"]), (&json!(1), &json!(1)));
    let get = |key: &str| {
        let run = lab.with(&definitions(), "keys get -o json").arg(key).run();
        run.expect(0).json()
    };
    assert_eq!(get("o:1")["state"], "identical");
    let other = get("o:2");
    assert_eq!(other["state"], "different");
    assert_eq!(other["cached"]["value"]["price"], "3.00");
    assert_eq!(other["cached"]["format"], "PHP");
    assert_eq!(other["differences"][0]["field"], "price");
    let shown = lab.with(&definitions(), "keys get o:1").run().expect(0).stdout;
    assert!(shown.contains("string (PHP), "), "{shown}");
    assert!(shown.contains("\"name\": \"Käse \\\"x\\\"\""), "{shown}");
    // JSON where PHP belongs would be seen by every reader.
    lab.redis.cli(&["SET", "o:1", "{\"id\":1}"]);
    let refused = lab.with(&definitions(), "warmup all --shape fail -o json").run();
    let error = refused.expect(3).strategy("own/object")["error"].to_string();
    assert!(
        error.contains("a value that is not PHP would be replaced with PHP, for example at o:1"),
        "{error}"
    );
    let shown = lab.with(&definitions(), "keys get o:1").run().stdout;
    assert!(shown.contains("string (JSON, not PHP), "), "{shown}");
    // What no strategy makes is read as its bytes tell.
    lab.redis.cli(&["SET", "foreign", "a:1:{s:1:\"a\";i:1;}"]);
    let shown = lab.with(&definitions(), "keys get foreign").run().stdout;
    assert!(shown.contains("string (PHP), ") && shown.contains("\"a\": 1"), "{shown}");
}

#[test]
fn identical_and_changed_values_are_found_in_any_format() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql(
        "CREATE TABLE p (id int PRIMARY KEY, name text, changed timestamptz, version int);
         INSERT INTO p SELECT i, repeat('x', 200), now() - interval '1 day', 1
         FROM generate_series(1, 50) i",
    );
    let sql = "SELECT id, name, version AS _version, changed AS _changed_at FROM p";
    let definitions = own(&["p"], &(strategy("p", "object", "p:{id}", sql) + PHP));
    let warm = |arguments: &str| {
        let run = lab.with(&definitions, "warmup all -o json").args(arguments);
        run.run().expect(0).strategy("own/p")
    };
    assert_eq!(counts(&warm("")), [50, 0, 0, 0]);
    assert_eq!(warm("--skip-identical")["identical"], 50);
    lab.database.sql("UPDATE p SET name = 'new', version = 2, changed = now() WHERE id = 7");
    let changed = warm("--changed");
    assert_eq!((&changed["read"], &changed["unchanged"]), (&json!("changed"), &json!(49)));
    assert_eq!(lab.get("p:7"), "a:2:{s:2:\"id\";i:7;s:4:\"name\";s:3:\"new\";}");
}

#[test]
fn what_php_cannot_hold_fails_by_name() {
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql(
        "CREATE TABLE b (id int PRIMARY KEY, n BIGINT UNSIGNED, d DECIMAL(30,10));
         INSERT INTO b VALUES (1, 18446744073709551615, 1), (2, 1, 12345678901234567890.5),
                              (3, 9223372036854775807, 0.1)",
    );
    let sql = "SELECT id, n, d FROM b";
    let run = lab.warm(&own(&["b"], &(strategy("b", "object", "b:{id}", sql) + PHP)));
    let report = run.expect(3).strategy("own/b");
    assert_eq!(counts(&report), [1, 0, 2, 0]);
    let errors = errors(&report);
    assert!(errors[0].starts_with("b:1: n: 18446744073709551615 does not fit"), "{errors:?}");
    assert!(errors[1].starts_with("b:2: d: 12345678901234567890.5"), "{errors:?}");
    assert!(lab.get("b:3").contains("i:9223372036854775807;s:1:\"d\";d:0.1;"));
}

#[test]
fn what_does_not_go_with_a_format_is_said_before_the_run() {
    let lab = Lab::things(Dialect::Sqlite);
    let sql = "SELECT id, name FROM things";
    for (shape, more, expected) in [
        ("hash", "", "format: only for a value that Redis keeps"),
        ("object", "version_field = \"id\"\n", "version_field: the cache can compare versions"),
    ] {
        let one = strategy("x", shape, "x:{id}", sql) + PHP + more;
        let run = lab.warm(&own(&["things"], &one)).expect(4);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    }
    assert_eq!(lab.keys(), Vec::<String>::new());
}

#[test]
fn the_embedded_cache_and_strategies_in_code_have_formats_too() {
    let lab = Lab::shop(Dialect::Sqlite);
    let cache = Embedded::new();
    let definitions = "extends = \"shipped\"\n[context]\nname = \"catalog\"\n\
                       [strategies.category-tree]\nformat = \"php\"\n";
    let run = |arguments: &str| cache.on(lab.with(definitions, arguments)).run().expect(0);
    run("warmup strategy catalog/category-tree");
    let stored = run("keys get Category:tree:root --raw").stdout;
    assert!(stored.starts_with("a:"), "{stored}");
    let read = php("echo json_encode(is_array(unserialize($in)));", &stored, None);
    assert_eq!(read, Value::Bool(true));
    let verified = run("verify strategy catalog/category-tree -o json").json();
    assert_eq!(verified["totals"]["identical"], 1);
}
