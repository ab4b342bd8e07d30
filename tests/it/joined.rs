//! Tables that are read in portions together with what is joined to each of their rows.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::support::items::{ROWS, Shop, end, total};
use crate::support::servers::{Dialect, MariaDb, Postgres, Sqlite};

const OWNS: &str = "\"items\", \"brands\", \"notes\", \"loose\", \"seen\"";

const JOINED: &str =
    "SELECT i.id, i.v + b.v AS v, n.v AS note FROM items i JOIN brands b ON b.id = i.brand
                      LEFT JOIN notes n ON n.id = i.id";

fn on_each(test: fn(Shop)) {
    let shop = |database| {
        let shop = Shop::new(database, "id");
        for sql in [
            "ALTER TABLE items ADD brand integer",
            "UPDATE items SET brand = id % 100",
            "CREATE TABLE brands (id integer PRIMARY KEY, v integer NOT NULL)",
            "INSERT INTO brands SELECT id - 1, 0 FROM items WHERE id <= 100",
            "CREATE TABLE notes (id integer PRIMARY KEY, v integer NOT NULL)",
            "INSERT INTO notes SELECT id, 0 FROM items WHERE id % 2 = 0",
            "CREATE VIEW seen AS SELECT id, v FROM notes",
            // Large, and without an index.
            "CREATE TABLE loose (id integer, v integer NOT NULL)",
            "INSERT INTO loose SELECT a.id + 6000 * b.id, 0 FROM items a, brands b WHERE b.id < 5",
        ] {
            shop.database.sql(sql);
        }
        if shop.database.dialect() == Dialect::Postgres {
            shop.database.sql("ANALYZE");
        }
        shop
    };
    thread::scope(|scope| {
        scope.spawn(|| test(shop(Postgres::database())));
        scope.spawn(|| test(shop(MariaDb::database())));
        scope.spawn(|| test(shop(Sqlite::database())));
    });
}

/// Changes of the table, of what is joined to it, and of what may be missing there; no version tells.
#[test]
fn whatever_changes_before_it_is_verified_does_not_stay() {
    on_each(|shop| {
        shop.define(OWNS, &JOINED.replace('\n', " "));
        let child = shop.start();
        let mut touched = Vec::new();
        for v in 1..20_u64 {
            for sql in [
                format!("UPDATE brands SET v = {v} WHERE id = {v}"),
                format!("UPDATE notes SET v = {v} WHERE id % 100 = {}", 2 * v + 40),
                format!("DELETE FROM notes WHERE id % 300 = {}", 2 * v + 200),
                format!("UPDATE items SET v = {v} WHERE id % 200 = {}", v + 100),
            ] {
                shop.database.sql(&sql);
            }
            let is_touched = |id: &u64| {
                id % 100 == v
                    || id % 100 == 2 * v + 40
                    || id % 300 == 2 * v + 200
                    || id % 200 == v + 100
            };
            touched.extend((1..=ROWS).filter(is_touched));
            thread::sleep(Duration::from_millis(50));
        }
        let run = end(child);
        assert!(total(&run, "withdrawn") + total(&run, "repaired") > 0, "nothing was overtaken");
        // An application drops what it changed after it was verified.
        shop.change("SELECT 1", &touched);
        let rows = shop.database.query(&JOINED.replace("n.v AS note", "COALESCE(n.v, -1)"));
        let rows: BTreeMap<String, [i64; 3]> = rows.lines().map(row).collect();
        let cached = shop.cached();
        let stale = cached.iter().filter(|(key, value)| {
            let [id, v, note] = ["id", "v", "note"].map(|name| value[name].as_i64().unwrap_or(-1));
            rows.get(*key) != Some(&[id, v, note])
        });
        assert_eq!(stale.collect::<Vec<_>>(), Vec::new());
        assert!(cached.len() as u64 > ROWS / 2, "{}", cached.len());
        assert_eq!(total(&run, "warmed") + total(&run, "skipped"), ROWS, "{}", run.stdout);
        assert_eq!(run.strategy("shop/items")["protected"], true);
    });
}

fn row(line: &str) -> (String, [i64; 3]) {
    let cells: Vec<i64> = line.split(['\t', '|']).map(|n| n.parse().expect("a number")).collect();
    (format!("item:{}", cells[0]), cells.try_into().expect("three columns"))
}

/// A join that reads a large table from end to end would do so for each portion.
#[test]
fn what_costs_more_in_portions_is_read_in_one_stream() {
    on_each(|shop| {
        let cases = [
            ("JOIN brands j ON j.id = i.brand", "in portions"),
            ("LEFT JOIN notes j ON j.id = i.id", "in portions"),
            ("LEFT JOIN loose j ON j.id = i.id", "in one stream: several rows of loose may be"),
            ("LEFT JOIN seen j ON j.id = i.id", "in one stream: several rows of seen may be"),
            ("LEFT JOIN brands j ON j.v = i.v", "in one stream: several rows of brands may be"),
            ("RIGHT JOIN brands j ON j.id = i.id", "in one stream: it has a join that is neither"),
        ];
        for (join, words) in cases {
            shop.define(OWNS, &format!("SELECT i.id, i.v AS own, j.v FROM items i {join}"));
            let text = shop.diagnosis("items");
            assert!(text.contains(words), "{:?}, {join}: {text}", shop.database.dialect());
        }
    });
}
