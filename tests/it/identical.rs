//! `--skip-identical`: what is there already is not sent again, and lives on.

use std::fmt::Write as _;

use crate::support::cached::Embedded;
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, Redis, RedisCluster};
use crate::support::shopwarm::{Finished, Shopwarm};

const ROWS: u64 = 3_000;

/// What changes before the second run: rows, a key of another type, and one that is gone.
const CHANGED: u64 = 40;
const ODD: [&str; 2] = ["O:7", "O:8"];

fn definitions() -> String {
    let objects = strategy("objects", "object", "O:{id}", "SELECT id, v FROM t");
    own(&["t"], &(objects + "order_by = \"id\"\nttl = \"2h\"\n"))
}

/// A table whose values have so many bytes.
fn lab(bytes: usize) -> Lab {
    let lab = Lab::empty(Dialect::Sqlite);
    let mut sql = "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT NOT NULL);".to_owned();
    for start in (0..ROWS).step_by(500) {
        let row = |id: u64| format!("({id}, '{id:0bytes$}')");
        let rows: Vec<String> = (start..start + 500).map(row).collect();
        let _ = write!(sql, "INSERT INTO t VALUES {};", rows.join(","));
    }
    lab.database.sql(&sql);
    lab
}

fn run(lab: &Lab, arguments: &str) -> Shopwarm {
    lab.with(&definitions(), arguments)
}

fn change(lab: &Lab) {
    let sql = format!("UPDATE t SET v = v || 'x' WHERE id >= 100 AND id < {}", 100 + CHANGED);
    lab.database.sql(&sql);
}

/// A line of INFO.
fn info(redis: &Redis, section: &str, name: &str) -> u64 {
    number(&redis.cli(&["INFO", section]), name)
}

fn number(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.unwrap_or("0").trim_start_matches([':', '=']);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().expect(name)
}

/// How often the server was asked whether values are the same.
fn asked(redis: &Redis) -> u64 {
    info(redis, "commandstats", "cmdstat_evalsha:calls")
}

fn counts(run: &Finished) -> (u64, Option<u64>) {
    let totals = &run.json()["totals"];
    let strategy = run.strategy("own/objects");
    assert_eq!(totals["identical"], strategy["identical"]);
    (totals["warmed"].as_u64().expect("a count"), totals["identical"].as_u64())
}

/// Lets all keys live for ten minutes only, and says how many there are.
const SHORTEN: &str = "local n = 0 \
    for _, key in ipairs(redis.call('KEYS', 'O:*')) do \
        n = n + redis.call('PEXPIRE', key, 600000) end \
    return n";

/// How many keys have less than 90 % of two hours left, or more than all of it.
const OUTSIDE: &str = "local n = 0 \
    for _, key in ipairs(redis.call('KEYS', 'O:*')) do \
        local left = redis.call('PTTL', key) \
        if left < 6400000 or left > 7200000 then n = n + 1 end end \
    return n";

#[test]
fn what_is_there_is_not_sent_again_and_lives_on() {
    let lab = lab(600);
    let replica = Redis::start(&[]);
    let port = lab.redis.url();
    let port = port.trim_end_matches('/').rsplit(':').next().expect("a port");
    let port = port.split('/').next().expect("a port");
    replica.cli(&["REPLICAOF", "127.0.0.1", port]);
    replica.cli(&["WAIT", "0", "0"]);
    while !replica.cli(&["INFO", "replication"]).contains("master_link_status:up") {
        std::thread::yield_now();
    }
    let figures = || {
        [
            info(&lab.redis, "stats", "total_net_input_bytes"),
            info(&lab.redis, "replication", "master_repl_offset"),
        ]
    };
    let growth = |arguments: &str| {
        let before = figures();
        let run = run(&lab, &format!("warmup context own -o json {arguments}"));
        let run = run.run().expect(0);
        let after = figures();
        (run, [after[0] - before[0], after[1] - before[1]])
    };
    let (first, _) = growth("--skip-identical");
    assert_eq!(counts(&first), (ROWS, Some(0)), "nothing is there yet");
    let (plain, sent) = growth("");
    assert_eq!(counts(&plain), (ROWS, None), "nobody asked");

    assert_eq!(lab.redis.cli(&["EVAL", SHORTEN, "0"]), ROWS.to_string());
    change(&lab);
    lab.redis.cli(&["DEL", ODD[0], ODD[1]]);
    lab.redis.cli(&["HSET", ODD[0], "a", "b"]);
    let (again, less) = growth("--skip-identical");
    assert_eq!(counts(&again), (ROWS, Some(ROWS - CHANGED - 2)));
    assert_eq!(lab.redis.cli(&["EVAL", OUTSIDE, "0"]), "0", "all live on");
    assert_eq!(lab.redis.cli(&["TYPE", ODD[0]]), "string", "written over");
    for (less, sent) in less.into_iter().zip(sent) {
        assert!(less * 3 < sent, "{less} of {sent} bytes");
    }
    run(&lab, "verify context own -q --expiring-within 1m").run().expect(0);

    // Of a key that never expires the time begins too.
    lab.redis.cli(&["PERSIST", "O:1"]);
    let (_, _) = growth("--skip-identical");
    assert_eq!(lab.redis.cli(&["EVAL", OUTSIDE, "0"]), "0");

    let table = run(&lab, "warmup context own --skip-identical").run().expect(0);
    assert!(table.stdout.contains(" identical "), "{}", table.stdout);
    let last = run(&lab, "runs last -o json").run().expect(0);
    assert_eq!(counts(&last), (ROWS, Some(ROWS)), "it is remembered");
    let table = run(&lab, "warmup context own").run().expect(0);
    assert!(!table.stdout.contains(" identical "), "{}", table.stdout);
    // What is not written over need not be compared.
    lab.redis.cli(&["CONFIG", "RESETSTAT"]);
    let missing = "warmup context own -q --skip-identical --mode only-missing";
    run(&lab, missing).run().expect(0);
    assert_eq!(asked(&lab.redis), 0);
}

#[test]
fn a_cluster_is_asked_node_by_node() {
    let lab = lab(600);
    let cluster = RedisCluster::start(3, 0);
    let nodes = 0..3;
    let on = |arguments: &str| {
        let run = run(&lab, &format!("warmup context own -o json {arguments}"));
        run.cache(cluster.url()).run().expect(0)
    };
    let received = || -> u64 {
        let info = |node| cluster.cli(node, &["INFO", "stats"]);
        nodes.clone().map(|node| number(&info(node), "total_net_input_bytes")).sum()
    };
    let everywhere = |script: &str| -> u64 {
        let of = |node| cluster.cli(node, &["EVAL", script, "0"]);
        nodes.clone().map(|node| of(node).parse::<u64>().expect("a number")).sum()
    };
    assert_eq!(counts(&on("--skip-identical")), (ROWS, Some(0)));
    let before = received();
    on("");
    let sent = received() - before;
    assert_eq!(everywhere(SHORTEN), ROWS);
    change(&lab);
    // One of them does not know the script any more.
    cluster.cli(1, &["SCRIPT", "FLUSH"]);
    let before = received();
    let again = on("--skip-identical");
    let less = received() - before;
    assert_eq!(counts(&again), (ROWS, Some(ROWS - CHANGED)));
    assert_eq!(everywhere(OUTSIDE), 0, "all live on");
    // What the nodes tell each other counts too.
    assert!(less * 3 < sent * 2, "{less} of {sent} bytes");
    let verify = run(&lab, "verify context own -q --expiring-within 1m");
    verify.cache(cluster.url()).run().expect(0);
}

#[test]
fn the_embedded_cache_keeps_what_it_has() {
    let lab = lab(600);
    let embedded = Embedded::new();
    let on = |arguments: &str| embedded.on(run(&lab, arguments));
    let warm = || {
        let run = on("warmup context own -o json --skip-identical").run();
        counts(&run.expect(0))
    };
    assert_eq!(warm(), (ROWS, Some(0)));
    embedded.sql(
        "UPDATE entries SET expires_at = (unixepoch() + 600) * 1000; \
         UPDATE entries SET type = 'hash', value = '{}' WHERE CAST(key AS TEXT) = 'O:7'; \
         UPDATE entries SET expires_at = 1 WHERE CAST(key AS TEXT) = 'O:8'",
    );
    change(&lab);
    assert_eq!(warm(), (ROWS, Some(ROWS - CHANGED - 2)));
    let living = "SELECT count(*) FROM entries WHERE CAST(key AS TEXT) LIKE 'O:%' \
         AND expires_at BETWEEN (unixepoch() + 6400) * 1000 AND (unixepoch() + 7201) * 1000";
    assert_eq!(embedded.sql(living), ROWS.to_string());
    on("verify context own -q --expiring-within 1m").run().expect(0);
}

#[test]
fn where_it_does_not_pay_it_stops_asking() {
    let lab = lab(600);
    let warm = |arguments: &str| {
        lab.redis.cli(&["CONFIG", "RESETSTAT"]);
        let arguments = format!(
            "warmup context own -o json --skip-identical --batch-size 100 --concurrency 1 {arguments}"
        );
        counts(&run(&lab, &arguments).run().expect(0))
    };
    run(&lab, "warmup context own -q").run().expect(0);
    assert_eq!(warm(""), (ROWS, Some(ROWS)));
    // A script is about fifty keys.
    assert!(asked(&lab.redis) >= ROWS / 50);
    lab.database.sql("UPDATE t SET v = v || 'y'");
    assert_eq!(warm(""), (ROWS, Some(0)), "all others");
    let few = asked(&lab.redis);
    assert!((10..=20).contains(&few), "asked {few} times, of {}", ROWS / 50);
    run(&lab, "verify context own -q --expiring-within 1m").run().expect(0);

    // Short values are sent, which is as short as asking.
    lab.database.sql("UPDATE t SET v = 'short'");
    assert_eq!(warm(""), (ROWS, Some(0)));
    assert_eq!(warm(""), (ROWS, Some(0)));
    assert_eq!(asked(&lab.redis), 0);
}

#[test]
fn a_server_that_does_not_compare_gets_everything() {
    let lab = lab(600);
    lab.redis.cli(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-evalsha"]);
    let url = lab.redis.url().replace("redis://", "redis://app:pw@");
    run(&lab, "warmup context own -q").run().expect(0);
    change(&lab);
    let warm = run(&lab, "warmup context own -o json --skip-identical");
    let warm = warm.cache(url).run().expect(0);
    assert_eq!(counts(&warm), (ROWS, Some(0)));
    let warnings = warm.strategy("own/objects")["warnings"].to_string();
    assert!(warnings.contains("--skip-identical: all values were sent"), "{warnings}");
    run(&lab, "verify context own -q --expiring-within 1m").run().expect(0);
}
