//! `doctor` looks at what the cache holds already, and at columns that are documents in strings.

use serde_json::Value;

use crate::support::lab::{Lab, own, strategy};
use crate::support::readers::{php, python};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

const SQL: &str = "SELECT id, price, at, doc FROM t";

fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, price DECIMAL(10,2), at TIMESTAMP NULL, doc TEXT);
         INSERT INTO t VALUES (1, 12.50, '2026-01-02 12:00:00', 'x'),
                              (2, 3.00, '2026-01-02 12:00:00', 'y')",
    );
    lab
}

fn of(name: &str) -> String {
    strategy(name, "object", &format!("{name}:{{id}}"), SQL)
}

/// What `doctor` says of a strategy: text and hint of each warning.
fn warnings(lab: &Lab, definitions: &str, id: &str) -> Vec<(String, String)> {
    let run = lab.with(&own(&["t"], definitions), "doctor -o json").run();
    let report = run.json();
    let checks = report["checks"].as_array().expect("checks").iter();
    let of_strategy = checks.filter(|check| check["check"] == id && check["level"] == "warning");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_strategy.map(|check| (text(&check["text"]), text(&check["hint"]))).collect()
}

#[test]
fn doctor_says_what_php_stores_there() {
    let lab = lab(Dialect::MySql);
    php(
        "foreach ([1, 2] as $id) {
             $row = ['id' => $id, 'price' => '12.50', 'at' => '2026-01-02 12:00:00', 'doc' => 'x'];
             $redis->set(\"json:$id\", json_encode($row));
             $redis->set(\"serialized:$id\", serialize(['id' => $id, 'price' => 12.5]));
             $redis->set(\"objects:$id\", serialize((object) $row));
             $redis->set(\"igbinary:$id\", igbinary_serialize($row));
             $redis->set(\"gzip:$id\", gzencode(serialize(['id' => $id])));
             $redis->set(\"zlib:$id\", gzcompress(serialize(['id' => $id])));
         }
         echo 'null';",
        "",
        Some(&lab.redis),
    );
    let names = ["json", "serialized", "objects", "igbinary", "gzip", "zlib"];
    let definitions = names.map(of).concat();
    for (name, text, hint) in [
        (
            "json",
            "2 of 2 values in the cache have numbers as strings (price); 2 of 2 values in the cache \
             have dates as SQL prints them",
            "add types = { price = \"string\" }; add dates = \"sql\"",
        ),
        (
            "serialized",
            "2 of 2 values in the cache are PHP-serialized; this definition writes JSON",
            "add format = \"php\"",
        ),
        (
            "objects",
            "2 of 2 values in the cache are serialized PHP objects; this definition writes JSON",
            "shopwarm does not write that",
        ),
        ("igbinary", "2 of 2 values in the cache are igbinary;", "shopwarm does not write that"),
        (
            "gzip",
            "2 of 2 values in the cache are compressed with gzip; 2 of 2 values in the cache are \
             PHP-serialized",
            "add compress = \"gzip\"; add format = \"php\"",
        ),
        (
            "zlib",
            "2 of 2 values in the cache are compressed with zlib",
            "shopwarm writes gzip, zstd and lz4; add format = \"php\"",
        ),
    ] {
        let said = warnings(&lab, &definitions, &format!("own/{name}"));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].0.starts_with(text), "{said:?}");
        let end = "values from before a change of the definition are replaced by the next run";
        assert!(said[0].1.starts_with(hint) && said[0].1.ends_with(end), "{said:?}");
    }
    // The lines that were to be added are enough.
    let definitions = [
        of("json") + "types = { price = \"string\" }\ndates = \"sql\"\n",
        of("serialized") + "format = \"php\"\n",
        of("gzip") + "format = \"php\"\ncompress = \"gzip\"\n",
    ];
    for name in ["json", "serialized", "gzip"] {
        let said = warnings(&lab, &definitions.concat(), &format!("own/{name}"));
        assert_eq!(said, [], "{name}");
    }
}

#[test]
fn doctor_says_what_python_stores_there() {
    let lab = lab(Dialect::Postgres);
    python(
        "import pickle, msgpack, zstandard, lz4.frame, time
row = {'id': '1', 'price': '12.50'}
cache.set('pickle:1', pickle.dumps(row))
cache.set('pack:1', msgpack.packb(row))
cache.set('zstd:1', zstandard.compress(json.dumps({'id': 1, 'at': 1767355200}).encode()))
cache.set('lz4:1', lz4.frame.compress(b'{}'))
cache.set('envelope:1', json.dumps({'value': {'id': 1, 'price': 1, 'at': None, 'doc': ''}, 'expires': 1}))
cache.set('class:1', json.dumps({'@class': 'shop.Product', 'id': 1}))
cache.hset('hash:1', mapping=row)
cache.set('other:77', msgpack.packb(row))
print('null')",
        "",
        Some(&lab.redis),
    );
    let names = ["pickle", "pack", "zstd", "lz4", "envelope", "class", "hash", "other", "none"];
    let definitions = names.map(of).concat();
    for (name, text, hint) in [
        ("pickle", "are a Python pickle; this", "shopwarm does not write that"),
        ("pack", "are MessagePack; this", "add format = \"msgpack\"; add numbers = \"string\""),
        ("zstd", "are compressed with zstd", "add compress = \"zstd\"; add dates = \"unix\""),
        ("lz4", "are compressed with lz4", "add compress = \"lz4\""),
        ("envelope", "are in an envelope, at `value`", "build the envelope in the query"),
        ("class", "name their class in `@class`", "add fields = { \"@class\" = \"shop.Product\" }"),
        ("hash", "are of the type hash, not string", "add value = \"hash\""),
        // None of the first rows has its key there; others of the strategy have.
        ("other", "are MessagePack; this", "add format = \"msgpack\""),
    ] {
        let said = warnings(&lab, &definitions, &format!("own/{name}"));
        assert_eq!(said.len(), 1, "{name}: {said:?}");
        let text = format!("1 of 1 values in the cache {text}");
        assert!(said[0].0.starts_with(&text), "{said:?}");
        assert!(said[0].1.starts_with(hint), "{said:?}");
    }
    assert_eq!(warnings(&lab, &definitions, "own/none"), []);
}

#[test]
fn doctor_finds_documents_that_are_stored_as_strings() {
    for dialect in DIALECTS {
        let lab = lab(dialect);
        lab.database.sql(
            "UPDATE t SET doc = '[{\"a\": 1}]' WHERE id = 1; UPDATE t SET doc = NULL WHERE id = 2",
        );
        let said = warnings(&lab, &of("x"), "own/x");
        assert_eq!(
            said,
            [(
                "each sampled text of doc is a JSON document, and is stored as a string".to_owned(),
                "add types = { doc = \"json\" } to embed it, or types = { doc = \"string\" } if readers \
                 want a string"
                    .to_owned()
            )],
            "{dialect:?}"
        );
        for hint in ["json", "string"] {
            let typed = of("x") + &format!("types = {{ doc = \"{hint}\" }}\n");
            assert_eq!(warnings(&lab, &typed, "own/x"), []);
        }
        lab.database.sql("UPDATE t SET doc = 'plain' WHERE id = 2");
        assert_eq!(warnings(&lab, &of("x"), "own/x"), []);
    }
}
