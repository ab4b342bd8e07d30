//! `compress`, and `format = "msgpack"`: what others read, and what they would have written.

use std::fmt::Write as _;

use serde_json::{Value, json};
use shopwarm::domain::coding::{Coding, Format};
use shopwarm::domain::json_equality::equal;

use crate::support::cached::Embedded;
use crate::support::lab::{Lab, counts, errors, own, strategy};
use crate::support::readers::{node, php, python};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

/// A table with a short and a long value.
fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    let long = "Käse ".repeat(1000);
    lab.database.sql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, price DECIMAL(10,2), doc json, body TEXT);
         INSERT INTO t VALUES (1, 12.50, '{{\"a\": [1, 2.50, null]}}', 'x'), (2, 3.00, NULL, '{long}')"
    ));
    lab
}

fn one(name: &str, more: &str) -> String {
    let sql = "SELECT id, price, doc, body FROM t";
    strategy(name, "object", &format!("{name}:{{id}}"), sql) + more + "\n"
}

/// A strategy for each way.
fn definitions() -> String {
    own(
        &["t"],
        &[
            one("gzip", "compress = \"gzip\""),
            one("zstd", "compress = \"zstd\""),
            one("lz4", "compress = \"lz4\""),
            one("some", "compress = \"gzip\"\ncompress_from = \"1KiB\""),
            one("pack", "format = \"msgpack\""),
            one("both", "format = \"msgpack\"\ncompress = \"zstd\""),
            one("php", "format = \"php\"\ncompress = \"gzip\""),
            strategy("text", "text", "text:{_id}", "SELECT id AS _id, body FROM t")
                + "compress = \"zstd\"\n",
        ]
        .concat(),
    )
}

#[test]
fn python_reads_every_frame_from_every_database() {
    for dialect in DIALECTS {
        let lab = lab(dialect);
        lab.warm(&definitions()).expect(0);
        let read = python(
            "import gzip, zstandard, lz4.frame, msgpack
zstd = lambda b: zstandard.ZstdDecompressor().decompress(b)
readers = {
    'gzip': lambda b: json.loads(gzip.decompress(b)),
    'zstd': lambda b: json.loads(zstd(b)),
    'lz4': lambda b: json.loads(lz4.frame.decompress(b)),
    'some': lambda b: json.loads(gzip.decompress(b) if b[:2] == b'\\x1f\\x8b' else b),
    'pack': msgpack.unpackb,
    'both': lambda b: msgpack.unpackb(zstd(b)),
    'text': lambda b: zstd(b).decode(),
}
out = {}
for name, read in readers.items():
    out[name] = [read(cache.get(f'{name}:{id}')) for id in (1, 2)]
out['short'] = cache.get('some:1').decode()
out['packed'] = all(cache.strlen(f'{name}:2') < 500 for name in readers if name != 'pack')
print(json.dumps(out))",
            "",
            Some(&lab.redis),
        );
        let long = "Käse ".repeat(1000);
        let rows = json!([
            {"id": 1, "price": 12.5, "doc": {"a": [1, 2.5, null]}, "body": "x"},
            {"id": 2, "price": 3.0, "doc": null, "body": long},
        ]);
        for name in ["gzip", "zstd", "lz4", "some", "pack", "both"] {
            assert_eq!(read[name], rows, "{dialect:?} {name}");
        }
        assert_eq!(read["text"], json!(["x", long]), "{dialect:?}");
        assert!(
            read["short"]
                .as_str()
                .is_some_and(|text| text.starts_with("{\"id\":1,\"price\":12.50"))
        );
        assert_eq!(read["packed"], true, "{dialect:?}");
        let verified = lab.with(&definitions(), "verify all -o json").run().expect(0);
        assert_eq!(verified.json()["totals"]["identical"], 16, "{dialect:?}");
    }
}

#[test]
fn php_and_node_read_what_they_have_functions_for() {
    let lab = lab(Dialect::Postgres);
    lab.warm(&definitions()).expect(0);
    let script = "echo json_encode([
        unserialize(gzdecode($redis->get('php:1'))), bin2hex($redis->get('gzip:1')),
    ]);";
    let read = php(script, "", Some(&lab.redis));
    let first = json!({"id": 1, "price": 12.5, "doc": {"a": [1, 2.5, null]}, "body": "x"});
    assert_eq!(read[0], first);
    let hex = read[1].as_str().expect("bytes");
    let script = "console.log(require('zlib').gunzipSync(Buffer.from(given, 'hex')).toString())";
    assert!(equal(&node(script, hex), &first));
}

#[test]
fn python_would_have_written_the_same_messages() {
    let mut texts: Vec<String> =
        ["null", "true", "[]", "{}", "\"\"", "1.5", "-0.0", "1e300"].map(str::to_owned).to_vec();
    for power in 0..63 {
        for off in [-1, 0, 1] {
            let number = (1_i64 << power) + off;
            texts.extend([number, -number].map(|n| n.to_string()));
        }
    }
    texts.extend([i64::MIN.to_string(), u64::MAX.to_string()]);
    for length in [15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        texts.push(format!("\"{}\"", "x".repeat(length)));
        texts.push(format!("[{}1]", "1,".repeat(length)));
        let fields: Vec<String> = (0..length).map(|n| format!("\"{n}\":{n}")).collect();
        texts.push(format!("{{{}}}", fields.join(",")));
    }
    let coding = Coding::from(Format::Msgpack);
    let mut lines = String::new();
    for text in &texts {
        let mut bytes = Vec::new();
        coding.encode(text.as_bytes(), &mut bytes).expect(text);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(lines, "{text}\t{hex}");
        let read = coding.decode(&bytes).expect(text);
        let expected: Value = serde_json::from_str(text).expect("JSON");
        assert!(equal(&read, &expected), "{text}");
    }
    let wrong = python(
        "import msgpack
wrong = []
for line in given.splitlines():
    text, ours = line.split('\\t')
    if msgpack.packb(json.loads(text)).hex() != ours: wrong.append(text[:100])
print(json.dumps(wrong))",
        &lines,
        None,
    );
    assert_eq!(wrong, json!([]));
}

#[test]
fn what_others_compressed_is_compared_by_its_meaning() {
    let lab = lab(Dialect::Sqlite);
    let definitions = definitions();
    lab.warm(&definitions).expect(0);
    python(
        "import gzip, zstandard, msgpack
def again(key, unpack, pack):
    value = unpack(cache.get(key))
    cache.set(key, pack(dict(reversed(value.items()))), ex=7200)
again('gzip:2', lambda b: json.loads(gzip.decompress(b)), lambda v: gzip.compress(json.dumps(v).encode(), 1))
again('both:2', lambda b: msgpack.unpackb(zstandard.ZstdDecompressor().decompress(b)),
      lambda v: zstandard.ZstdCompressor(9).compress(msgpack.packb(v)))
again('zstd:2', lambda b: json.loads(zstandard.ZstdDecompressor().decompress(b)), lambda v: gzip.compress(json.dumps(v).encode()))
print('null')",
        "",
        Some(&lab.redis),
    );
    let dry = lab.with(&definitions, "dry-run all -o json").run().expect(0);
    let totals = &dry.json()["totals"];
    // Gzip is nothing that a reader of zstd can read.
    let classes = ["identical", "different"].map(|class| totals[class].as_u64());
    assert_eq!(classes, [Some(15), Some(1)]);
    let shown = lab.with(&definitions, "keys get -v both:2").run().expect(0).stdout;
    assert!(shown.contains("string (MessagePack, zstd), "), "{shown}");
    assert!(shown.contains("\"price\": 3.0"), "{shown}");
    let skipped = lab.with(&definitions, "warmup all --skip-identical -o json").run().expect(0);
    assert_eq!(counts(&skipped.json()["totals"]), [16, 0, 0, 0]);
    let verified = lab.with(&definitions, "verify all -o json").run().expect(0);
    assert_eq!(verified.json()["totals"]["identical"], 16);
}

#[test]
fn the_embedded_cache_keeps_frames_too() {
    let lab = lab(Dialect::Sqlite);
    let cache = Embedded::new();
    let run = |arguments: &str| cache.on(lab.with(&definitions(), arguments)).run().expect(0);
    run("warmup all");
    let verified = run("verify all -o json").json();
    assert_eq!(verified["totals"]["identical"], 16);
    let shown = run("keys get -o json gzip:1").json();
    assert_eq!(
        (&shown["state"], &shown["cached"]["value"]["body"]),
        (&json!("identical"), &json!("x"))
    );
}

#[test]
fn what_messagepack_cannot_hold_fails_by_name() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql(
        "CREATE TABLE b (id int PRIMARY KEY, n numeric, doc jsonb);
         INSERT INTO b VALUES (1, 18446744073709551615, NULL), (2, 18446744073709551616, NULL),
                              (3, 0.1, '{\"a\": [0.1000000000000000055511]}')",
    );
    let all =
        strategy("b", "object", "b:{id}", "SELECT id, n, doc FROM b") + "format = \"msgpack\"\n";
    let report = lab.warm(&own(&["b"], &all)).expect(3).strategy("own/b");
    assert_eq!(counts(&report), [1, 0, 2, 0]);
    let errors = errors(&report);
    assert!(errors[0].starts_with("b:2: n: 18446744073709551616 does not fit"), "{errors:?}");
    assert!(errors[1].starts_with("b:3: doc.a[0]: 0.1000000000000000055511"), "{errors:?}");
    // Digits that are a string are all kept.
    let all = all + "numbers = \"string\"\n";
    let report = lab.warm(&own(&["b"], &all)).expect(0).strategy("own/b");
    assert_eq!(counts(&report), [3, 0, 0, 0]);
}

#[test]
fn what_does_not_go_with_compression_is_said_before_the_run() {
    let lab = Lab::things(Dialect::Sqlite);
    let sql = "SELECT id, name FROM things";
    for (shape, more, expected) in [
        ("hash", "compress = \"gzip\"", "compress: only for a value that Redis keeps"),
        ("object", "compress_from = 10", "compress_from: nothing is compressed"),
        (
            "object",
            "compress = \"lz4\"\nversion_field = \"id\"",
            "version_field: the cache can compare versions only in plain JSON; leave out `compress`",
        ),
        ("object", "compress = \"brotli\"", "unknown value `brotli`: use one of "),
    ] {
        let one = strategy("x", shape, "x:{id}", sql) + more;
        let run = lab.warm(&own(&["things"], &one)).expect(4);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    }
    assert_eq!(lab.keys(), Vec::<String>::new());
}
