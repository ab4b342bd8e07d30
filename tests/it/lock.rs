//! One run at a time for each context, whoever starts it: who gives way, who waits, and what becomes
//! of a run whose lock another has taken. What a killed holder leaves is in `signals`.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::cached::Embedded;
use crate::support::faults::{bulk, calm, keys, until, warm};
use crate::support::held::{Held, LONG, SHORT};
use crate::support::lab::{Lab, own, strategy};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{Dialect, Redis, Sqlite};
use crate::support::shopwarm::{Finished, Shopwarm, finish, read_until, send};
use crate::support::terminal::{Terminal, command};

/// How long a lock lasts.
const TTL: i64 = 30_000;

fn host() -> String {
    let host = Command::new("hostname").output().expect("hostname");
    String::from_utf8_lossy(&host.stdout).trim().to_owned()
}

/// The lock keys that there are, in order.
fn locks(lab: &Lab) -> Vec<String> {
    let found = lab.redis.cli(&["KEYS", "*shopwarm:lock:*"]);
    let mut keys: Vec<String> = found.split_whitespace().map(str::to_owned).collect();
    keys.sort();
    keys
}

/// Milliseconds that a key still has.
fn ttl(lab: &Lab, key: &str) -> i64 {
    lab.redis.cli(&["PTTL", key]).parse().expect("a number")
}

/// A run that gave way: it says to what, for how long that has been at work, and what to do.
#[track_caller]
fn gives_way(run: Shopwarm, words: &[&str]) -> Finished {
    let run = calm(run.run()).expect(8);
    let always = ["another run is active", "--lock-wait", "--no-lock"];
    for word in always.iter().chain(words) {
        assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
    }
    assert_eq!(run.stdout, "");
    run
}

/// A strategy of one's own in each of these contexts, on an empty SQLite database.
fn small(contexts: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for context in contexts {
        let sql = "SELECT 1 AS id UNION ALL SELECT 2";
        let text = format!(
            "[context]\nname = \"{context}\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"{context}:{{id}}\"\nvalue = \"object\"\nsql.any = \"{sql}\"\n"
        );
        let path = dir.path().join(format!("{context}.toml"));
        std::fs::write(path, text).expect("a file");
    }
    dir
}

/// One strategy with a key.
fn one_key() -> String {
    own(&["t"], &strategy("one", "object", "K:{id}", "SELECT 1 AS id"))
}

// ── who gives way ─────────────────────────────────────────────────────────────────────────────

#[test]
fn a_second_run_gives_way_and_others_run_beside() {
    let lab = Lab::shop(Dialect::Postgres);
    let held = Held::start(&lab, "warmup context catalog", "");
    assert_eq!(locks(&lab), ["shopwarm:lock:catalog"]);
    assert!((1..=TTL).contains(&ttl(&lab, "shopwarm:lock:catalog")));

    let process = format!("process {}", held.child.id());
    let host = host();
    for arguments in [
        "all",
        "context catalog",
        "context ordering catalog",
        "strategy catalog/categories",
        "all --tag product",
    ] {
        let run = lab.command(&format!("warmup {arguments} -o json"));
        let words = ["`warmup context catalog`", &host, &process, ", started "];
        gives_way(run, &words);
    }
    // Nothing of theirs, and no lock that one of them had for a moment.
    let of_others = lab.keys();
    assert!(of_others.iter().all(|key| key.starts_with("big:")));
    assert_eq!(locks(&lab), ["shopwarm:lock:catalog"]);

    for arguments in [
        "warmup context ordering",
        "warmup context ordering identity --allow-empty",
        "warmup keys Product:id:prod-0001",
        "warmup strategy catalog/categories --no-lock",
        "warmup context catalog --prefix other:",
        "dry-run context catalog",
        "keys list --limit 1",
    ] {
        let run = calm(lab.command(arguments).run());
        assert!(run.code == 0 || arguments.contains("keys list"), "{arguments}: {run:?}");
    }
    assert_eq!(lab.redis.cli(&["EXISTS", "Category:id:cat-01"]), "1");

    let run = held.go_on().expect(0);
    assert_eq!(run.json()["outcome"], "complete");
    assert_eq!(locks(&lab), [""; 0]);
    lab.command("warmup context catalog").run().expect(0);
}

#[test]
fn a_run_has_the_lock_of_each_of_its_contexts_and_gives_all_back() {
    let lab = Lab::shop(Dialect::Postgres);
    let all = ["catalog", "identity", "ordering"].map(|c| format!("p:shopwarm:lock:{c}"));
    let held = Held::start(&lab, "warmup all", "p:");
    assert_eq!(locks(&lab), all);
    let holder: Value = serde_json::from_str(&lab.get(&all[0])).expect("JSON");
    assert_eq!(holder["command"], "warmup all");
    assert_eq!(holder["pid"], held.child.id());
    for key in &all {
        assert_eq!(lab.get(key), holder.to_string().replace(": ", ":"), "the same claim");
        assert!((1..=TTL).contains(&ttl(&lab, key)));
    }
    for context in ["catalog", "identity", "ordering"] {
        let run = lab.command(&format!("warmup context {context} --prefix p:"));
        gives_way(run, &["`warmup all`"]);
    }
    held.signal("INT");
    held.end().expect(130);
    assert_eq!(locks(&lab), [""; 0], "after Ctrl-C");

    // A closed terminal may be reported twice: by the kernel and by the shell. The cache is slow meanwhile.
    let held = Held::start(&lab, "warmup context catalog", "q:");
    lab.redis.cli(&["CLIENT", "PAUSE", "3000", "WRITE"]);
    held.signal("HUP");
    std::thread::sleep(Duration::from_millis(500));
    held.signal("HUP");
    held.end().expect(143);
    assert_eq!(locks(&lab), [""; 0], "after the terminal was closed");

    let held = Held::start(&lab, "warmup context catalog --deadline 4s", "q:");
    held.end().expect(9);
    assert_eq!(locks(&lab), [""; 0], "after the deadline");

    let wrong = own(&["t"], &strategy("one", "object", "K:{id}", "SELECT 1 / (SELECT 0) AS id"));
    let run = lab.with(&wrong, "warmup context own").run();
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(locks(&lab), [""; 0], "after a failure");
}

// ── who waits ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn one_that_waits_says_so_and_runs_afterwards_or_gives_up() {
    let lab = Lab::shop(Dialect::Postgres);
    let held = Held::start(&lab, "warmup context catalog", "");
    let wait = |how: &str| {
        let run = lab.command("warmup strategy catalog/categories -o json").args(how);
        let asked = Instant::now();
        (run, asked)
    };

    let (run, asked) = wait("--lock-wait 1s");
    let run = gives_way(run, &["`warmup context catalog`"]);
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert!(run.stderr.contains("waiting for another run"), "{}", run.stderr);

    // Ctrl-C while it waits: at once, and nothing is left.
    let mut child = wait("--lock-wait 60s").0.start();
    read_until(&mut child, "waiting for another run: `warmup context catalog`");
    let asked = Instant::now();
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    assert!(asked.elapsed() < Duration::from_secs(40));
    assert_eq!(run.json()["outcome"], "interrupted");
    assert_eq!(locks(&lab), ["shopwarm:lock:catalog"]);

    // A deadline counts the waiting too.
    let run = wait("--lock-wait 60s --deadline 1s").0.run().expect(9);
    assert_eq!(run.json()["outcome"], "deadline");

    let mut lines = wait("--lock-wait 60s --progress lines").0.start();
    let mut json = wait("--lock-wait 60s --progress json").0.start();
    let bars = Terminal::new(100, 30);
    let strategy = "warmup strategy catalog/categories --lock-wait 60s --progress bars";
    bars.type_line(&command(strategy, &lab.database.url(), &lab.redis.url()));
    bars.wait_for("waiting for another run: `warmup context catalog`");
    read_until(&mut lines, "waiting for another run: `warmup context catalog`");
    let said = read_until(&mut json, "\"waiting\"");
    let event: Value = serde_json::from_str(said.trim()).expect("one event");
    assert_eq!(event["event"], "waiting");
    assert_eq!(event["holder"]["command"], "warmup context catalog");
    assert_eq!(event["holder"]["pid"], held.child.id());
    assert_eq!(event["holder"].get("token"), None, "what proves the claim is not told");

    held.go_on().expect(0);
    for child in [lines, json] {
        let run = finish(child).expect(0);
        assert_eq!(run.json()["outcome"], "complete");
    }
    bars.wait_for("exit=0");
    assert_eq!(locks(&lab), [""; 0]);
}

#[test]
fn of_runs_that_start_at_one_instant_one_runs() {
    let lab = Lab::empty(Dialect::Sqlite);
    let contexts = small(&["alpha", "beta", "gamma"]);
    let start = |arguments: &str| {
        let run = lab.command(arguments).contexts(contexts.path());
        run.args("-o json").start()
    };
    let mut beside = 0;
    for round in 0..20 {
        // In the second half they share some of their contexts only.
        let (one, other) = match round < 10 {
            true => ("warmup context alpha", "warmup context alpha"),
            false => ("warmup context gamma beta", "warmup context alpha beta"),
        };
        let runs = [start(one), start(other)].map(|child| calm(finish(child)));
        let codes = [runs[0].code, runs[1].code];
        match codes {
            [0, 0] => {}
            [0, 8] | [8, 0] => beside += 1,
            _ => panic!("{codes:?} in round {round}: {runs:?}"),
        }
        assert_eq!(locks(&lab), [""; 0]);
    }
    assert!(beside > 0, "they never met");
}

// ── who loses it ──────────────────────────────────────────────────────────────────────────────

/// Four runs at once, since each takes its time: one keeps its lock, one has it stolen, one finds it
/// deleted, and one hears nothing of its Redis for longer than a lock lasts.
#[test]
fn a_lock_is_renewed_and_one_that_is_lost_ends_the_run() {
    let lab = Lab::shop(Dialect::Postgres);
    let silent = FaultProxy::to(lab.redis.port());
    let url = format!("redis://127.0.0.1:{}", silent.port());
    let on = |url: &str, prefix: &str| Held::on(&lab, url, "warmup context catalog", prefix, LONG);
    let start = |prefix: &str| on(&lab.redis.url(), prefix);
    let kept = start("kept:");
    let [stolen, deleted] = [start("stolen:"), start("deleted:")];
    let unheard = on(&url, "unheard:");
    let key = |prefix: &str| format!("{prefix}shopwarm:lock:catalog");

    silent.stall();
    let thief = r#"{"run_id":"thief","command":"warmup all","host":"elsewhere","pid":1,"since":"2026-01-01T00:00:00Z","token":"other"}"#;
    lab.redis.cli(&["SET", &key("stolen:"), thief, "PX", "120000"]);
    lab.redis.cli(&["DEL", &key("deleted:")]);

    let mut lowest = TTL;
    until("it is renewed", || {
        thread::sleep(Duration::from_millis(100));
        let left = ttl(&lab, &key("kept:"));
        assert!(left > 15_000, "{left}");
        let renewed = left > lowest + 1_000;
        lowest = lowest.min(left);
        renewed
    });

    for held in [stolen, deleted] {
        is_lost(&held.end(), "was taken by another run, or deleted");
    }
    // It compares before it gives back.
    assert_eq!(lab.get(&key("stolen:")), thief);
    assert!(ttl(&lab, &key("stolen:")) > TTL);
    gives_way(
        lab.command("warmup context catalog --prefix stolen:"),
        &["`warmup all` on elsewhere (process 1, run thief)"],
    );

    // What is in flight to a silent server may end the run before its lock does.
    let unheard = unheard.end();
    match unheard.code {
        6 => {}
        _ => is_lost(&unheard, "could not be renewed"),
    }
    assert!(unheard.json()["elapsed_ms"].as_u64() < Some(40_000));
    kept.signal("INT");
    assert!(kept.end().expect(130).json()["warnings"].is_null());
}

/// A run that was ended because its lock was lost.
#[track_caller]
fn is_lost(run: &Finished, why: &str) {
    assert_eq!(run.code, 8, "{run:?}");
    let report = run.json();
    assert_eq!(report["outcome"], "interrupted", "{report:#}");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("the run was stopped: its lock") && warnings.contains(why),
        "{warnings}"
    );
    assert_eq!(run.strategy("catalog/big")["status"], "cancelled");
    assert_eq!(run.strategy("catalog/categories")["total"], 0);
}

// ── who may not, and what is no lock ──────────────────────────────────────────────────────────

#[test]
fn a_user_who_may_not_lock_is_warned_and_runs() {
    let lab = Lab::empty(Dialect::Sqlite);
    for (user, rules) in [
        ("noeval", "~* +@all -eval"),
        ("nodel", "~* +@all -del"),
        ("noexpire", "~* +@all -pexpire"),
        ("noget", "~* +@all -get"),
        ("keysonly", "~K:* +@all"),
    ] {
        let mut acl = vec!["ACL", "SETUSER", user, "on", ">hunter2"];
        acl.extend(rules.split(' '));
        lab.redis.cli(&acl);
        let url = format!("redis://{user}:hunter2@127.0.0.1:{}", lab.redis.port());
        let warm = |how: &str| {
            let run = lab.with(&one_key(), "warmup context own -o json");
            run.args(how).cache(&url)
        };
        // Twice: what the first one could not give back must not stand in the second one's way.
        for _ in 0..2 {
            let run = calm(warm("").run()).expect(0);
            let warnings = run.json()["warnings"].to_string();
            assert!(warnings.contains("cannot take the lock"), "{user}: {warnings}");
            assert_eq!(locks(&lab), [""; 0], "{user}");
        }
        let run = calm(warm("--lock-wait 1s").run()).expect(7);
        assert!(run.stderr.contains("+eval"), "{}", run.stderr);
        let run = warm("--no-lock").run().expect(0);
        let warnings = run.json()["warnings"].to_string();
        assert!(!warnings.contains("no lock"), "{warnings}");
    }
}

#[test]
fn what_is_no_lock_is_said_in_words() {
    let lab = Lab::empty(Dialect::Sqlite);
    let key = "shopwarm:lock:own";
    for value in ["hello", "{}", "[1,2", "{\"run_id\":7}", "\u{1b}[2J", ""] {
        lab.redis.cli(&["SET", key, value]);
        let run = calm(lab.with(&one_key(), "warmup context own").run()).expect(8);
        assert!(run.stderr.contains(key), "{}", run.stderr);
        assert!(run.stderr.contains("delete that key"), "{}", run.stderr);
        assert_eq!(lab.get(key), value);
    }
    // What another wrote is shown escaped and short.
    let loud = format!(r#"{{"run_id":"r","command":"\u001b[2J{}","host":"h"}}"#, "x".repeat(9000));
    lab.redis.cli(&["SET", key, &loud]);
    let run = calm(lab.with(&one_key(), "warmup context own").run()).expect(8);
    assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
    assert!(run.stderr.len() < 1000, "{}", run.stderr);
    // No claim at all: it can neither be taken nor read.
    lab.redis.cli(&["DEL", key]);
    lab.redis.cli(&["HSET", key, "field", "value"]);
    let run = lab.with(&one_key(), "warmup context own -o json").run().expect(0);
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("cannot take the lock"), "{warnings}");
    assert_eq!(lab.redis.cli(&["TYPE", key]), "hash");
    calm(lab.with(&one_key(), "warmup context own --lock-wait 1s").run()).expect(7);
}

// ── the embedded cache ────────────────────────────────────────────────────────────────────────

/// The lock's row in an embedded cache.
const ROW: &str = "FROM entries WHERE key = CAST('shopwarm:lock:catalog' AS BLOB)";

fn embedded_ttl(cache: &Embedded) -> Option<i64> {
    let sql = format!("SELECT expires_at - unixepoch() * 1000 {ROW}");
    cache.sql(&sql).parse().ok()
}

fn held_on(lab: &Lab, cache: &Embedded, rows: u32) -> Held {
    Held::on(lab, &cache.url(), "warmup context catalog", "", rows)
}

#[test]
fn the_embedded_cache_has_locks_too() {
    let (lab, cache) = (Lab::shop(Dialect::Postgres), Embedded::new());
    let second = |how: &str| {
        let run = lab.command("warmup strategy catalog/categories -o json");
        cache.on(run.args(how))
    };
    let held = held_on(&lab, &cache, SHORT);
    let left = embedded_ttl(&cache).expect("a lock");
    assert!((1..=TTL + 1000).contains(&left), "{left}");
    gives_way(second(""), &["`warmup context catalog`"]);
    gives_way(second("--lock-wait 1s"), &["`warmup context catalog`"]);
    second("--no-lock").run().expect(0);
    let beside = lab.command("warmup context ordering");
    cache.on(beside).run().expect(0);
    let mut waiting = second("--lock-wait 60s").start();
    read_until(&mut waiting, "waiting for another run");
    held.go_on().expect(0);
    finish(waiting).expect(0);
    assert_eq!(embedded_ttl(&cache), None);

    // Killed: busy until its time is over.
    cache.sql("DELETE FROM entries");
    let held = held_on(&lab, &cache, LONG);
    held.signal("KILL");
    assert_eq!(finish(held.child).code, -9);
    gives_way(second(""), &["`warmup context catalog`"]);
    let (_, row) = ROW.split_once("WHERE").expect("a condition");
    cache.sql(&format!("UPDATE entries SET expires_at = 1 WHERE {row}"));
    second("").run().expect(0);
    assert_eq!(embedded_ttl(&cache), None);
}

#[test]
fn a_lock_in_the_embedded_cache_is_renewed_and_one_that_is_lost_ends_the_run() {
    let lab = Lab::shop(Dialect::Postgres);
    let [kept, stolen] = [Embedded::new(), Embedded::new()];
    let keeps = held_on(&lab, &kept, LONG);
    let loses = held_on(&lab, &stolen, LONG);
    let (_, row) = ROW.split_once("WHERE").expect("a condition");
    let thief = format!("UPDATE entries SET value = CAST('thief' AS BLOB) WHERE {row}");
    stolen.sql(&thief);
    let mut lowest = TTL + 1000;
    until("it is renewed", || {
        thread::sleep(Duration::from_millis(200));
        let left = embedded_ttl(&kept).expect("a lock");
        let renewed = left > lowest + 1_000;
        lowest = lowest.min(left);
        renewed
    });
    is_lost(&loses.end(), "was taken by another run, or deleted");
    let value = stolen.sql(&format!("SELECT CAST(value AS TEXT) {ROW}"));
    assert_eq!(value, "thief");
    keeps.signal("INT");
    keeps.end().expect(130);
    assert_eq!(embedded_ttl(&kept), None);
}

#[test]
fn of_runs_on_the_embedded_cache_that_start_at_one_instant_one_runs() {
    let (lab, cache) = (Lab::empty(Dialect::Sqlite), Embedded::new());
    let contexts = small(&["alpha", "beta", "gamma"]);
    let start = |arguments: &str| {
        let run = lab.command(arguments).contexts(contexts.path());
        cache.on(run.args("-o json")).start()
    };
    for round in 0..10 {
        let (one, other) = ("warmup context gamma beta", "warmup context alpha beta");
        let runs = [start(one), start(other)].map(|child| calm(finish(child)));
        let codes = [runs[0].code, runs[1].code];
        let known = [[0, 0], [0, 8], [8, 0]];
        assert!(known.contains(&codes), "{codes:?} in round {round}: {runs:?}");
        let found = "SELECT count(*) FROM entries WHERE CAST(key AS TEXT) LIKE '%shopwarm:lock%'";
        assert_eq!(cache.sql(found), "0");
    }
}

/// A Redis that restarts empty has forgotten the lock with all else; nobody has taken it from us.
#[test]
fn a_lock_survives_a_restart_of_the_cache() {
    let (_dir, contexts) = bulk(&[2500]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let child =
        warm(&contexts, database.url(), redis.url()).args("--rate 200 --progress none").start();
    until("the run is under way", || keys(&redis) > 50);
    redis.restart();
    let lock = ["EXISTS", "shopwarm:lock:bulk"];
    assert_eq!(redis.cli(&lock), "0");
    until("it is taken again", || redis.cli(&lock) == "1");
    for _ in 0..8 {
        send(&child, "USR2");
        // Signals that wait for each other are one.
        thread::sleep(Duration::from_millis(20));
    }
    let run = calm(finish(child)).expect(0);
    assert_eq!(keys(&redis), 2500);
    let warnings = run.strategy("bulk/first")["warnings"].to_string();
    assert!(warnings.contains("sent again"), "{warnings}");
    assert_eq!(redis.cli(&lock), "0");
}
