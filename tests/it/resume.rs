//! Runs that go on where an earlier one was killed or interrupted.

use std::process::Child;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::faults::{calm, keys, until, warm};
use crate::support::items::{ROWS, Shop, end, total};
use crate::support::servers::{MariaDb, Postgres, Sqlite};
use crate::support::shopwarm::{Finished, finish, send, shopwarm};

const BY_ID: &str = "CAST('item:' || id AS text)";

fn on_each(test: fn(Shop)) {
    thread::scope(|scope| {
        scope.spawn(|| test(Shop::new(Postgres::database(), "'item:' || id")));
        scope.spawn(|| test(Shop::new(MariaDb::database(), "CONCAT('item:', id)")));
        scope.spawn(|| test(Shop::new(Sqlite::database(), BY_ID)));
    });
}

/// A run that was killed when it had noted about half of its portions.
fn killed(shop: &Shop) {
    kill(shop.start_until(ROWS / 2));
}

fn kill(child: Child) {
    send(&child, "KILL");
    assert_eq!(finish(child).code, -9);
}

/// Its lock is still there.
fn resume(shop: &Shop, flag: &str) -> Finished {
    let run = warm(&shop.contexts, shop.database.url(), shop.redis.url());
    let run = calm(run.args("--no-lock").args(flag).run()).expect(0);
    assert_eq!(run.json()["outcome"], "complete", "{}", run.stdout);
    run
}

/// Counts that agree with each other and with the cache.
fn taken_over(run: &Finished, shop: &Shop) -> u64 {
    let (warmed, skipped) = (total(run, "warmed"), total(run, "skipped"));
    assert_eq!(warmed + skipped, shop.rows().len() as u64, "{}", run.stdout);
    let resumed = run.json()["totals"]["resumed"].as_u64().unwrap_or(0);
    assert_eq!(skipped, resumed, "{}", run.stdout);
    resumed
}

fn warnings(run: &Finished) -> String {
    run.json()["strategies"][0]["warnings"].to_string() + &run.json()["warnings"].to_string()
}

#[test]
fn a_run_goes_on_where_another_was_killed() {
    on_each(|shop| {
        killed(&shop);
        let before = keys(&shop.redis);
        let run = resume(&shop, "--resume");
        let resumed = taken_over(&run, &shop);
        assert!(resumed > ROWS / 4 && resumed <= before, "{resumed} of {before}");
        assert_eq!(shop.is_true().len() as u64, ROWS);
        // There is nothing left.
        assert_eq!(shop.redis.cli(&["EXISTS", "shopwarm:unfinished"]), "0");
        let again = resume(&shop, "--resume");
        assert_eq!(total(&again, "warmed"), ROWS);
        assert!(warnings(&again).contains("was not interrupted"), "{}", again.stdout);
    });
}

/// Twice, with changes of all kinds in between.
#[test]
fn what_changed_meanwhile_is_found() {
    on_each(|shop| {
        killed(&shop);
        let gone = format!("DELETE FROM items WHERE id IN (1, {ROWS})");
        shop.change(&gone, &[1, ROWS]);
        shop.change("UPDATE items SET v = 7 WHERE id = 2", &[2]);
        shop.change(&format!("UPDATE items SET v = 7 WHERE id = {}", ROWS - 1), &[ROWS - 1]);
        shop.change("INSERT INTO items VALUES (100000, 8, 'new')", &[100_000]);
        let second = warm(&shop.contexts, shop.database.url(), shop.redis.url());
        let before = keys(&shop.redis);
        let second = second.args("--rate 500 --no-lock --resume").start();
        until("the second run is under way", || keys(&shop.redis) > before + 1500);
        kill(second);
        shop.change("UPDATE items SET v = 9 WHERE id = 3", &[3]);
        let run = resume(&shop, "--resume");
        assert!(taken_over(&run, &shop) > ROWS / 2, "{}", run.stdout);
        let cached = shop.is_true();
        assert_eq!(cached["item:100000"]["v"], 8);
        // Elsewhere the application fills what it has dropped.
        let dropped = [2, 3].iter().filter(|id| !cached.contains_key(&format!("item:{id}")));
        let missing = ROWS - 1 - cached.len() as u64;
        assert_eq!(missing, dropped.count() as u64);
    });
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let shop = Shop::new(Sqlite::database(), BY_ID);
    let child = shop.start_until(ROWS / 2);
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    let next = run.json()["next"].as_str().expect("a command").to_owned();
    assert!(next.contains(" --resume"), "{next}");
    let id = run.json()["run_id"].as_str().expect("an id").to_owned();
    let run = shopwarm(&format!("warmup context shop --resume={id}")).contexts(&shop.contexts);
    let run = run.database(shop.database.url()).cache(shop.redis.url()).run().expect(0);
    assert!(run.stdout.contains(" keys of an interrupted run were left alone\n"), "{}", run.stdout);
    assert_eq!(shop.is_true().len() as u64, ROWS);
}

/// Whatever would make what is there wrong.
#[test]
fn what_no_longer_fits_is_warmed_from_its_start() {
    type Break = (&'static str, fn(&Shop), &'static str);
    let cases: [Break; 7] = [
        ("--resume", |shop| shop.database.sql("VACUUM FULL items"), "its table was rewritten"),
        (
            "--resume",
            |shop| {
                let text = std::fs::read_to_string(&shop.contexts).expect("a file");
                let text = text.replace("id, v FROM", "id, v + 0 AS v FROM");
                std::fs::write(&shop.contexts, text).expect("a file");
            },
            "its definition, its options",
        ),
        ("--resume --default-ttl 2h", |_| (), "its definition, its options"),
        ("--resume --no-verify-writes", |_| (), "its definition, its options"),
        ("--resume=0123", |_| (), "run 0123 was not interrupted"),
        ("--resume --limit 9000", |_| (), "does not go together with --limit"),
        (
            "--resume --mode only-missing",
            |shop| drop(shop.redis.cli(&["FLUSHDB"])),
            "does not go together with --mode",
        ),
    ];
    thread::scope(|scope| {
        for (flag, change, why) in cases {
            scope.spawn(move || {
                let shop = Shop::new(Postgres::database(), "'item:' || id");
                killed(&shop);
                change(&shop);
                let run = resume(&shop, flag);
                assert_eq!(total(&run, "warmed"), ROWS, "{flag}: {}", run.stdout);
                assert!(warnings(&run).contains(why), "{flag}: {}", run.stdout);
            });
        }
    });
}

#[test]
fn a_cache_that_was_restarted_takes_everything() {
    let shop = Shop::new(Sqlite::database(), BY_ID);
    killed(&shop);
    shop.redis.cli(&["SAVE"]);
    shop.redis.restart();
    let run = resume(&shop, "--resume");
    assert_eq!(total(&run, "warmed"), ROWS);
    assert!(warnings(&run).contains("the cache was restarted or replaced"), "{}", run.stdout);
}

/// Half of a TTL later the keys would not live as long as an operator expects.
#[test]
fn keys_that_expire_soon_are_written_again() {
    let shop = Shop::new(Sqlite::database(), BY_ID);
    let text = std::fs::read_to_string(&shop.contexts).expect("a file");
    let text = text.replace("value = ", "ttl = \"8s\"\nvalue = ");
    std::fs::write(&shop.contexts, text).expect("a file");
    killed(&shop);
    thread::sleep(Duration::from_secs(5));
    let run = resume(&shop, "--resume");
    assert_eq!(total(&run, "warmed"), ROWS);
    assert!(warnings(&run).contains("more than half of its TTL"), "{}", run.stdout);
}

/// Changes while the second run goes on: each key counts once.
#[test]
fn rows_that_change_during_a_resumed_run_count_once() {
    on_each(|shop| {
        killed(&shop);
        let before = keys(&shop.redis);
        let run = warm(&shop.contexts, shop.database.url(), shop.redis.url());
        let child = run.args("--rate 500 --no-lock --resume").start();
        until("the second run is under way", || keys(&shop.redis) > before + 500);
        let changed: Vec<u64> = (10..60).collect();
        shop.change("UPDATE items SET v = 7 WHERE id BETWEEN 10 AND 59", &changed);
        let run = end(child);
        assert!(taken_over(&run, &shop) > ROWS / 4, "{}", run.stdout);
        shop.is_true();
    });
}

/// Portions of very large rows are read in halves, also side by side.
#[test]
fn large_portions_are_noted_as_far_as_they_were_read() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    shop.database.sql(
        "ALTER TABLE items ALTER name SET STORAGE EXTERNAL;
         UPDATE items SET name = repeat(name, 60) WHERE id BETWEEN 2000 AND 2600;
         CLUSTER items USING items_pkey",
    );
    shop.define("'items'", "SELECT id, v, name FROM items");
    let run = warm(&shop.contexts, shop.database.url(), shop.redis.url());
    let child = run.args("--rate 1500 --readers 4").start();
    until("the run is under way", || keys(&shop.redis) > ROWS / 2);
    kill(child);
    let run = resume(&shop, "--resume --readers 4");
    assert!(taken_over(&run, &shop) > 0, "{}", run.stdout);
    assert_eq!(keys(&shop.redis), ROWS);
}

/// What another run has written in between is not known.
#[test]
fn a_run_of_another_kind_in_between_is_not_ignored() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    killed(&shop);
    let run = warm(&shop.contexts, shop.database.url(), shop.redis.url());
    let child = run.args("--no-lock --rate 500 --changed").start();
    until("it is noted", || shop.redis.cli(&["EXISTS", "shopwarm:unfinished"]) == "0");
    kill(child);
    let run = resume(&shop, "--resume");
    assert_eq!(total(&run, "warmed"), ROWS, "{}", run.stdout);
    assert!(!run.stdout.contains("\"resumed\""), "{}", run.stdout);
}

/// One that was stopped before it had done anything is.
#[test]
fn a_run_that_had_only_begun_hides_nothing() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    killed(&shop);
    shop.redis.cli(&["CLIENT", "PAUSE", "3000", "WRITE"]);
    let run = warm(&shop.contexts, shop.database.url(), shop.redis.url());
    let stopped = run.args("--no-lock --rate 50 --deadline 4s --resume").run();
    calm(stopped).expect(9);
    let run = resume(&shop, "--resume");
    assert!(taken_over(&run, &shop) > ROWS / 4, "{}", run.stdout);
}

/// The check after a run knows nothing of it.
#[test]
fn what_only_reads_reads_all() {
    let shop = Shop::new(Sqlite::database(), BY_ID);
    killed(&shop);
    let run = resume(&shop, "--resume --verify");
    assert!(taken_over(&run, &shop) > ROWS / 4, "{}", run.stdout);
    for warning in ["has no effect", "all of it is warmed"] {
        assert!(!run.stdout.contains(warning), "{}", run.stdout);
    }
    let verified = &run.json()["requirements"];
    assert_eq!(verified[0]["equal"], ROWS, "{verified}");
}

/// Strategies that were finished are not read again, however they are read.
#[test]
fn finished_strategies_are_taken_over() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    let text = std::fs::read_to_string(&shop.contexts).expect("a file");
    let few = "[strategies.few]\nkey = \"few:{id}\"\nvalue = \"object\"\npriority = 9
               sql.any = \"SELECT id, v FROM items\"\norder_by = \"id\"\nlimit = 50\n";
    std::fs::write(&shop.contexts, format!("{text}{few}")).expect("a file");
    killed(&shop);
    shop.change("UPDATE items SET v = 5 WHERE id = 1", &[1]);
    let run = resume(&shop, "--resume");
    let few = run.strategy("shop/few");
    assert_eq!((few["warmed"].as_u64(), few["resumed"].as_u64()), (Some(0), Some(50)));
    assert!(run.strategy("shop/items")["resumed"].as_u64() > Some(ROWS / 4));
    // It was not this run that wrote them all.
    let changed = resume(&shop, "--changed");
    assert_eq!(changed.strategy("shop/items")["read"], Value::from("full"), "{}", changed.stdout);
}

/// A later run that warms something else does not hide what was interrupted.
#[test]
fn the_last_run_of_these_strategies_is_gone_on_with() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    killed(&shop);
    let other = shop.contexts.with_file_name("other.toml");
    let text = "[context]\nname = \"other\"\nowns = [\"items\"]\n[strategies.few]
                key = \"few:{id}\"\nvalue = \"object\"\nsql.any = \"SELECT id FROM items WHERE id < 9\"\n";
    std::fs::write(&other, text).expect("a file");
    warm(&other, shop.database.url(), shop.redis.url()).run().expect(0);
    let run = resume(&shop, "--resume");
    assert!(taken_over(&run, &shop) > ROWS / 4, "{}", run.stdout);
}

/// What is not known is not called absent.
#[test]
fn notes_that_cannot_be_read_are_said_to_be_unknown() {
    let shop = Shop::new(Sqlite::database(), BY_ID);
    shop.redis.cli(&["SET", "shopwarm:unfinished", "something else"]);
    let run = resume(&shop, "--resume");
    assert_eq!(total(&run, "warmed"), ROWS);
    assert!(warnings(&run).contains("the cache does not say"), "{}", run.stdout);
}
