//! `numbers`, `dates` and `fields`: values as a shop's own reader expects them.

use serde_json::json;

use crate::support::lab::{Lab, counts, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

const SQL: &str = "SELECT id, price, day, at, flag, doc FROM t";

/// A table with a price, a day, a moment and a document.
fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    let (moment, zone) = match dialect {
        Dialect::MySql => ("DATETIME(6)", ""),
        Dialect::Postgres | Dialect::Sqlite => ("TIMESTAMPTZ", "+00:00"),
    };
    lab.database.sql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, price DECIMAL(10,2), day DATE, at {moment}, flag boolean, doc json);
         INSERT INTO t VALUES (1, 12.50, '2026-01-02', '2026-01-02 12:00:00{zone}', true, '{{\"n\": [1, \"2\"]}}'),
                              (2, 3.00, NULL, '2026-01-02 12:00:00.5{zone}', false, NULL)"
    ));
    lab
}

fn of(shape: &str, more: &str) -> String {
    own(&["t"], &(strategy("x", shape, "x:{id}", SQL) + more + "\n"))
}

/// A boolean is a number to MariaDB.
fn flag(dialect: Dialect, style: &str) -> &'static str {
    match (dialect, style) {
        (Dialect::MySql, "string") => "\"1\"",
        (Dialect::MySql, _) => "1",
        _ => "true",
    }
}

#[test]
fn numbers_are_strings_where_the_reader_has_them_so() {
    for dialect in DIALECTS {
        let lab = lab(dialect);
        let some = "numbers = \"string\"\ntypes = { id = \"number\" }";
        lab.warm(&of("object", some)).expect(0);
        let flag = flag(dialect, "string");
        let stored = lab.get("x:1");
        let (start, end) = stored.split_once("\"at\":\"2026-01-02T12:00:00").expect("a moment");
        assert_eq!(start, "{\"id\":1,\"price\":\"12.50\",\"day\":\"2026-01-02\",", "{dialect:?}");
        let expected = format!("\"flag\":{flag},\"doc\":{{\"n\":[\"1\",\"2\"]}}}}");
        assert!(end.ends_with(&expected), "{dialect:?} {stored}");
        let verified = lab.with(&of("object", some), "verify all -o json").run().expect(0);
        assert_eq!(verified.json()["totals"]["identical"], 2);
    }
}

#[test]
fn dates_are_as_in_sql_or_seconds() {
    for dialect in DIALECTS {
        let lab = lab(dialect);
        let flag = flag(dialect, "");
        for (dates, day, first, second) in [
            ("sql", "\"2026-01-02\"", "\"2026-01-02 12:00:00\"", "\"2026-01-02 12:00:00.500000\""),
            ("unix", "1767312000", "1767355200", "1767355200.500000"),
        ] {
            let definitions = of("object", &format!("dates = \"{dates}\""));
            lab.warm(&definitions).expect(0);
            let expected = format!(
                "{{\"id\":1,\"price\":12.50,\"day\":{day},\"at\":{first},\"flag\":{flag},\"doc\":{{\"n\":[1,\"2\"]}}}}"
            );
            assert_eq!(lab.get("x:1"), expected, "{dialect:?}");
            assert!(
                lab.get("x:2").contains(&format!("\"day\":null,\"at\":{second},")),
                "{dialect:?}"
            );
            let verified = lab.with(&definitions, "verify all -o json").run().expect(0);
            assert_eq!(verified.json()["totals"]["identical"], 2);
        }
        lab.redis.cli(&["FLUSHALL"]);
        lab.warm(&of("hash", "dates = \"sql\"")).expect(0);
        assert_eq!(lab.redis.cli(&["HGET", "x:1", "at"]), "2026-01-02 12:00:00", "{dialect:?}");
    }
}

/// A date in a key, or a version, is what it was: other keys would be other entries.
#[test]
fn keys_and_versions_keep_their_form() {
    let lab = lab(Dialect::Postgres);
    let sql = "SELECT day, id, at, at AS _version FROM t WHERE id = 1";
    let one =
        strategy("d", "object", "d:{day}:{id}", sql) + "dates = \"unix\"\nnumbers = \"string\"\n";
    lab.warm(&own(&["t"], &one)).expect(0);
    let expected = "{\"day\":\"1767312000\",\"id\":\"1\",\"at\":\"1767355200\"}";
    assert_eq!(lab.get("d:2026-01-02:1"), expected);
    let report = lab.warm_keys(&own(&["t"], &one), &["d:2026-01-02:1"]).expect(0);
    assert_eq!(counts(&report.strategy("own/d")), [1, 0, 0, 0]);
}

#[test]
fn constant_fields_come_first() {
    let lab = lab(Dialect::MySql);
    let fields = "fields = { \"@class\" = \"com.shop.Product\", schema = 2, beta = false }";
    lab.warm(&of("object", fields)).expect(0);
    let start = "{\"@class\":\"com.shop.Product\",\"beta\":false,\"schema\":2,\"id\":1,";
    let stored = lab.get("x:1");
    assert!(stored.starts_with(start), "{stored}");
    let list = of("list", fields).replace("x:{id}", "x:all") + "order_by = \"id\"\n";
    lab.warm(&list).expect(0);
    let stored = lab.get("x:all");
    assert!(stored.starts_with(&format!("[{start}")), "{stored}");
    assert_eq!(stored.matches("@class").count(), 2);
    lab.redis.cli(&["FLUSHALL"]);
    lab.warm(&of("hash", fields)).expect(0);
    assert_eq!(
        lab.redis.cli(&["HMGET", "x:1", "@class", "schema", "beta"]),
        "com.shop.Product\n2\nfalse"
    );
    let verified = lab.with(&of("hash", fields), "verify all -o json").run().expect(0);
    assert_eq!(verified.json()["totals"]["identical"], 2);
}

#[test]
fn fields_that_cannot_be_are_errors_of_the_definition() {
    let lab = lab(Dialect::Sqlite);
    for (shape, fields, expected) in [
        ("object", "{ price = 1 }", "fields: it names price, which is a column"),
        ("object", "{ a = [1] }", "fields: `a` is not a string"),
        ("object", "{ a = nan }", "fields: `a` is not a string"),
        ("text", "{ a = 1 }", "fields: a `text` value has no fields"),
    ] {
        let run = lab.warm(&of(shape, &format!("fields = {fields}"))).expect(4);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    }
    let day = of("object", "fields = { day0 = 2026-01-02 }");
    lab.warm(&day).expect(0);
    assert!(lab.get("x:1").starts_with("{\"day0\":\"2026-01-02\","));
}

/// Another style is another value: what has not changed in the database has changed in the cache.
#[test]
fn another_style_is_read_whole_again() {
    let lab = lab(Dialect::Postgres);
    let sql = "SELECT id, price, at AS _changed_at, at AS _version FROM t";
    let plain = own(&["t"], &strategy("c", "object", "c:{id}", sql));
    let warm = |definitions: &str| {
        let run = lab.with(definitions, "warmup all --changed -o json").run();
        run.expect(0).strategy("own/c")
    };
    warm(&plain);
    assert_eq!(warm(&plain)["read"], json!("changed"));
    for more in ["numbers = \"string\"\n", "format = \"php\"\n", "compress = \"gzip\"\n"] {
        let styled = plain.clone() + more;
        assert_ne!(warm(&styled)["read"], json!("changed"), "{more}");
        assert_eq!(warm(&styled)["read"], json!("changed"), "{more}");
    }
}
