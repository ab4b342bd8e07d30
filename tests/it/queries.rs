//! What is made of a definition's SQL: an order by its columns, a WITH that is no slower for it, and
//! faults that are told where they were written.

use serde_json::Value;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::shopwarm;

/// A table with columns that need quotes, and rows in no order.
fn pages(dialect: Dialect) -> (Lab, String) {
    let lab = Lab::empty(dialect);
    let quote = |name: &str| match dialect {
        Dialect::MySql => format!("`{name}`"),
        Dialect::Postgres | Dialect::Sqlite => format!("\"{name}\""),
    };
    let [language, order, key] = ["languageCode", "order", "key"].map(quote);
    lab.database.sql(&format!(
        "CREATE TABLE pages (id INTEGER, {language} VARCHAR(5), {order} INTEGER NULL, {key} VARCHAR(5));
         INSERT INTO pages VALUES (1, 'de', 2, 'b'), (2, 'en', NULL, 'a'), (3, 'de', 7, 'c'),
             (4, 'de', NULL, 'd'), (5, 'en', 7, 'e')"
    ));
    let sql = format!("SELECT id AS n, {language}, {order}, {key} FROM pages");
    (lab, sql)
}

#[test]
fn an_order_names_columns_as_the_query_has_them() {
    for dialect in DIALECTS {
        let (lab, sql) = pages(dialect);
        let lists = |order_by: &str| {
            let lists = strategy("pages", "list", "L:{languageCode}", &sql);
            own(&["pages"], &format!("{lists}order_by = {}\n", Value::from(order_by)))
        };
        let numbers = |key: &str| {
            let list: Value = serde_json::from_str(&lab.get(key)).expect("JSON");
            let rows = list.as_array().expect("a list").iter();
            rows.map(|row| row["n"].as_i64().expect("a number")).collect::<Vec<_>>()
        };
        for (order_by, expected) in [
            ("order DESC NULLS LAST, key", [3, 1, 4]),
            ("ORDER nulls first, n", [4, 1, 3]),
            ("\"order\" NULLS LAST, `key` DESC", [1, 3, 4]),
            ("KEY", [1, 3, 4]),
        ] {
            lab.warm(&lists(order_by)).expect(0);
            assert_eq!(numbers("L:de"), expected, "{dialect:?} {order_by}");
            lab.with(&lists(order_by), "verify").run().expect(0);
        }
        let best = strategy("best", "object", "P:{n}", &sql);
        let best =
            own(&["pages"], &(best + "order_by = \"order DESC NULLS LAST, n DESC\"\nlimit = 2\n"));
        lab.warm(&best).expect(0);
        assert_eq!(lab.keys(), ["L:de", "L:en", "P:3", "P:5"], "{dialect:?}");
        for (order_by, says) in [
            ("lower(key)", "`lower(key)` is not a column"),
            ("colour", "does not return colour (it returns n, languageCode, order, key)"),
            ("\"Order\"", "does not return Order"),
        ] {
            let run = lab.with(&lists(order_by), "warmup all").run().expect(4);
            for says in ["own.toml, line 9: order_by: ", says] {
                assert!(run.stderr.contains(says), "{dialect:?} {says}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn a_column_without_an_order_is_named() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql("CREATE TABLE t (id int, body json)");
    let rows = strategy("rows", "object", "T:{id}", "SELECT id, body FROM t");
    let rows = own(&["t"], &(rows + "order_by = \"body\"\n"));
    let run = lab.with(&rows, "warmup all").run().expect(4);
    let says = "own.toml, line 9: order_by: could not identify an ordering operator for type json";
    assert!(run.stderr.contains(says), "{}", run.stderr);
}

#[test]
fn all_columns_without_a_json_form_are_named_at_once() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database
        .sql("CREATE TABLE t (id int, words tsvector, place point, whole box, spans tstzrange)");
    let rows = own(&["t"], &strategy("t", "object", "T:{id}", "SELECT * FROM t"));
    let run = lab.with(&rows, "warmup all").run().expect(4);
    for says in [
        "`words` has the type tsvector",
        "`place` has",
        "`whole` has",
        "`spans` has the type tstzrange",
        "CAST(",
    ] {
        assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
    }
}

/// Definitions of one strategy whose SQL has lines of its own.
fn lines(sql: &str, more: &str) -> String {
    own(
        &["things", "others"],
        &format!(
            "[strategies.a]\nkey = \"A:{{id}}\"\nvalue = \"object\"\n{more}sql.any = \"\"\"\n{sql}\"\"\"\n"
        ),
    )
}

#[test]
fn a_fault_is_told_where_it_was_written() {
    for dialect in DIALECTS {
        let lab = Lab::things(dialect);
        for (sql, more, place, says) in [
            ("SELECT id,\n  colour\nFROM things", "", "line 9, column 3", "colour"),
            ("SELECT t.id,\n  t.colour AS x\nFROM things t", "", "line 9, column ", "colour"),
            (
                "WITH x AS (\n SELECT id, colour FROM things)\nSELECT id FROM x",
                "",
                "line 9, column ",
                "colour",
            ),
            (
                "WITH x AS (\n SELECT * FROM things)\nSELECT id,\n colour FROM x",
                "",
                "line 11, column 2",
                "colour",
            ),
            ("SELECT id\nFROM things\nJOIN others USING (id)", "", "line 10, column 6", "others"),
            ("SELECT id\nFROM elsewhere", "", "line 9, column 6", "reads table `elsewhere`"),
            ("SELECT id\nFORM things", "", "line 9, column ", "found: things"),
            ("SELECT id, nofunction(\n name) FROM things", "", "line 8, column 12", "nofunction"),
            ("SELECT id,\n name, FROM things", "", "line 9", ""),
            (
                "SELECT id, name FROM things",
                "types = { nmae = \"json\" }\n",
                "line 7: types: ",
                "nmae",
            ),
            ("SELECT name FROM things", "", "line 5: key: ", "does not return id"),
            (
                "SELECT id, name FROM things",
                "version_field = \"v\"\n",
                "line 7: version_field: ",
                "v",
            ),
            ("SELECT id FROM things", "changed = \"trust\"\n", "line 7: changed: ", "_changed_at"),
            ("SELECT id FROM things", "changed = \"turst\"\n", "line 7", "trust"),
        ] {
            let definitions = lines(sql, more);
            let run = lab.with(&definitions, "warmup all").run().expect(4);
            let error = &run.stderr;
            assert!(error.contains(&format!("own.toml, {place}")), "{dialect:?} {place}: {error}");
            assert!(error.contains(says), "{dialect:?} {says}: {error}");
            // Nothing of the queries that are made of it.
            for ours in ["q.", ") q", "SELECT *", "LIMIT", "DECLARE"] {
                assert!(!error.contains(ours), "{dialect:?} {ours}: {error}");
            }
        }
    }
}

#[test]
fn columns_of_a_plain_select_are_checked_without_a_database() {
    let check = |sql: &str, value: &str, more: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("own.toml");
        let strategy = strategy("a", value, "A:{id}", sql);
        std::fs::write(&path, own(&["things"], &(strategy + more))).expect("a file");
        shopwarm("config check").contexts(&path).run()
    };
    for (sql, value, more, says) in [
        ("SELECT Id, name FROM things", "text", "", "line 7: value: a `text` value has one"),
        ("SELECT name FROM things", "object", "", "line 6: key: the query does not return id"),
        (
            "SELECT id FROM things",
            "object",
            "types = { x = \"json\" }",
            "types: the query does not return x",
        ),
        (
            "SELECT id FROM things",
            "list",
            "order_by = \"x\"",
            "line 9: order_by: the query does not return x",
        ),
    ] {
        let run = check(sql, value, more).expect(4);
        assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
    }
    check("SELECT t.*, 1 AS n FROM things t", "object", "").expect(0);
    check("SELECT ID, upper(name) FROM things", "object", "types = { upper = \"json\" }").expect(0);
    let list = check("SELECT id, name FROM things", "list", "").expect(0);
    assert!(
        list.stderr.contains("own/a: the rows of its lists come in any order"),
        "{}",
        list.stderr
    );
    let known = check("SELECT id, name FROM things", "list", "unordered = \"ok\"").expect(0);
    assert!(!known.stderr.contains("any order"), "{}", known.stderr);
}

#[test]
fn an_unprotected_strategy_that_is_known_is_not_warned_of() {
    let lab = Lab::things(Dialect::Sqlite);
    let definitions = |more: &str| {
        // Read in one stream.
        let of = |name: &str, key: &str| {
            strategy(name, "object", key, "SELECT id, name FROM things") + "order_by = \"id\"\n"
        };
        own(&["things"], &format!("{}{more}{}", of("a", "A:{id}"), of("b", "B:{id}")))
    };
    let said = |more: &str, command: &str| {
        let run = lab.with(&definitions(more), command).run().expect(0);
        run.stdout + &run.stderr
    };
    for command in ["warmup all", "strategies"] {
        let all = said("", command);
        assert!(all.contains("not protected") && all.contains("own/a"), "{all}");
        let rest = said("unprotected = \"ok\"\n", command);
        let warning = rest.lines().find(|line| line.contains("not protected")).expect("a line");
        assert!(warning.contains("own/b") && !warning.contains("own/a"), "{rest}");
    }
    let report = lab.with(&definitions("unprotected = \"ok\"\n"), "warmup all -o json").run();
    let report = report.expect(0).strategy("own/a");
    assert_eq!(report["protected"], false, "{report:#}");
    let doctor = said("unprotected = \"ok\"\n", "doctor -o json");
    assert!(doctor.contains("own/b may leave stale values"), "{doctor}");
    let checked = said("unprotected = \"ok\"\n", "config check");
    let counted = "warnings acknowledged with \"ok\": 1 strategy";
    assert!(checked.contains(counted), "{checked}");
}

/// A query with a WITH in each of its forms: selected by an order, counted, looked up, compared.
#[test]
fn a_with_works_in_every_query_that_is_made_of_it() {
    for dialect in DIALECTS {
        let lab = Lab::things(dialect);
        let moment = match dialect {
            Dialect::Postgres => "timestamptz",
            Dialect::MySql | Dialect::Sqlite => "timestamp",
        };
        lab.database.sql(&format!(
            "CREATE TABLE others (id INTEGER PRIMARY KEY, up INTEGER NULL, at {moment} NULL);
             INSERT INTO others VALUES (1, NULL, '2026-01-01 00:00:00'), (2, 1, '2026-01-01 00:00:00'),
                 (3, 2, '2026-01-01 00:00:00')"
        ));
        let recursive = "WITH RECURSIVE tree (id, depth, at) AS (\n SELECT id, 0, at FROM others WHERE up IS NULL\n \
                         UNION ALL\n SELECT o.id, tree.depth + 1, o.at FROM others o JOIN tree ON o.up = tree.id\n)\n\
                         SELECT id, depth, at AS _changed_at, at AS _version FROM tree";
        let definitions = own(
            &["others"],
            &(strategy("tree", "object", "T:{id}", recursive)
                + "order_by = \"depth DESC, id\"\nlimit = 2\nchanged = \"trust\"\n"
                + &strategy("levels", "list", "D:{depth}", recursive)
                + "order_by = \"id\"\n"),
        );
        let warm = lab.warm(&definitions).expect(0);
        assert_eq!(warm.strategy("own/tree")["warmed"], 2);
        assert_eq!(lab.keys(), ["D:0", "D:1", "D:2", "T:2", "T:3"], "{dialect:?}");
        assert_eq!(lab.get("T:3"), r#"{"id":3,"depth":2}"#);
        for command in ["verify", "verify --sample 1", "dry-run", "keys get T:2", "doctor"] {
            lab.with(&definitions, command).run().expect(0);
        }
        lab.warm_keys(&definitions, &["T:1", "T:2", "D:1"]).expect(0);
        let again = lab
            .with(&definitions, "warmup all --changed --changed-overlap 0s -o json")
            .run()
            .expect(0);
        let tree = again.strategy("own/tree");
        assert_eq!((&tree["read"], &tree["unchanged"]), (&"keys".into(), &2.into()), "{tree:#}");
        let written = own(
            &["others"],
            &strategy(
                "w",
                "object",
                "W:{id}",
                "WITH x AS (DELETE FROM others RETURNING id) SELECT id FROM x",
            ),
        );
        let run = lab.with(&written, "warmup all").run().expect(4);
        assert!(run.stderr.contains("own.toml, line 8"), "{}", run.stderr);
    }
    let lab = Lab::things(Dialect::Postgres);
    let sql = "WITH x AS MATERIALIZED (SELECT id, name FROM things) SELECT * FROM x";
    lab.warm(&own(&["things"], &strategy("x", "object", "X:{id}", sql))).expect(0);
    assert_eq!(lab.keys(), ["X:1", "X:2"]);
}

/// With an order, a limit and an index for them, a WITH costs little more than the same query without.
#[test]
fn a_with_costs_no_more_than_a_join() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql(
        "CREATE TABLE p (id int PRIMARY KEY, listed int);
         CREATE TABLE v (p int, price int); CREATE INDEX v_p ON v (p);
         INSERT INTO p SELECT n, n FROM generate_series(1, 20000) n;
         INSERT INTO v SELECT n, n FROM generate_series(1, 20000) n;
         CREATE INDEX p_listed ON p (listed DESC, id); ANALYZE p; ANALYZE v",
    );
    let value = "(SELECT json_agg(v.price) FROM v WHERE v.p = p.id) AS prices";
    let of = |name: &str, key: &str, sql: &str| {
        strategy(name, "object", key, sql) + "order_by = \"listed DESC, id\"\nlimit = 100\n"
    };
    let with = format!(
        "WITH langs (code) AS (VALUES ('en'), ('de')) SELECT p.id, p.listed, code, {value} FROM p CROSS JOIN langs"
    );
    let join = format!(
        "SELECT p.id, p.listed, code, {value} FROM p CROSS JOIN (VALUES ('en'), ('de')) langs (code)"
    );
    let both = own(
        &["p", "v"],
        &(of("with", "W:{id}:{code}", &with) + &of("join", "J:{id}:{code}", &join)),
    );
    let plan = lab.with(&both, "dry-run -o json").run().expect(0);
    let cost = |id: &str| plan.strategy(id)["cost"].as_f64().expect("a cost");
    let (with, join) = (cost("own/with"), cost("own/join"));
    assert!(with < 2.0 * join, "{with} against {join}");
}
