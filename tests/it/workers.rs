//! Portions that other processes warm: `warmup --workers` and `shopwarm worker`.

use std::process::Child;
use std::thread;
use std::time::Duration;

use crate::support::faults::{calm, keys, until, warm};
use crate::support::items::{ROWS, Shop, end, hurry, total};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{MariaDb, Postgres, Redis, RedisCluster, Sqlite};
use crate::support::shopwarm::{Finished, Shopwarm, file, finish, read_until, send, shopwarm};

const ITEMS: &str = "[context]\nname = \"shop\"\nowns = [\"items\"]\n[strategies.items]
                     key = \"item:{id}\"\nvalue = \"object\"\nsql.any = \"SELECT id, v FROM items\"\n";

fn on_each(test: fn(Shop)) {
    thread::scope(|scope| {
        scope.spawn(|| test(postgres()));
        scope.spawn(|| test(Shop::new(MariaDb::database(), "CONCAT('item:', id)")));
        scope.spawn(|| test(Shop::new(Sqlite::database(), "CAST('item:' || id AS text)")));
    });
}

fn postgres() -> Shop {
    Shop::new(Postgres::database(), "'item:' || id")
}

fn worker(shop: &Shop) -> Shopwarm {
    let worker = shopwarm("worker").contexts(&shop.contexts);
    worker.database(shop.database.url()).cache(shop.redis.url())
}

/// Some workers that have asked for work.
fn workers<const N: usize>(shop: &Shop) -> [Child; N] {
    [(); N].map(|()| named(shop).0)
}

/// One of them, and its name in the queue.
fn named(shop: &Shop) -> (Child, String) {
    let mut child = worker(shop).start();
    let said = read_until(&mut child, "waiting for portions");
    let name = said.split('"').nth(1).expect("a name").to_owned();
    (child, name)
}

/// Stops a worker in the middle of a portion.
fn stop_at_work(shop: &Shop, (worker, name): &(Child, String)) {
    until("it has a portion", || {
        send(worker, "STOP");
        thread::sleep(Duration::from_millis(50));
        let pending = ["XPENDING", "shopwarm:{portions}", "workers", "-", "+", "1", name];
        let is_at_work = !shop.redis.cli(&pending).is_empty();
        if !is_at_work {
            send(worker, "CONT");
        }
        is_at_work
    });
}

fn run(shop: &Shop, arguments: &str) -> Shopwarm {
    warm(&shop.contexts, shop.database.url(), shop.redis.url()).args(arguments)
}

/// A slow run that workers are in the middle of.
fn under_way(shop: &Shop, arguments: &str) -> Child {
    let child = run(shop, arguments).args("--rate 500").start();
    until("the run is under way", || keys(&shop.redis) > ROWS / 4);
    child
}

fn stop(worker: Child) {
    stopped(worker);
}

/// What it said.
fn stopped(worker: Child) -> String {
    send(&worker, "TERM");
    calm(finish(worker)).expect(0).stderr
}

/// Each row is there as it is, and was counted once.
#[track_caller]
fn whole(shop: &Shop, run: &Finished) {
    assert_eq!(shop.is_true(), shop.rows());
    assert_eq!(total(run, "warmed"), ROWS, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["outcome"], "complete");
    assert_eq!(run.strategy("shop/items")["protected"], true);
}

#[test]
fn workers_warm_what_a_run_asks_for() {
    on_each(|shop| {
        let workers = workers::<2>(&shop);
        let run = calm(run(&shop, "--workers 2").run()).expect(0);
        whole(&shop, &run);
        assert!(run.json()["workers"].as_u64() > Some(0), "{}", run.stdout);
        let left = shop.redis.cli(&["KEYS", "shopwarm:{portions}:*"]);
        assert_eq!(left, "", "what the run asked for is gone");
        for worker in workers {
            let said = stopped(worker);
            assert!(said.contains("ended"), "{said}");
        }
    });
}

/// What changes meanwhile, before and after a worker has verified it.
#[test]
fn nothing_stale_stays_of_what_workers_write() {
    on_each(|shop| {
        let workers = workers::<2>(&shop);
        shop.is_true_whatever_changes_in(run(&shop, "--workers 2"));
        workers.into_iter().for_each(stop);
    });
}

#[test]
fn a_worker_that_is_killed_costs_only_time() {
    let shop = postgres();
    let (killed, others) = (named(&shop), workers::<2>(&shop));
    let run = under_way(&shop, "--workers 3");
    stop_at_work(&shop, &killed);
    send(&killed.0, "KILL");
    assert_eq!(finish(killed.0).code, -9);
    let run = end(run);
    whole(&shop, &run);
    let warnings = run.strategy("shop/items")["warnings"].to_string();
    assert!(warnings.contains("a worker stopped answering"), "{warnings}");
    others.into_iter().for_each(stop);
}

/// Its portions went to another one; when it wakes up, it neither answers nor leaves anything stale.
#[test]
fn a_worker_that_was_stopped_finds_its_portions_gone() {
    let shop = postgres();
    let (stopped, [other]) = (named(&shop), workers(&shop));
    let run = under_way(&shop, "--workers 2");
    stop_at_work(&shop, &stopped);
    shop.database.sql("UPDATE items SET v = 7");
    hurry(&run);
    let run = calm(finish(run)).expect(0);
    // The application drops what it has changed.
    let all: Vec<u64> = (1..=ROWS).collect();
    shop.change("SELECT 1", &all);
    send(&stopped.0, "CONT");
    let said = self::stopped(stopped.0);
    assert!(said.contains("a portion was lost"), "{said}");
    shop.is_true();
    assert_eq!(total(&run, "warmed"), ROWS, "{}", run.stdout);
    stop(other);
}

#[test]
fn workers_come_and_go() {
    let shop = postgres();
    let [first] = workers(&shop);
    let run = under_way(&shop, "--workers 2");
    let [second] = workers(&shop);
    stop(first);
    let run = end(run);
    whole(&shop, &run);
    assert_eq!(run.json()["workers"], 2);
    let warnings = &run.strategy("shop/items")["warnings"];
    assert!(warnings.is_null(), "whoever ends in good order loses nothing: {warnings}");
    assert!(stopped(second).contains("no more portions of this run"));
}

#[test]
fn an_interrupted_run_stops_its_workers() {
    let shop = postgres();
    let [worker] = workers(&shop);
    let child = under_way(&shop, "--workers 1");
    send(&child, "INT");
    let interrupted = finish(child).expect(130);
    assert!(total(&interrupted, "warmed") < ROWS);
    until("it is over for the worker", || shop.redis.cli(&["XLEN", "shopwarm:{portions}"]) == "0");
    let cached = keys(&shop.redis);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(keys(&shop.redis), cached, "nothing is written any more");
    let run = calm(run(&shop, "--workers 1").run()).expect(0);
    whole(&shop, &run);
    stop(worker);
}

/// The next run leaves out what workers had finished.
#[test]
fn a_killed_run_is_resumed_by_workers() {
    let shop = postgres();
    let [worker] = workers(&shop);
    let child = under_way(&shop, "--workers 1");
    send(&child, "KILL");
    assert_eq!(finish(child).code, -9);
    let run = calm(run(&shop, "--workers 1 --resume --no-lock").run()).expect(0);
    assert_eq!(shop.is_true(), shop.rows());
    let resumed = total(&run, "resumed");
    assert!(resumed > 0, "{}", run.stdout);
    assert_eq!(total(&run, "warmed") + resumed, ROWS, "{}", run.stdout);
    stop(worker);
}

#[test]
fn a_cache_that_restarts_is_warmed_again() {
    let shop = postgres();
    let [worker] = workers(&shop);
    let run = under_way(&shop, "--workers 1");
    shop.redis.restart();
    until("what is left is written", || keys(&shop.redis) > ROWS / 10);
    hurry(&run);
    let run = calm(finish(run)).expect(0);
    whole(&shop, &run);
    let warnings = run.strategy("shop/items")["warnings"].to_string();
    assert!(warnings.contains("restarted or replaced"), "{warnings}");
    stop(worker);
}

#[test]
fn what_does_not_fit_is_left_to_others() {
    let shop = postgres();
    let other = shop.contexts.with_file_name("other.toml");
    let text = std::fs::read_to_string(&shop.contexts).expect("a file");
    std::fs::write(&other, text.replace("id, v FROM", "id, 1 AS v FROM")).expect("a file");
    let by_another_definition = worker(&shop).contexts(&other).start();
    let from_elsewhere = postgres();
    let of_another_database = worker(&shop).database(from_elsewhere.database.url()).start();
    let child = run(&shop, "--workers 3").start();
    let said = calm(finish(by_another_definition)).expect(4).stderr;
    assert!(said.contains("uses another definition of shop/items"), "{said}");
    let said = calm(finish(of_another_database)).expect(4).stderr;
    assert!(said.contains("reads another database"), "{said}");
    let [right] = workers(&shop);
    whole(&shop, &calm(finish(child)).expect(0));
    stop(right);
}

/// A worker that cannot reach the database any more gives its portion back, unwritten.
#[test]
fn a_worker_without_a_database_ends() {
    let server = Postgres::private(&[]);
    let shop = Shop::new(server.new_database(), "'item:' || id");
    let proxy = FaultProxy::to(server.port());
    let url = shop.database.url_via(proxy.port());
    let mut sick = worker(&shop).database(url).start();
    read_until(&mut sick, "waiting for portions");
    proxy.refuse();
    proxy.reset();
    let run = run(&shop, "--workers 2").start();
    let said = calm(finish(sick)).expect(5).stderr;
    assert!(said.contains("the database at 127.0.0.1"), "{said}");
    let [well] = workers(&shop);
    let run = calm(finish(run)).expect(0);
    whole(&shop, &run);
    assert!(run.strategy("shop/items")["warnings"].is_null(), "{}", run.stdout);
    stop(well);
}

/// A portion that ends one worker after another is not handed out for ever.
#[test]
fn a_portion_that_three_workers_lose_fails_its_strategy() {
    let shop = postgres();
    let run = run(&shop, "--workers 1").start();
    let cli = |command: &str| shop.redis.cli(&command.split(' ').collect::<Vec<_>>());
    let stream = "shopwarm:{portions}";
    until("a portion is there", || !matches!(&*cli(&format!("XLEN {stream}")), "" | "0"));
    cli(&format!("XGROUP CREATE {stream} workers 0"));
    let taken = cli(&format!("XREADGROUP GROUP workers dead COUNT 1 STREAMS {stream} >"));
    let id = taken.lines().find(|line| line.contains('-')).expect("an id");
    cli(&format!("XCLAIM {stream} workers dead 0 {id} IDLE 60000 RETRYCOUNT 3 JUSTID"));
    let [worker] = workers(&shop);
    let failed = calm(finish(run)).expect(3);
    let why = failed.strategy("shop/items")["error"].to_string();
    assert!(why.contains("3 workers ended while they warmed a portion"), "{why}");
    stop(worker);
}

/// Two rows of different portions have the same key.
#[test]
fn a_key_of_two_rows_counts_once() {
    let shop = postgres();
    shop.define("'items'", "SELECT CASE id WHEN 6000 THEN 1 ELSE id END AS id, v FROM items");
    let [worker] = workers(&shop);
    let run = calm(run(&shop, "--workers 1").run()).expect(3);
    assert_eq!(total(&run, "warmed"), keys(&shop.redis), "{}", run.stdout);
    assert_eq!(total(&run, "failed"), 1);
    stop(worker);
}

#[test]
fn a_run_without_workers_says_what_to_do() {
    let shop = postgres();
    let run = calm(run(&shop, "--workers 2 --wait 2s").run()).expect(3);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("no worker has taken a portion for 2s"), "{said}");
    assert!(said.contains("start `shopwarm worker`"), "{said}");
    // Nobody has a portion that the end of the run would wait for, up to ten seconds.
    let (all, warming) = (&run.json()["elapsed_ms"], &run.strategy("shop/items")["elapsed_ms"]);
    let after = all.as_u64().zip(warming.as_u64()).map(|(all, warming)| all - warming);
    assert!(after < Some(9_000), "{said}");
}

#[test]
fn a_cache_without_a_queue_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = format!("sqlite:{}/cache.db", dir.path().display());
    let database = Sqlite::database();
    database.sql("CREATE TABLE items (id integer PRIMARY KEY, v integer, name text)");
    let (_dir, contexts) = file("shop.toml", ITEMS);
    let said = |arguments: &str, code: i32| {
        let command = shopwarm(arguments).contexts(&contexts).database(database.url());
        calm(command.cache(&cache).run()).expect(code).stderr
    };
    let run = said("warmup all --workers 2", 4);
    assert!(run.contains("--workers needs Redis or Valkey"), "{run}");
    let missing = said("warmup all --workers 2 --mode only-missing", 2);
    assert!(missing.contains("cannot be combined with --mode only-missing"), "{missing}");
    let worker = said("worker", 4);
    assert!(worker.contains("a worker needs Redis or Valkey"), "{worker}");
}

/// A portion of more than 8 MiB is divided by the run, and what has no portions is read by it.
#[test]
fn large_rows_and_single_streams_are_warmed_too() {
    let shop = postgres();
    shop.database.sql(
        "ALTER TABLE items ALTER name SET STORAGE EXTERNAL;
         UPDATE items SET name = repeat(name, 60) WHERE id BETWEEN 2000 AND 2600;
         CLUSTER items USING items_pkey",
    );
    shop.define("'items'", "SELECT id, v, name FROM items");
    let workers = workers::<2>(&shop);
    let divided = calm(run(&shop, "--workers 2").run()).expect(0);
    assert_eq!((total(&divided, "warmed"), keys(&shop.redis)), (ROWS, ROWS));
    workers.into_iter().for_each(stop);
    shop.define("'items'", "SELECT id, max(v) AS v FROM items WHERE id <= 50 GROUP BY id");
    let streamed = calm(run(&shop, "--workers 2").run()).expect(0);
    assert_eq!(total(&streamed, "warmed"), 50, "{}", streamed.stdout);
    assert!(streamed.stdout.contains("no worker took part"), "{}", streamed.stdout);
}

/// Later runs know the keys that workers wrote, and their values.
#[test]
fn keys_of_workers_are_pruned_too() {
    let shop = postgres();
    let [worker] = workers(&shop);
    let arguments = "--workers 1 --prune --yes";
    let first = calm(run(&shop, arguments).run()).expect(0);
    whole(&shop, &first);
    shop.database.sql("DELETE FROM items WHERE id <= 10");
    let second = calm(run(&shop, arguments).run()).expect(0);
    assert_eq!(total(&second, "pruned"), 10, "{}", second.stdout);
    assert_eq!(shop.is_true(), shop.rows());
    stop(worker);
}

/// Not faster than it is asked to be, by all workers together.
#[test]
fn the_rate_is_that_of_the_whole_run() {
    let shop = postgres();
    let workers = workers::<3>(&shop);
    let run = calm(run(&shop, "--workers 3 --rate 2000").run()).expect(0);
    whole(&shop, &run);
    // The first slices need not wait.
    assert!(run.json()["elapsed_ms"].as_u64() > Some(2_000), "{}", run.stdout);
    workers.into_iter().for_each(stop);
}

#[test]
fn valkey_has_a_queue_too() {
    let mut shop = postgres();
    shop.redis = Redis::start_valkey(&[]);
    let [worker] = workers(&shop);
    let run = calm(run(&shop, "--workers 1").run()).expect(0);
    whole(&shop, &run);
    stop(worker);
}

#[test]
fn a_cluster_has_a_queue_too() {
    let cluster = RedisCluster::start(3, 0);
    let shop = postgres();
    let url = cluster.url();
    let of_cluster = |command: Shopwarm| command.cache(&url);
    let mut child = of_cluster(worker(&shop)).start();
    read_until(&mut child, "waiting for portions");
    let run = calm(of_cluster(run(&shop, "--workers 1")).run()).expect(0);
    assert_eq!(total(&run, "warmed"), ROWS, "{}", run.stdout);
    stop(child);
}

#[test]
fn a_server_is_a_worker_too() {
    let shop = postgres();
    let mut server = shopwarm("serve --worker --listen 127.0.0.1:0")
        .contexts(&shop.contexts)
        .database(shop.database.url())
        .cache(shop.redis.url())
        .start();
    read_until(&mut server, "waiting for portions");
    let run = under_way(&shop, "--workers 1");
    let [other] = workers(&shop);
    send(&server, "TERM");
    finish(server).expect(0);
    let run = end(run);
    whole(&shop, &run);
    let warnings = &run.strategy("shop/items")["warnings"];
    assert!(warnings.is_null(), "it has finished its portions: {warnings}");
    stop(other);
}
