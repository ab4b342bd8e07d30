//! Values that all rows of one key make together: lists, maps and trees.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::lab::{Lab, counts, errors, own, strategy};
use crate::support::servers::{Database, Dialect};
use crate::support::shop::DIALECTS;

/// Prices, settings and a menu per language.
fn shop(database: &Database) {
    database.sql(
        "CREATE TABLE price (product int, currency varchar(3), amount decimal(9,2), list decimal(9,2));
         INSERT INTO price VALUES (1, 'EUR', 12.50, 15.00), (1, 'DKK', 93.00, NULL), (2, 'EUR', 0.99, 1.00);
         CREATE TABLE setting (name varchar(20), content varchar(20));
         INSERT INTO setting VALUES ('theme', 'dark'), ('a \"b\"', NULL);
         CREATE TABLE related (product int, other int, place int);
         INSERT INTO related VALUES (1, 20, 2), (1, 10, 1), (2, 30, 1), (1, 40, 3);
         CREATE TABLE menu (id int, up int, lang varchar(2), title varchar(20), place int);
         INSERT INTO menu VALUES (1, NULL, 'en', 'Home', 1), (2, 1, 'en', 'Shoes', 2), (3, 2, 'en', 'Boots', 3),
             (4, 1, 'en', 'Hats', 4), (1, NULL, 'de', 'Start', 1), (2, 1, 'de', 'Schuhe', 2), (5, 9, 'de', 'Rest', 3);
         CREATE TABLE unused (id int, name varchar(20))",
    );
}

const TABLES: [&str; 5] = ["price", "setting", "related", "menu", "unused"];

fn menu(name: &str, key: &str, sql: &str) -> String {
    let fields = "tree_id = \"id\"\ntree_parent = \"_up\"\norder_by = \"_place\"\n";
    strategy(name, "tree", key, sql) + fields
}

fn definitions() -> String {
    let list = |name, key, sql| strategy(name, "list", key, sql) + "order_by = \"_place\"\n";
    let map = |name, key, sql, column: &str| {
        strategy(name, "map", key, sql) + &format!("map_key = \"{column}\"\n")
    };
    let related = "SELECT product AS _p, other, place AS _place FROM related";
    let prices = "SELECT product AS _p, currency, amount FROM price";
    let both = "SELECT product AS _p, currency AS _c, amount, list FROM price";
    let nodes = "SELECT id, up AS _up, lang AS _lang, title, place AS _place FROM menu";
    [
        list("related", "related:{_p}", related),
        map("prices", "prices:{_p}", prices, "currency") + "order_by = \"currency\"\n",
        map("both", "both:{_p}", both, "_c") + "order_by = \"_c\"\n",
        map("settings", "settings", "SELECT name, content FROM setting", "name")
            + "order_by = \"name DESC\"\n",
        map("names", "names", "SELECT name FROM setting", "name") + "order_by = \"name\"\n",
        menu("menu", "menu:{_lang}", nodes),
    ]
    .concat()
}

const EXPECTED: [(&str, &str); 9] = [
    ("related:1", "[10,20,40]"),
    ("related:2", "[30]"),
    ("prices:1", r#"{"DKK":93.00,"EUR":12.50}"#),
    ("prices:2", r#"{"EUR":0.99}"#),
    ("both:1", r#"{"DKK":{"amount":93.00,"list":null},"EUR":{"amount":12.50,"list":15.00}}"#),
    ("settings", r#"{"theme":"dark","a \"b\"":null}"#),
    ("names", r#"{"a \"b\"":"a \"b\"","theme":"theme"}"#),
    (
        "menu:en",
        r#"[{"id":1,"title":"Home","children":[{"id":2,"title":"Shoes","children":[{"id":3,"title":"Boots","children":[]}]},{"id":4,"title":"Hats","children":[]}]}]"#,
    ),
    // What has no parent is at the top.
    (
        "menu:de",
        r#"[{"id":1,"title":"Start","children":[{"id":2,"title":"Schuhe","children":[]}]},{"id":5,"title":"Rest","children":[]}]"#,
    ),
];

#[test]
fn rows_make_lists_maps_and_trees_on_every_database() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        shop(&lab.database);
        let definitions = own(&TABLES, &definitions());
        let definitions = match dialect {
            // Its NUMERIC keeps no zeros behind the point.
            Dialect::Sqlite => definitions
                .replace("amount FROM price", "printf('%.2f', amount) AS amount FROM price")
                .replace(
                    "amount, list",
                    "printf('%.2f', amount) AS amount, printf('%.2f', list) AS list",
                )
                .replace(
                    "[strategies.prices]",
                    "[strategies.prices]\ntypes = { amount = \"number\" }",
                )
                .replace(
                    "[strategies.both]",
                    "[strategies.both]\ntypes = { amount = \"number\", list = \"number\" }",
                ),
            _ => definitions,
        };
        lab.warm(&definitions).expect(0);
        let mut stored: BTreeMap<&str, String> = BTreeMap::new();
        for (key, _) in EXPECTED {
            stored.insert(key, lab.get(key));
        }
        for (key, expected) in EXPECTED {
            let expected = match dialect {
                Dialect::Sqlite => expected.replace("\"list\":null", "\"list\":0.00"),
                _ => expected.to_owned(),
            };
            assert_eq!(stored[key], expected, "{dialect:?} {key}");
        }
        // Whatever was written is found again, whole and by name.
        let verified = lab.with(&definitions, "verify context own -o json").run();
        verified.expect(0);
        for (key, _) in EXPECTED {
            let get = lab.with(&definitions, "keys get -o json").arg(key).run();
            assert_eq!(get.expect(0).json()["state"], "identical", "{key}");
        }
        let keys: Vec<&str> = EXPECTED.iter().map(|(key, _)| *key).collect();
        lab.redis.cli(&["FLUSHALL"]);
        lab.warm_keys(&definitions, &keys).expect(0);
        let again: BTreeMap<&str, String> = keys.iter().map(|key| (*key, lab.get(key))).collect();
        assert_eq!(again, stored, "{dialect:?}");
    }
}

#[test]
fn a_value_without_rows_is_written_where_that_is_wanted() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        shop(&lab.database);
        let of = |name: &str, value: &str, fields: &str| {
            let sql = "SELECT id, name, id AS _version FROM unused";
            strategy(name, value, &format!("{name}:all"), sql) + "empty = true\n" + fields
        };
        let tree = "tree_id = \"id\"\ntree_parent = \"name\"\n";
        let definitions = own(
            &TABLES,
            &[
                of("list", "list", "order_by = \"id\"\n"),
                of("map", "map", "map_key = \"id\"\n"),
                of("tree", "tree", tree),
            ]
            .concat(),
        );
        let run = lab.warm(&definitions).expect(0);
        for (name, empty) in [("list", "[]"), ("map", "{}"), ("tree", "[]")] {
            let report = run.strategy(&format!("own/{name}"));
            assert_eq!(counts(&report), [1, 0, 0, 0], "{dialect:?} {name}");
            assert_eq!(report["expected"], 1);
            assert_eq!(lab.get(&format!("{name}:all")), empty);
        }
        lab.with(&definitions, "verify context own").run().expect(0);
        lab.redis.cli(&["DEL", "list:all"]);
        let by_name = lab.warm_keys(&definitions, &["list:all", "map:all"]);
        assert_eq!(counts(&by_name.expect(0).strategy("own/list")), [1, 0, 0, 0]);
        assert_eq!(lab.get("list:all"), "[]");
        // It is no orphan, and is not pruned.
        let dry = lab.with(&definitions, "dry-run context own --orphans -o json");
        assert_eq!(dry.run().expect(0).strategy("own/map")["orphans"], 0);
        lab.with(&definitions, "warmup context own --prune --yes").run().expect(0);
        assert_eq!(lab.get("map:all"), "{}");
        lab.database.sql("INSERT INTO unused VALUES (7, NULL)");
        lab.warm(&definitions).expect(0);
        assert_eq!(lab.get("map:all"), r#"{"7":null}"#);
    }
}

#[test]
fn rows_of_two_keys_with_the_same_text_are_not_put_together() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE t (a varchar(9), b varchar(9), n int);
             INSERT INTO t VALUES ('x', 'y-z', 1), ('x-y', 'z', 2)",
        );
        let sql = "SELECT a AS _a, b AS _b, n, n AS _version FROM t";
        for value in ["list", "set"] {
            let one = strategy("one", value, "one:{_a}-{_b}", sql);
            let run = lab.warm(&own(&["t"], &one)).expect(3);
            let report = run.strategy("own/one");
            assert_eq!(counts(&report), [1, 0, 1, 0], "{dialect:?} {value}");
            let error = errors(&report).remove(0);
            assert!(error.contains("make the same key"), "{error}");
        }
    }
}

#[test]
fn a_row_without_a_place_of_its_own_fails_its_key_by_name() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE t (k int, name varchar(9), up varchar(9));
             INSERT INTO t VALUES (1, 'a', NULL), (1, 'b', 'a'), (2, 'a', NULL), (2, 'a', 'b'), (3, NULL, 'a')",
        );
        let sql = "SELECT k AS _k, name, up FROM t";
        let map = strategy("map", "map", "map:{_k}", sql) + "map_key = \"name\"\n";
        let tree = strategy("tree", "tree", "tree:{_k}", sql)
            + "tree_id = \"name\"\ntree_parent = \"up\"\n";
        let run = lab.warm(&own(&["t"], &(map + &tree))).expect(3);
        for (name, missing) in [
            ("map", "column `name` is NULL: the row has no place in the value"),
            ("tree", "column `name` is NULL"),
        ] {
            let report = run.strategy(&format!("own/{name}"));
            assert_eq!(counts(&report), [1, 0, 2, 0], "{dialect:?}");
            assert_eq!(
                errors(&report),
                [format!("{name}:2: two rows have the name \"a\""), format!("{name}:3: {missing}"),]
            );
        }
        assert_eq!(lab.get("map:1"), r#"{"a":null,"b":"a"}"#);
    }
}

#[test]
fn a_place_that_the_value_does_not_have_is_a_definition_error() {
    let lab = Lab::things(Dialect::Sqlite);
    let sql = "SELECT id, name FROM things";
    for (value, fields, expected) in [
        ("map", "", "map_key: is missing"),
        ("tree", "tree_id = \"id\"", "tree_parent: is missing"),
        ("list", "map_key = \"id\"", "map_key: not allowed for value = \"list\""),
        ("text", "empty = true", "empty: only a `list`, a `map` or a `tree` can be empty"),
        ("map", "map_key = \"id\"\nlimit = 5", "limit: a `map` has none"),
        ("map", "map_key = \"nix\"", "map_key: the query does not return nix"),
    ] {
        let definition = strategy("s", value, "s:all", sql) + fields;
        let run = lab.warm(&own(&["things"], &definition)).expect(4);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
    let keyed = strategy("s", "list", "s:{id}", sql) + "empty = true";
    let run = lab.warm(&own(&["things"], &keyed)).expect(4);
    let expected = "empty: the key needs a row: it contains columns";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    let named = "SELECT id, name AS children FROM things";
    let tree = strategy("s", "tree", "s:all", named) + "tree_id = \"id\"\ntree_parent = \"id\"";
    let run = lab.warm(&own(&["things"], &tree)).expect(4);
    assert!(run.stderr.contains("a column children, which each node"), "{}", run.stderr);
}

/// A shape guard looks at the fields of a map's values, not at its keys, which are data.
#[test]
fn other_keys_of_a_map_are_no_other_shape() {
    let lab = Lab::things(Dialect::Sqlite);
    let map = |column| {
        let sql = format!("SELECT name, id AS {column}, name AS other FROM things");
        own(&["things"], &(strategy("m", "map", "m:all", &sql) + "map_key = \"name\"\n"))
    };
    let warm =
        |definitions: &str| lab.with(definitions, "warmup context own --shape fail -o json").run();
    warm(&map("id")).expect(0);
    lab.database.sql("UPDATE things SET name = name || 'x'");
    warm(&map("id")).expect(0);
    let run = warm(&map("number")).expect(3);
    let error: Value = run.strategy("own/m")["error"].clone();
    assert!(error.to_string().contains("would change the format of cached values"), "{error}");
}
