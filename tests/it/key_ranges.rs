//! Tables of MariaDB and SQLite that are read in ranges of their keys, and verified by their values.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::faults::{keys, until, warm};
use crate::support::items::{ROWS, Shop, end, total};
use crate::support::servers::{Dialect, MariaDb, Sqlite};

/// On both databases, at the same time.
fn on_each(test: fn(Shop)) {
    thread::scope(|scope| {
        scope.spawn(|| test(Shop::new(MariaDb::database(), "CONCAT('item:', id)")));
        scope.spawn(|| test(Shop::new(Sqlite::database(), "'item:' || id")));
    });
}

/// Without a version, and though no index knows the keys.
#[test]
fn what_changes_before_it_is_verified_does_not_stay() {
    on_each(|shop| shop.is_true_whatever_changes());
}

/// No index knows the keys: each query by key would scan the table.
#[test]
fn what_has_changed_is_repaired_without_a_query_by_key() {
    let server = MariaDb::private(&["--general-log=1", "--log-output=TABLE"]);
    let shop = Shop::new(server.new_database(), "CONCAT('item:', id)");
    let child = shop.start();
    shop.database.sql("UPDATE items SET v = 7");
    let run = end(child);
    assert!(total(&run, "repaired") > 0, "{}", run.stdout);
    assert_eq!((total(&run, "warmed"), total(&run, "withdrawn")), (ROWS, 0));
    let by_key = "SELECT count(*) FROM mysql.general_log WHERE command_type = 'Execute'
                  AND argument REGEXP 'item:[0-9]'";
    assert_eq!(shop.database.query(by_key), "0", "{}", run.stdout);
}

/// An application that replaces rows gives them higher keys.
#[test]
fn rows_that_get_higher_keys_are_found_at_the_end_and_given_once() {
    on_each(|shop| {
        let columns = "id, v, name";
        for sql in [
            "CREATE TABLE renamed (id integer PRIMARY KEY, v integer, name integer UNIQUE)",
            "INSERT INTO renamed SELECT id, v, id FROM items",
            "DROP TABLE items",
            "ALTER TABLE renamed RENAME TO items",
        ] {
            shop.database.sql(sql);
        }
        let text = std::fs::read_to_string(&shop.contexts).expect("a file");
        // The key stays, and the place does not.
        let text = text.replace("', id) AS _key", "', name) AS _key");
        let text = text
            .replace("' || id AS _key", "' || name AS _key")
            .replace("id, v FROM", "name, v FROM");
        std::fs::write(&shop.contexts, text).expect("a file");
        let child = shop.start();
        for (new, name) in [(100_001, 1), (100_002, ROWS), (100_003, 200_000)] {
            let row = format!("REPLACE INTO items ({columns}) VALUES ({new}, 7, {name})");
            shop.change(&row, &[name]);
        }
        let run = end(child);
        let cached = shop.cached();
        assert_eq!(cached.len() as u64, ROWS + 1 - u64::from(!cached.contains_key("item:1")));
        for name in [ROWS, 200_000] {
            assert_eq!(cached[&format!("item:{name}")]["v"], 7);
        }
        assert_eq!(total(&run, "warmed"), ROWS + 1, "{}", run.stdout);
    });
}

/// Between two portions nothing is locked, however slow the cache is.
#[test]
fn a_run_that_waits_locks_nothing() {
    on_each(|shop| {
        let child = shop.start();
        shop.redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
        thread::sleep(Duration::from_millis(500));
        if shop.database.dialect() == Dialect::MySql {
            let open = "SELECT count(*) FROM information_schema.innodb_trx t
                        JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
                        WHERE p.db = database() AND p.user = 'shop'";
            until("no transaction is open", || shop.database.query(open) == "0");
            shop.database.sql("ALTER TABLE items ADD COLUMN x integer, ALGORITHM=COPY");
        }
        shop.database.sql("CREATE TABLE another (id integer PRIMARY KEY, v integer)");
        // It waits for ten seconds at most.
        shop.database.sql("UPDATE items SET v = 1 WHERE id = 1");
        shop.redis.cli(&["CLIENT", "UNPAUSE"]);
        let run = end(child);
        assert_eq!(total(&run, "warmed"), ROWS);
        // The copy is another table.
        if shop.database.dialect() != Dialect::MySql {
            assert_eq!(run.strategy("shop/items")["warnings"], Value::Null);
        }
    });
}

/// VACUUM may give the rows of a table without an integer key other numbers.
#[test]
fn a_file_that_is_vacuumed_is_read_from_its_start() {
    let shop = Shop::new(Sqlite::database(), "'item:' || id");
    for sql in [
        "CREATE TABLE loose (id text PRIMARY KEY, v integer)",
        "INSERT INTO loose SELECT id, v FROM items",
        "DROP TABLE items",
        "ALTER TABLE loose RENAME TO items",
        "DELETE FROM items WHERE rowid < 200",
    ] {
        shop.database.sql(sql);
    }
    let child = shop.start();
    shop.database.sql("VACUUM");
    let run = end(child);
    assert_eq!(shop.cached().len() as u64, ROWS - 199);
    assert_eq!(total(&run, "warmed"), ROWS - 199);
    let warnings = run.strategy("shop/items")["warnings"].to_string();
    assert!(warnings.contains("its table was rewritten"), "{warnings}");
}

/// Keys far apart, up to the highest, and a bare `*`.
#[test]
fn keys_may_be_anywhere() {
    on_each(|shop| {
        let key = match shop.database.dialect() {
            Dialect::MySql => "bigint unsigned",
            _ => "integer",
        };
        shop.database.sql(&format!(
            "CREATE TABLE far (id {key} PRIMARY KEY, v integer);
             INSERT INTO far SELECT id * 1000000007, v FROM items;
             INSERT INTO far VALUES (0, 0), (9223372036854775806, 0)"
        ));
        let text = "[context]\nname = 'shop'\nowns = ['far']\n[strategies.far]
                    key = 'far:{id}'\nvalue = 'object'\nsql.any = 'SELECT * FROM far f'\n";
        std::fs::write(&shop.contexts, text).expect("a file");
        let warm = || warm(&shop.contexts, shop.database.url(), shop.redis.url());
        let run = warm().run().expect(0);
        assert_eq!((total(&run, "warmed"), keys(&shop.redis)), (ROWS + 2, ROWS + 2));
        assert_eq!(run.strategy("shop/far")["protected"], true);
    });
}

#[test]
fn what_has_no_key_of_one_integer_is_read_in_one_stream() {
    on_each(|shop| {
        let without = match shop.database.dialect() {
            Dialect::MySql => "",
            _ => "WITHOUT ROWID",
        };
        shop.database.sql(&format!(
            "CREATE TABLE named (id varchar(20) PRIMARY KEY, v integer) {without};
             INSERT INTO named SELECT id, v FROM items;
             CREATE TABLE below (id integer PRIMARY KEY, v integer);
             INSERT INTO below SELECT 3000 - id, v FROM items;
             CREATE TABLE found (id integer PRIMARY KEY, v integer);
             INSERT INTO found SELECT id, id FROM items;
             CREATE INDEX found_v ON found (v);
             CREATE TABLE odd (id integer PRIMARY KEY, _rowid integer, rowid integer AS (v) VIRTUAL, v integer);
             INSERT INTO odd (id, v) SELECT id, v FROM items;
             CREATE VIEW seen AS SELECT id, v FROM items"
        ));
        let no_key = match shop.database.dialect() {
            Dialect::MySql => "in one stream: its table has no key of one integer",
            _ => "in one stream: its table has no row ids",
        };
        let cases = [
            ("items", "SELECT id, v FROM items WHERE v < 5", "in portions"),
            ("named", "SELECT id, v FROM named WHERE v < 5", no_key),
            ("below", "SELECT id, v FROM below WHERE v < 5", no_key),
            ("odd", "SELECT id, v FROM odd WHERE v < 5", no_key),
            ("seen", "SELECT id, v FROM seen WHERE v < 5", no_key),
            (
                "found",
                "SELECT id, v FROM found WHERE v = 3",
                "in one stream: the database would not scan",
            ),
        ];
        let strategy = |(name, sql, _): &(&str, &str, &str)| {
            let head = format!("[strategies.{name}]\nkey = '{name}:{{id}}'\nvalue = 'object'\n");
            format!("{head}sql.any = '{sql}'\n")
        };
        let text: String = cases.iter().map(strategy).collect();
        let owns = "owns = ['items', 'named', 'below', 'odd', 'seen', 'found']";
        let text = format!("[context]\nname = 'shop'\n{owns}\n{text}");
        std::fs::write(&shop.contexts, text).expect("a file");
        for (name, _, words) in cases {
            let text = shop.diagnosis(name);
            assert!(text.contains(words), "{name}: {text}");
        }
        let run = warm(&shop.contexts, shop.database.url(), shop.redis.url()).run().expect(0);
        assert_eq!(run.json()["outcome"], "complete", "{}", run.stdout);
        assert_eq!(total(&run, "warmed"), 5 * ROWS + 1);
    });
}

/// To forget a statement takes a message without an answer, and what follows it waits 40 ms.
#[test]
fn one_statement_serves_all_portions() {
    let server = MariaDb::private(&["--general-log=1", "--log-output=TABLE"]);
    let shop = Shop::new(server.new_database(), "CONCAT('item:', id)");
    let run = end(shop.start());
    assert_eq!(total(&run, "warmed"), ROWS);
    let logged = |what: &str, kind: &str| {
        let count = format!(
            "SELECT count({what} argument) FROM mysql.general_log WHERE command_type = '{kind}'
             AND argument LIKE '%_shopwarm_place >= %' AND argument NOT LIKE 'EXPLAIN%'"
        );
        shop.database.query(&count).parse::<u64>().expect("a number")
    };
    assert_eq!(logged("DISTINCT", "Prepare"), 1);
    assert!(logged("", "Execute") > 10);
}

/// An import fills another table and puts it in the place of the old one, with other keys.
#[test]
fn a_table_that_is_replaced_is_read_from_its_start() {
    let shop = Shop::new(MariaDb::database(), "CONCAT('item:', v)");
    shop.database.sql("UPDATE items SET v = id");
    shop.database.sql(&format!(
        "CREATE TABLE renewed LIKE items; INSERT INTO renewed SELECT {ROWS} + 1 - id, v, name FROM items"
    ));
    // It was made at another time, which the server knows to the second.
    thread::sleep(Duration::from_millis(1100));
    shop.database.sql("ALTER TABLE renewed FORCE");
    let child = shop.start();
    shop.database.sql("RENAME TABLE items TO former, renewed TO items");
    let run = end(child);
    assert_eq!(shop.cached().len() as u64, ROWS);
    assert_eq!(total(&run, "warmed"), ROWS, "{}", run.stdout);
    let warnings = run.strategy("shop/items")["warnings"].to_string();
    assert!(warnings.contains("its table was rewritten or replaced"), "{warnings}");
}
