//! JSON columns and what JSON functions make are embedded, the same bytes from every database.

use crate::support::lab::{Lab, counts, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

const EXPECTED: [(&str, &str); 8] = [
    ("column", r#"{"d":{"a":[1,null]}}"#),
    ("function", r#"{"d":{"id":1}}"#),
    ("subquery", r#"{"d":[1,2]}"#),
    ("empty", r#"{"d":[]}"#),
    ("choice", r#"{"d":{"id":1}}"#),
    ("derived", r#"{"d":{"id":1}}"#),
    ("with", r#"{"d":{"id":1}}"#),
    ("text", r#"{"d":"{\"id\":1}"}"#),
];

/// The definitions, where `object`, `array`, `list` stand for the database's functions.
fn definitions(dialect: Dialect) -> String {
    let (object, list) = match dialect {
        Dialect::Postgres => ("json_build_object", "json_agg"),
        Dialect::MySql => ("JSON_OBJECT", "JSON_ARRAYAGG"),
        Dialect::Sqlite => ("json_object", "json_group_array"),
    };
    let object = format!("{object}('id', id)");
    // SQLite's gives an empty list of no rows.
    let agg = format!("SELECT {list}(id) FROM t WHERE id");
    let of = |name: &str, sql: String| strategy(name, "object", &format!("{name}:{{_id}}"), &sql);
    let derived = format!("(SELECT id, {object} AS d FROM t) q");
    [
        of("column", "SELECT id AS _id, doc AS d FROM t WHERE id = 1".into()),
        of("function", format!("SELECT id AS _id, {object} AS d FROM t WHERE id = 1")),
        of("subquery", format!("SELECT id AS _id, ({agg} < 3) AS d FROM t WHERE id = 1")),
        of(
            "empty",
            format!("SELECT id AS _id, COALESCE(({agg} > 9), '[]') AS d FROM t WHERE id = 1"),
        ),
        of(
            "choice",
            format!(
                "SELECT id AS _id, CASE WHEN id = 1 THEN {object} END AS d FROM t WHERE id = 1"
            ),
        ),
        of("derived", format!("SELECT q.id AS _id, q.d FROM {derived} WHERE q.id = 1")),
        of(
            "with",
            format!("WITH w AS (SELECT * FROM {derived}) SELECT id AS _id, d FROM w WHERE id = 1"),
        ),
        of("text", format!("SELECT id AS _id, {object} AS d FROM t WHERE id = 1"))
            + "types = { d = \"string\" }\n",
    ]
    .concat()
}

#[test]
fn documents_are_embedded_on_every_database() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE t (id int PRIMARY KEY, doc json);
             INSERT INTO t VALUES (1, '{ \"a\": [1, null] }'), (2, NULL)",
        );
        lab.warm(&own(&["t"], &definitions(dialect))).expect(0);
        for (name, expected) in EXPECTED {
            let stored = lab.get(&format!("{name}:1"));
            // Whether there are blanks in its text is the database's business.
            let stored = match name {
                "text" => stored.replace(": ", ":").replace(" : ", ":").replace(" :", ":"),
                _ => stored,
            };
            assert_eq!(stored, expected, "{dialect:?} {name}");
        }
    }
}

/// What the text does not show, the server knows: a view, a column declared JSON further in.
#[test]
fn mariadb_says_which_column_is_a_document() {
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, doc json, plain longtext);
         INSERT INTO t VALUES (1, '{ \"a\": 1 }', '{ \"a\": 1 }'), (2, NULL, NULL);
         CREATE VIEW v AS SELECT id, doc, JSON_OBJECT('id', id) AS made, plain FROM t",
    );
    let views = strategy("v", "object", "v:{_id}", "SELECT id AS _id, doc, made, plain FROM v");
    let deep =
        "SELECT q.id AS _id, MAX(q.d) AS d FROM (SELECT id, doc AS d FROM v) q GROUP BY q.id";
    let deep = strategy("d", "hash", "d:{_id}", deep);
    let text = strategy("x", "text", "x:{_id}", "SELECT id AS _id, doc FROM t");
    let run = lab.warm(&own(&["t", "v"], &(views + &deep + &text))).expect(0);
    assert_eq!(counts(&run.strategy("own/v")), [2, 0, 0, 0]);
    assert_eq!(lab.get("v:1"), r#"{"doc":{"a":1},"made":{"id":1},"plain":"{ \"a\": 1 }"}"#);
    assert_eq!(lab.get("v:2"), r#"{"doc":null,"made":{"id":2},"plain":null}"#);
    assert_eq!(lab.redis.cli(&["HGET", "d:1", "d"]), r#"{"a":1}"#);
    assert_eq!(lab.get("x:1"), r#"{"a":1}"#);
}

/// Where a document of a table's meets a literal, the database makes a text of both.
#[test]
fn a_choice_between_a_document_and_literals_is_one() {
    let documents = [
        ("coalesce", "COALESCE(doc, '{}')"),
        ("ifnull", "IFNULL(doc, '[]')"),
        ("case", "CASE WHEN id = 1 THEN doc ELSE '[]' END"),
        ("nested", "COALESCE(CASE WHEN id > 9 THEN '[1]' ELSE doc END, '[]')"),
        (
            "derived",
            "(SELECT COALESCE(d, '[]') FROM (SELECT id AS i, doc AS d FROM t) q WHERE i = o.id)",
        ),
    ];
    let only_mysql = [
        ("if", "IF(id = 1, doc, '[]')"),
        ("quoted", "IFNULL(doc, \"[]\")"),
        ("several", "CASE id WHEN 1 THEN doc WHEN 2 THEN other ELSE '[]' END"),
        ("max", "(SELECT COALESCE(MAX(doc), '[]') FROM t WHERE t.id = o.id)"),
        ("nullif", "NULLIF(doc, '')"),
    ];
    let texts = [
        ("plain", "COALESCE(plain, '{}')"),
        ("word", "COALESCE(doc, 'none')"),
        ("mixed", "CASE WHEN id = 1 THEN doc WHEN id = 2 THEN plain ELSE '[]' END"),
        ("literal", "CASE WHEN id = 1 THEN '{}' ELSE '[]' END"),
        ("concat", "COALESCE(TRIM(doc), '[]')"),
    ];
    for dialect in [Dialect::MySql, Dialect::Sqlite] {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE t (id int PRIMARY KEY, doc json, other json, plain varchar(20));
             INSERT INTO t VALUES (1, '{\"a\":1}', '[2]', '{\"a\":1}'), (2, NULL, NULL, NULL)",
        );
        let more: &[_] = match dialect {
            Dialect::MySql => &only_mysql,
            _ => &[],
        };
        let documents: Vec<_> = documents.iter().chain(more).collect();
        let all = documents.iter().copied().chain(&texts);
        let definitions: String = all
            .map(|(name, sql)| {
                let sql = format!("SELECT id AS _id, {sql} AS d FROM t o");
                strategy(name, "object", &format!("{name}:{{_id}}"), &sql)
            })
            .collect();
        lab.warm(&own(&["t"], &definitions)).expect(0);
        for (name, sql) in documents {
            let stored = lab.get(&format!("{name}:1"));
            assert_eq!(stored, r#"{"d":{"a":1}}"#, "{dialect:?} {sql}");
            let second = lab.get(&format!("{name}:2"));
            let right = [r#"{"d":[]}"#, r#"{"d":{}}"#, r#"{"d":null}"#];
            assert!(right.contains(&second.as_str()), "{dialect:?} {sql}: {second}");
        }
        for (name, sql) in texts {
            let stored = lab.get(&format!("{name}:1"));
            assert!(stored.starts_with("{\"d\":\""), "{dialect:?} {sql}: {stored}");
        }
    }
}

#[test]
fn a_document_that_is_none_fails_by_name() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, doc JSON); INSERT INTO t VALUES (1, '{'), (2, '[]')",
    );
    let rows = strategy("t", "object", "t:{_id}", "SELECT id AS _id, doc FROM t");
    let run = lab.warm(&own(&["t"], &rows)).expect(3);
    assert_eq!(counts(&run.strategy("own/t")), [1, 0, 1, 0]);
    let error = run.strategy("own/t")["errors"][0]["error"].to_string();
    assert!(error.contains("column `doc`: invalid JSON"), "{error}");
}
