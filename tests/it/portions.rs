//! Tables that are read in portions: short queries, and every row once, wherever it moves meanwhile.

use serde_json::Value;

use crate::support::faults::{calm, keys, until, warm};
use crate::support::items::{ROWS, Shop, end, total};
use crate::support::servers::Postgres;
use crate::support::shopwarm::{finish, shopwarm};

fn shop() -> Shop {
    Shop::new(Postgres::database(), "'item:' || id")
}

/// Frees places from the beginning of the table up to some row.
fn make_room(shop: &Shop) {
    shop.database.sql("DELETE FROM items WHERE id <= 300");
    shop.database.sql("VACUUM items");
}

#[test]
fn what_moves_to_places_that_were_read_is_found_at_the_end() {
    let shop = shop();
    make_room(&shop);
    let child = shop.start();
    // Rows of the last blocks are written to the first ones; their keys are not there yet.
    shop.database.sql(&format!("UPDATE items SET v = 1 WHERE id > {}", ROWS - 50));
    let first = "SELECT count(*) FROM items WHERE v = 1 AND ctid < '(100,0)'";
    let moved: u64 = shop.database.query(first).parse().expect("a number");
    assert!(moved > 40, "only {moved} have moved there");
    shop.database.sql("INSERT INTO items VALUES (100001, 7, 'new'), (100002, 7, 'new')");
    shop.database.sql(&format!("UPDATE items SET id = id + 200000 WHERE id = {}", ROWS - 60));
    let run = end(child);
    assert_eq!(shop.is_true(), shop.rows(), "each row, as it is");
    assert_eq!(total(&run, "warmed"), keys(&shop.redis), "and each key counted once");
    assert_eq!(run.json()["outcome"], "complete");
}

#[test]
fn what_moves_to_places_that_are_read_later_is_given_once() {
    let shop = shop();
    let child = shop.start();
    let changed: Vec<u64> = (1..=50).collect();
    shop.change("UPDATE items SET v = 1 WHERE id <= 50", &changed);
    let run = end(child);
    let cached = shop.is_true();
    assert!(changed.iter().all(|id| !cached.contains_key(&format!("item:{id}"))));
    assert_eq!(total(&run, "warmed"), ROWS, "{}", run.stdout);
}

/// As `init` writes it.
#[test]
fn a_version_from_xmin_goes_in_portions() {
    let shop = shop();
    shop.define("'items'", "SELECT id, v, xmin::text AS _version FROM items");
    let said = shop.diagnosis("items");
    assert!(said.contains("in portions"), "{said}");
    shop.define("'items'", "SELECT id, v, xmax::text AS locked FROM items");
    let said = shop.diagnosis("items");
    assert!(said.contains("in one stream"), "what a lock changes: {said}");
}

/// Without a version, and though no index knows the keys: what is overtaken before its portion is
/// verified does not stay.
#[test]
fn a_portion_that_has_changed_is_read_again_row_by_row() {
    shop().is_true_whatever_changes();
}

/// Partitions of different sizes, one of them with partitions of its own, and one without a row.
fn with_partitions() -> Shop {
    let shop = shop();
    shop.database.sql(
        "ALTER TABLE items RENAME TO old; ALTER INDEX items_pkey RENAME TO old_pkey;
         CREATE TABLE items (id integer PRIMARY KEY, v integer NOT NULL, name text NOT NULL)
             PARTITION BY RANGE (id);
         CREATE TABLE items_small PARTITION OF items FOR VALUES FROM (0) TO (500);
         CREATE TABLE items_large PARTITION OF items FOR VALUES FROM (500) TO (100000)
             PARTITION BY HASH (id);
         CREATE TABLE items_large_0 PARTITION OF items_large FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE items_large_1 PARTITION OF items_large FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         CREATE TABLE items_later PARTITION OF items FOR VALUES FROM (100000) TO (200000);
         INSERT INTO items SELECT * FROM old; DROP TABLE old; GRANT SELECT ON items, items_small TO shop",
    );
    shop.define("'items'", "SELECT id, v FROM items");
    shop
}

#[test]
fn partitions_are_read_side_by_side() {
    let shop = with_partitions();
    let said = shop.diagnosis("items");
    assert!(said.contains("in portions"), "{said}");
    shop.is_true_whatever_changes();
}

/// A small partition is scanned even if an index selects the rows of the large ones.
#[test]
fn an_index_on_partitions_is_used() {
    let shop = with_partitions();
    shop.database.sql("UPDATE items SET v = id; CREATE INDEX ON items (v); ANALYZE items");
    shop.define("'items'", "SELECT id, v FROM items WHERE v = 4242");
    let said = shop.diagnosis("items");
    assert!(said.contains("reads by index") && said.contains("in one stream"), "{said}");
    shop.define("'items', 'items_small'", "SELECT id, v FROM items_small");
    let said = shop.diagnosis("items");
    assert!(said.contains("all of items_small") && said.contains("in portions"), "{said}");
}

#[test]
fn what_moves_to_another_partition_is_given_once() {
    let shop = with_partitions();
    let child = shop.start();
    shop.database.sql(&format!("UPDATE items SET id = id + 100000 WHERE id > {}", ROWS - 50));
    shop.database.sql("UPDATE items SET id = id + 100000 WHERE id <= 50");
    let run = end(child);
    assert_eq!(total(&run, "warmed"), keys(&shop.redis), "{}", run.stdout);
    assert_eq!(run.strategy("shop/items")["warnings"], Value::Null);
    shop.change("SELECT 1", &(1..=50).collect::<Vec<_>>());
    assert_eq!(shop.is_true(), shop.rows());
}

/// Rows that come with a partition look old.
#[test]
fn a_partition_that_is_attached_is_read_too() {
    let shop = with_partitions();
    shop.database.sql("CREATE TABLE more (LIKE items); INSERT INTO more VALUES (200001, 7, 'new')");
    let child = shop.start();
    shop.database
        .sql("ALTER TABLE items ATTACH PARTITION more FOR VALUES FROM (200000) TO (300000)");
    let run = end(child);
    assert_eq!(shop.is_true(), shop.rows());
    assert_eq!(total(&run, "warmed"), ROWS + 1, "{}", run.stdout);
    let warnings = run.strategy("shop/items")["warnings"].to_string();
    assert!(warnings.contains("its table was rewritten"), "{}", run.stdout);
}

#[test]
fn a_table_that_is_rewritten_is_read_from_its_start() {
    for sql in [
        "VACUUM FULL items",
        "CLUSTER items USING items_pkey",
        // No row is written by this.
        "ALTER TABLE items DROP v, ADD v integer NOT NULL DEFAULT 5",
    ] {
        let shop = shop();
        let child = shop.start();
        shop.database.sql(&format!("UPDATE items SET v = 1 WHERE id > {}", ROWS - 50));
        shop.database.sql(sql);
        let written = keys(&shop.redis);
        let run = end(child);
        assert_eq!(shop.is_true(), shop.rows(), "{sql}");
        assert_eq!(total(&run, "warmed"), ROWS, "{sql}");
        let warnings = run.strategy("shop/items")["warnings"].to_string();
        let said = format!("after {sql} at {written} keys:\n{}{}", run.stdout, run.stderr);
        assert!(warnings.contains("its table was rewritten"), "{said}");
    }
}

#[test]
fn a_plain_vacuum_costs_nothing() {
    let shop = shop();
    let child = shop.start();
    shop.database.sql("VACUUM FREEZE items");
    let run = end(child);
    assert_eq!(shop.is_true(), shop.rows());
    assert_eq!(run.strategy("shop/items")["warnings"], Value::Null);
}

/// While the cache takes nothing, no transaction of a run is open and nothing is locked.
#[test]
fn a_run_that_waits_keeps_no_transaction_open() {
    let shop = shop();
    let child = shop.start();
    shop.redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shopwarm'
                AND datname = current_database() AND xact_start IS NOT NULL";
    until("no transaction is open", || shop.database.query(open) == "0");
    let locked = "SELECT count(*) FROM pg_locks WHERE relation = 'items'::regclass";
    until("nothing is locked", || shop.database.query(locked) == "0");
    shop.database.sql("ALTER TABLE items ADD COLUMN x integer");
    shop.redis.cli(&["CLIENT", "UNPAUSE"]);
    let run = end(child);
    assert_eq!(total(&run, "warmed"), ROWS);
    assert_eq!(run.strategy("shop/items")["warnings"], Value::Null);
}

/// Keys that are not read in portions are not looked up one by one instead, and the report says so.
#[test]
fn what_is_not_read_in_portions_needs_a_version() {
    let shop = shop();
    let run = |arguments: &str| {
        let run = shopwarm(arguments).contexts(&shop.contexts).database(shop.database.url());
        let run = run.cache(shop.redis.url()).run().expect(0);
        run.strategy("shop/items")["protected"].clone()
    };
    assert_eq!(run("warmup all -o json"), true);
    assert_eq!(run("warmup all --limit 5 -o json"), false);
    assert_eq!(run("warmup keys item:1 item:2 -o json"), false);
}

/// Values that are stored elsewhere: many megabytes in one block.
#[test]
fn rows_far_larger_than_their_places_are_read_few_at_a_time() {
    let shop = shop();
    shop.database.sql(
        "DELETE FROM items; ALTER TABLE items ALTER name SET STORAGE EXTERNAL;
         INSERT INTO items SELECT n, 0, repeat('y', 500000) FROM generate_series(1, 60) n",
    );
    shop.database.sql("VACUUM FULL items");
    let text = std::fs::read_to_string(&shop.contexts).expect("a file");
    std::fs::write(&shop.contexts, text.replace("id, v FROM", "id, v, name FROM")).expect("a file");
    let run = warm(&shop.contexts, shop.database.url(), shop.redis.url()).run().expect(0);
    assert_eq!((total(&run, "warmed"), keys(&shop.redis)), (60, 60));
}

/// An application that changes, adds, moves and removes rows all the time, and drops their keys.
#[test]
fn nothing_is_stale_and_nothing_is_missing_beside_an_application() {
    let shop = shop();
    make_room(&shop);
    let mut child = shop.start();
    let (mut touched, mut step) = (Vec::new(), 0_u64);
    while child.try_wait().expect("a child").is_none() {
        step += 1;
        let at = 301 + step * 7919 % (ROWS - 300);
        let (sql, ids) = match step % 6 {
            0 => (format!("DELETE FROM items WHERE id = {at}"), vec![at]),
            1 => {
                let to = 300_000 + step;
                (format!("UPDATE items SET id = {to} WHERE id = {at}"), vec![at, to])
            }
            2 => (
                format!("INSERT INTO items VALUES ({}, 1, '')", 400_000 + step),
                vec![400_000 + step],
            ),
            3 if step % 9 == 0 => ("VACUUM items".to_owned(), Vec::new()),
            _ => (
                format!("UPDATE items SET v = v + 1 WHERE id % 97 = {} AND id <= {ROWS}", at % 97),
                { (1..=ROWS).filter(|id| id % 97 == at % 97).collect() },
            ),
        };
        shop.change(&sql, &ids);
        touched.extend(ids.iter().map(|id| format!("item:{id}")));
    }
    let run = calm(finish(child)).expect(0);
    let cached = shop.is_true();
    let rows = shop.rows();
    let missing = rows.keys().filter(|key| !cached.contains_key(*key) && !touched.contains(key));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(step > 20, "{step} steps");
    assert_eq!(run.strategy("shop/items")["unverified"], 0);
}

/// What may change without its row, or cannot be read by its place, is read as before.
#[test]
fn what_does_not_go_in_portions_is_read_in_one_stream() {
    let shop = shop();
    shop.database.sql(
        "CREATE TABLE reviews (item integer, stars integer);
         CREATE FUNCTION rating(items) RETURNS bigint LANGUAGE sql STABLE AS
             'SELECT count(*) FROM reviews WHERE item = $1.id';
         CREATE FUNCTION upper(integer) RETURNS text LANGUAGE sql STABLE AS
             'SELECT count(*)::text FROM reviews';
         GRANT SELECT ON reviews TO shop;
         CREATE TABLE secret (id integer PRIMARY KEY, v integer, hidden text);
         INSERT INTO secret VALUES (1, 1, 'x'); REVOKE ALL ON secret FROM shop; GRANT SELECT (id, v) ON secret TO shop;
         CREATE TABLE parted (id integer PRIMARY KEY, v integer) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9);
         INSERT INTO parted VALUES (1, 1); GRANT SELECT ON parted, part TO shop;
         CREATE VIEW seen AS SELECT id, v FROM items LIMIT 5; GRANT SELECT ON seen TO shop",
    );
    let not_all = "in one stream: it does not read a plain table";
    let cases = [
        ("plain", "", "SELECT id, v FROM items WHERE v < 5", "in portions"),
        ("limited", "limit = 10", "SELECT id, v FROM items", "in one stream: it has a limit"),
        ("ordered", "order_by = 'id'", "SELECT id, v FROM items", "stream: it has an order_by"),
        (
            "clock",
            "",
            "SELECT id, v FROM items WHERE now() > '2020-01-01'",
            "in one stream: it has",
        ),
        ("computed", "", "SELECT i.id, i.rating FROM items i WHERE id < 9", not_all),
        ("overloaded", "", "SELECT id, upper(v) AS u FROM items WHERE id < 9", not_all),
        ("granted", "", "SELECT id, v FROM secret", not_all),
        ("parted", "", "SELECT id, v FROM parted", "in portions"),
        ("part", "", "SELECT p.id, p.v FROM part p WHERE v < 5", "in portions"),
        ("seen", "", "SELECT id, v FROM seen", not_all),
    ];
    let text: String = cases
        .iter()
        .map(|(name, more, sql, _)| {
            format!(
                "[strategies.{name}]\nkey = \"{name}:{{id}}\"\nvalue = \"object\"\n{more}
                 sql.any = \"{sql}\"\n"
            )
        })
        .collect();
    let owns = "owns = ['items', 'secret', 'parted', 'part', 'seen']";
    let text = format!("[context]\nname = \"shop\"\n{owns}\n{text}");
    std::fs::write(&shop.contexts, text).expect("a file");
    for (name, _, _, words) in cases {
        let text = shop.diagnosis(name);
        assert!(text.contains(words), "{name}: {text}");
    }
    let run = warm(&shop.contexts, shop.database.url(), shop.redis.url()).run().expect(0);
    assert_eq!(run.json()["outcome"], "complete", "{}", run.stdout);
}

/// Only a run that reads a whole selection asks where its rows lie.
#[test]
fn what_reads_no_selection_asks_for_no_plan() {
    let server = Postgres::private(&["-c", "log_statement=all"]);
    let shop = Shop::new(server.new_database(), "'item:' || id");
    let run = |arguments: &str| {
        let run = shopwarm(arguments).contexts(&shop.contexts).database(shop.database.url());
        run.cache(shop.redis.url()).run().expect(0);
        server.log().matches("EXPLAIN").count()
    };
    assert_eq!(run("warmup keys item:1"), 0);
    assert_eq!(run("keys get item:1"), 0);
    assert_eq!(run("warmup all"), 3, "the estimate, the whole, and one portion");
}

/// Nor does a command that only reads keep a transaction open while it waits for the cache.
#[test]
fn what_only_reads_reads_in_portions_too() {
    let server = Postgres::private(&["-c", "log_statement=all"]);
    let shop = Shop::new(server.new_database(), "'item:' || id");
    let run = |arguments: &str| {
        let run = shopwarm(arguments).contexts(&shop.contexts).database(shop.database.url());
        run.cache(shop.redis.url()).run().expect(0)
    };
    run("warmup all");
    assert_eq!(total(&run("dry-run all -o json"), "identical"), ROWS);
    run("verify all");
    run("keys list");
    assert!(!server.log().contains("DECLARE"), "a cursor was opened");
}
