//! `changed = "trust"`: a run with `--changed` reads what `_changed_at` says, whatever the value is
//! made of, and leaves what a full run leaves.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, Redis};
use crate::support::shop::DIALECTS;

/// Products with variants, each kind of value that is made of more than its row.
fn definitions(dialect: Dialect) -> String {
    let nested = match dialect {
        Dialect::Postgres => "(SELECT json_agg(v.price ORDER BY v.id) FROM v WHERE v.p = p.id)",
        Dialect::MySql => "(SELECT JSON_ARRAYAGG(v.price ORDER BY v.id) FROM v WHERE v.p = p.id)",
        Dialect::Sqlite => {
            "(SELECT json_group_array(price) FROM (SELECT price FROM v WHERE v.p = p.id ORDER BY id))"
        }
    };
    let at = "p.updated_at AS _changed_at";
    let all = [
        strategy(
            "nested",
            "object",
            "N:{id}",
            &format!("SELECT p.id, p.name, {nested} AS prices, {at} FROM p"),
        ),
        strategy(
            "grouped",
            "object",
            "G:{id}",
            "SELECT p.id, count(v.id) AS variants, max(p.updated_at) AS _changed_at \
             FROM p LEFT JOIN v ON v.p = p.id GROUP BY p.id",
        ),
        strategy(
            "joined",
            "object",
            "J:{v}",
            &format!("SELECT v.id AS v, p.name, v.price, {at} FROM v JOIN p ON p.id = v.p"),
        ),
        strategy(
            "list",
            "list",
            "L:{id}",
            &format!("SELECT p.id, v.id AS v, v.price, {at} FROM v JOIN p ON p.id = v.p"),
        ) + "order_by = \"v\"\n",
    ];
    let trusted = all.map(|one| one + "changed = \"trust\"\n");
    own(&["p", "v"], &trusted.concat())
}

/// What an application does in one go: it touches the product with whatever it changes of it.
fn happens(random: &mut Rng, now: &str) -> String {
    let (p, v, price) = (random.u32(1..200), random.u32(1..600), random.u32(1..1000));
    let touch = |p: u32| format!("UPDATE p SET updated_at = {now} WHERE id = {p};");
    match random.u8(..5) {
        0 => format!("UPDATE p SET name = 'n{price}', updated_at = {now} WHERE id = {p};"),
        1 => {
            let product = (v - 1) / 3 + 1;
            format!("UPDATE v SET price = {price} WHERE id = {v}; {}", touch(product))
        }
        2 => format!("DELETE FROM v WHERE id = {v} AND p = {p}; {}", touch(p)),
        3 => format!("DELETE FROM v WHERE p = {p}; DELETE FROM p WHERE id = {p};"),
        _ => {
            let id = 1000 + random.u32(..10_000);
            format!(
                "DELETE FROM v WHERE id = {id}; INSERT INTO v SELECT {id}, id, {price} FROM p WHERE id = {p}; {}",
                touch(p)
            )
        }
    }
}

fn dump(redis: &Redis) -> BTreeMap<String, String> {
    let keys = redis.cli(&["KEYS", "*"]);
    let keys: Vec<&str> = keys.lines().filter(|key| !key.contains("shopwarm:")).collect();
    let values = redis.cli(&[&["MGET"], keys.as_slice()].concat());
    let values = values.lines().map(str::to_owned);
    keys.iter().map(|key| (*key).to_owned()).zip(values).collect()
}

#[test]
fn a_history_of_changes_leaves_what_a_full_run_leaves() {
    for dialect in DIALECTS {
        let (kind, now, before) = match dialect {
            Dialect::Postgres => ("timestamptz", "now()", "now() - interval '2 days'"),
            Dialect::MySql => ("timestamp(6) NULL", "now(6)", "now(6) - interval 2 day"),
            Dialect::Sqlite => (
                "text",
                "strftime('%Y-%m-%d %H:%M:%f', 'now')",
                "strftime('%Y-%m-%d %H:%M:%f', 'now', '-2 day')",
            ),
        };
        let lab = Lab::empty(dialect);
        let mut rows = format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, name VARCHAR(20), updated_at {kind});
             CREATE TABLE v (id INTEGER PRIMARY KEY, p INTEGER, price INTEGER);"
        );
        for p in 1..200 {
            let v = 3 * p;
            rows += &format!(
                "INSERT INTO p VALUES ({p}, 'n', {before});
                 INSERT INTO v VALUES ({v}, {p}, 1), ({v} - 1, {p}, 2), ({v} - 2, {p}, 3);"
            );
        }
        lab.database.sql(&rows);
        let definitions = definitions(dialect);
        lab.with(&definitions, "warmup all").run().expect(0);
        let mut random = Rng::with_seed(7);
        for _ in 0..4 {
            let changes: Vec<String> =
                (0..random.u8(1..4)).map(|_| happens(&mut random, now)).collect();
            lab.database.sql(&changes.concat());
            let changed = "warmup all --changed --changed-overlap 0s -o json";
            let run = lab.with(&definitions, changed).run().expect(0);
            for id in ["own/nested", "own/grouped", "own/joined", "own/list"] {
                let strategy = run.strategy(id);
                assert_eq!(strategy["read"], "keys", "{dialect:?} {changes:?} {strategy:#}");
                let unchanged = strategy["unchanged"].as_u64().expect("a number");
                assert!(unchanged > 0, "{dialect:?} {strategy:#}");
            }
            let fresh = Redis::start(&[]);
            let full = lab.with(&definitions, "warmup all").cache(fresh.url());
            full.run().expect(0);
            assert_eq!(dump(&lab.redis), dump(&fresh), "{dialect:?} {changes:?}");
        }
    }
}

#[test]
fn what_trust_is_put_in_must_be_there() {
    let lab = Lab::things(Dialect::Sqlite);
    let definitions = strategy("a", "object", "A:{id}", "SELECT * FROM things");
    let definitions = own(&["things"], &(definitions + "changed = \"trust\"\n"));
    let run = lab.with(&definitions, "warmup all").run().expect(4);
    let says = "changed: \"trust\" is about the column `_changed_at`";
    assert!(run.stderr.contains(says), "{}", run.stderr);
}
