//! A run on a live shop: as fast as it may be, and no faster.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::faults::{bulk, calm, count, keys, true_counts, until, warm};
use crate::support::http::Server;
use crate::support::lab::Lab;
use crate::support::servers::{Dialect, Redis, Sqlite};
use crate::support::shopwarm::{file, finish, shopwarm};
use crate::support::site::Site;

/// Starts a run of so many keys, an SQLite file each, and of about 400 bytes.
fn start(rows: u32, redis: &Redis, arguments: &str) -> (Child, impl Sized) {
    let (dir, contexts) = bulk(&[rows]);
    let database = Sqlite::database();
    let child = warm(&contexts, database.url(), redis.url()).args(arguments).start();
    (child, (dir, database))
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.expect("kill runs").success(), "it has ended already");
}

fn seconds_limited(report: &Value, by: &str) -> f64 {
    let limited = report["pace"]["limited_by"].as_array().expect("a list");
    let seconds = limited.iter().find(|limited| limited["by"] == by);
    seconds.map_or(0.0, |limited| limited["seconds"].as_f64().expect("a number"))
}

#[test]
fn keys_leave_at_the_rate_and_evenly() {
    let redis = Redis::start(&[]);
    let begun = Instant::now();
    let (mut child, _kept) = start(3000, &redis, "--rate 1000");
    // The most that came between two looks, a tenth of a second apart or more. A look takes time, more
    // on a busy machine: it counts from the beginning of the one to the end of the other.
    let (mut last, mut most) = ((Instant::now(), keys(&redis)), 0.0_f64);
    while child.try_wait().expect("a process").is_none() {
        std::thread::sleep(Duration::from_millis(100));
        let now = (Instant::now(), keys(&redis));
        let rate = (now.1 - last.1) as f64 / last.0.elapsed().as_secs_f64();
        most = most.max(rate);
        last = now;
    }
    let run = calm(finish(child)).expect(0);
    assert!(begun.elapsed() >= Duration::from_millis(2800), "{:?}", begun.elapsed());
    // A batch of 500 at once would be 5,000 a second; the two slices that may come late are 1,500.
    assert!(most <= 2500.0, "{most} keys/s");
    let report = run.json();
    assert_eq!(report["pace"]["rate"], 1000);
    assert_eq!(report["pace"]["lowest_rate"], 1000);
    let limited = seconds_limited(&report, "rate");
    // A busy machine is a limit itself.
    assert!(limited > 0.2, "{report:#}");
    true_counts(&run, &redis);
}

#[test]
fn bytes_have_a_rate_too() {
    let redis = Redis::start(&[]);
    let begun = Instant::now();
    let (child, _kept) = start(1000, &redis, "--max-bytes-rate 200kB");
    let run = calm(finish(child)).expect(0);
    // A key and its value have more than 400 bytes.
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    assert!(seconds_limited(&run.json(), "bytes rate") > 0.2);
    true_counts(&run, &redis);
}

#[test]
fn a_run_without_a_rate_says_nothing_of_it() {
    let redis = Redis::start(&[]);
    let (child, _kept) = start(100, &redis, "");
    let run = calm(finish(child)).expect(0);
    assert_eq!(run.json()["pace"], json!(null));
}

#[test]
fn a_slow_run_can_be_stopped_and_nothing_is_in_doubt() {
    let redis = Redis::start(&[]);
    let (child, _kept) = start(10_000, &redis, "--rate 100");
    until("it is under way", || keys(&redis) > 20);
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    let totals = &run.json()["totals"];
    assert_eq!([count(totals, "failed"), count(totals, "unknown")], [0, 0]);
    assert!(count(totals, "warmed") < 5000);
    true_counts(&run, &redis);
}

#[test]
fn signals_halve_and_double_the_pace() {
    let redis = Redis::start(&[]);
    let (mut child, _kept) = start(100_000, &redis, "--rate 1000 --progress json");
    until("it is under way", || keys(&redis) > 100);
    let mut said = Said::of(&mut child);
    send(&child, "USR1");
    let halved = said.wait_for("pace_changed");
    assert_eq!((&halved["change"], &halved["rate"]), (&json!("halved"), &json!(500)));
    // Keys leave at it.
    for _ in 0..3 {
        until("it holds", || said.wait_for("progress")["rate"] == 500);
    }
    send(&child, "USR2");
    assert_eq!(said.wait_for("pace_changed")["rate"], 1000);
    for rate in [2000, 4000, 8000] {
        send(&child, "USR2");
        let doubled = said.wait_for("pace_changed");
        assert_eq!((&doubled["change"], &doubled["rate"]), (&json!("doubled"), &json!(rate)));
    }
    let progress = said.wait_for("progress");
    assert_eq!(progress["rate"], 8000);
    send(&child, "INT");
    said.read_on();
    let run = finish(child).expect(130);
    let pace = &run.json()["pace"];
    assert_eq!((&pace["rate"], &pace["lowest_rate"]), (&json!(8000), &json!(500)));
}

#[test]
fn a_run_without_a_rate_is_halved_from_what_it_does() {
    let redis = Redis::start(&[]);
    let (mut child, _kept) = start(2_000_000, &redis, "--progress json");
    until("it is under way", || keys(&redis) > 2000);
    let mut said = Said::of(&mut child);
    send(&child, "USR2");
    assert_eq!(said.wait_for("pace_changed")["rate"], json!(null));
    // As soon as it is known what it writes.
    until("it is halved", || {
        send(&child, "USR1");
        let halved = said.wait_for("pace_changed");
        let is_halved = halved["change"] == "halved";
        assert!(is_halved || halved["change"] == "not halved", "{halved}");
        is_halved && halved["rate"].as_u64().is_some_and(|rate| rate > 100)
    });
    until("that holds it back", || said.wait_for("progress")["limited_by"].is_string());
    send(&child, "USR2");
    assert_eq!(said.wait_for("pace_changed")["rate"], json!(null), "as before");
    send(&child, "INT");
    said.read_on();
    finish(child).expect(130);
}

#[test]
fn a_gentle_run_gives_way_and_recovers() {
    let redis = Redis::start(&["--enable-debug-command", "local"]);
    // Slow enough to see, if nothing happens.
    let (mut child, _kept) =
        start(2_000_000, &redis, "--gentle --max-cache-latency 60ms --progress json");
    let mut said = Said::of(&mut child);
    until("it is up to speed", || {
        let progress = said.wait_for("progress");
        progress["rate"] == json!(null)
    });
    // Somebody keeps the server busy: every client has to wait.
    let limited = |said: &mut Said| {
        let progress = said.wait_for("progress");
        let by = progress["limited_by"].as_str().unwrap_or_default().to_owned();
        (by, progress["rate"].as_u64())
    };
    let slowed = std::cell::Cell::new(false);
    until("it gives way", || {
        redis.cli(&["DEBUG", "SLEEP", "0.2"]);
        let (by, rate) = limited(&mut said);
        slowed.set(by.starts_with("cache latency") && rate.is_some());
        slowed.get()
    });
    until("it recovers", || said.wait_for("progress")["rate"] == json!(null));
    send(&child, "INT");
    said.read_on();
    let run = finish(child).expect(130);
    let report = run.json();
    assert_eq!(report["pace"]["gentle"], json!(true));
    assert!(seconds_limited(&report, "cache latency") > 0.0, "{report:#}");
    let totals = &report["totals"];
    assert_eq!([count(totals, "failed"), count(totals, "unknown")], [0, 0]);
}

#[test]
fn a_gentle_run_gives_way_to_the_databases_clients() {
    for dialect in [Dialect::Postgres, Dialect::MySql] {
        let (_dir, contexts) = bulk(&[400_000]);
        let lab = Lab::empty(dialect);
        // Nothing answers this fast: it is always too slow.
        let limits = "--max-cache-latency 1s --max-db-latency 10us --progress json";
        let run = warm(&contexts, lab.database.url(), lab.redis.url()).args(limits);
        let mut child = run.start();
        let mut said = Said::of(&mut child);
        until("the database holds it back", || {
            let by = said.wait_for("progress")["limited_by"].clone();
            by.as_str().is_some_and(|by| by.starts_with("database latency"))
        });
        until("it falls to the floor", || {
            let rate = said.wait_for("progress")["rate"].as_u64();
            rate.is_some_and(|rate| rate < 1000)
        });
        send(&child, "INT");
        said.read_on();
        let report = finish(child).expect(130).json();
        assert!(seconds_limited(&report, "database latency") > 0.0, "{report:#}");
    }
}

#[test]
fn a_gentle_run_on_files_watches_nothing_and_says_so() {
    let (_dir, contexts) = bulk(&[3000]);
    let (database, files) = (Sqlite::database(), tempfile::tempdir().expect("a folder"));
    let cache = format!("sqlite:{}/cache.db", files.path().display());
    let run = warm(&contexts, database.url(), cache).args("--gentle").run();
    let report = calm(run).expect(0).json();
    let warning = report["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("neither the database nor the cache can be watched"), "{warning}");
    assert_eq!(report["totals"]["warmed"], 3000);
}

#[test]
fn a_server_changes_the_pace_of_its_runs() {
    let (_dir, contexts) = bulk(&[30_000]);
    let site = Site::shop(Dialect::Sqlite);
    let server = Server::start(site.serving("").contexts(&contexts));
    let started = server
        .ask("POST", "/admin/warmup/bulk?wait=false")
        .json(&json!({ "rate": 100, "gentle": false }))
        .send()
        .expect(202)
        .json();
    let run = started["run_id"].as_str().expect("an id").to_owned();
    let path = format!("/admin/runs/{run}");
    let patch = |body: Value| server.ask("PATCH", &path).json(&body).send();
    until("it is under way", || keys(&site.lab.redis) > 20);
    assert_eq!(patch(json!({ "rate": 2000 })).expect(200).json()["rate"], 2000);
    let gentle = patch(json!({ "gentle": true })).expect(200).json();
    assert_eq!(gentle["gentle"], json!(true));
    patch(json!({ "gentle": false })).expect(200);
    for wrong in [json!({}), json!({ "rate": 0 }), json!({ "speed": 1 }), json!({ "rate": "fast" })]
    {
        patch(wrong).expect(422);
    }
    // The process's signals are for all of its runs.
    server.signal("USR1");
    until("it is halved", || {
        let rate = patch(json!({ "gentle": false })).expect(200).json();
        rate["rate"] == 1000
    });
    patch(json!({ "rate": null })).expect(200);
    until("it has ended", || server.json(&path)["status"] == "finished");
    let report = &server.json(&path)["report"];
    assert_eq!(report["outcome"], "complete");
    assert_eq!(report["pace"]["rate"], json!(null));
    assert!(seconds_limited(report, "rate") > 0.1, "{report:#}");
    patch(json!({ "rate": 5 })).expect(409);
    server.ask("PATCH", "/admin/runs/none").json(&json!({ "rate": 5 })).send().expect(404);
    let audited = server.said();
    assert!(audited.contains("method=PATCH") && audited.contains(&run), "{audited}");
    let events = server.get(&format!("{path}/events")).expect(200);
    assert!(events.body.contains("pace_changed"), "{}", events.body);
    // Nothing runs: the signal changes nothing, and ends nothing.
    server.signal("USR2");
    server.get("/livez").expect(200);
}

#[test]
fn a_job_can_have_a_pace() {
    let site = Site::shop(Dialect::Sqlite);
    site.config(
        "[schedule.slow]\ncron = \"0 4 * * *\"\nwarmup = \"all\"\nrate = \"5k\"\ngentle = true",
    );
    let server = site.serve();
    let job = &server.json("/admin/schedule")["jobs"][0];
    assert_eq!((&job["rate"], &job["gentle"]), (&json!(5000), &json!(true)));
    let ran = server.ask("POST", "/admin/schedule/slow/run?wait=true").send();
    assert_eq!(ran.expect(200).json()["report"]["pace"]["gentle"], json!(true));
}

#[test]
fn a_pace_that_is_none_is_refused() {
    for (arguments, word) in [
        ("--rate 0", "not from 1"),
        ("--rate fast", "not an amount"),
        ("--max-bytes-rate 5x", "not an amount"),
        ("--max-cache-latency 1ns", "10us"),
        ("--max-db-latency soon", "2ms"),
    ] {
        let run = shopwarm("warmup all").args(arguments).run().expect(2);
        assert!(run.stderr.contains(word), "{arguments}: {}", run.stderr);
    }
    for (setting, word) in [("rate = 0", "from 1"), ("max_cache_latency = \"x\"", "2ms")] {
        let (_dir, path) = file("shopwarm.toml", setting);
        let run = shopwarm("config check").arg("--config").arg(path).run().expect(4);
        assert!(run.stderr.contains(word), "{setting}: {}", run.stderr);
    }
}

#[test]
fn what_is_said_last_of_gentleness_holds() {
    let (_dir, path) = file("shopwarm.toml", "gentle = false");
    let (_other, gentle) = file("shopwarm.toml", "gentle = true");
    let shown = |path: &std::path::Path, arguments: &str, variables: &[(&str, &str)]| {
        let mut command = shopwarm("config show -o json").args(arguments);
        for (name, value) in variables {
            command = command.env(name, value);
        }
        let document = command.arg("--config").arg(path).run().expect(0).json();
        let mut all = document["settings"].as_array().expect("a list").iter();
        let found = all.find(|s| s["name"] == "gentle").expect("it is shown").clone();
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        (text("value"), text("from"))
    };
    let is = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    let flag = "--max-cache-latency 2ms";
    let off = [("SHOPWARM_GENTLE", "0")];
    let latency = [("SHOPWARM_MAX_DB_LATENCY", "20ms")];
    assert_eq!(shown(&path, flag, &[]), is("true", "flag"));
    assert_eq!(shown(&path, "", &latency), is("true", "environment SHOPWARM_MAX_DB_LATENCY"));
    let by_variable = is("false", "environment SHOPWARM_GENTLE");
    assert_eq!(shown(&gentle, "", &off), by_variable);
    assert_eq!(shown(&gentle, "", &[off, latency].concat()), by_variable);
    assert_eq!(shown(&gentle, flag, &off), is("true", "flag"));
    assert_eq!(shown(&gentle, "", &[]).0, "true");
}

#[test]
fn a_run_that_only_looks_has_no_pace() {
    let site = Site::shop(Dialect::Sqlite);
    site.config("gentle = true\nrate = 500");
    let look =
        site.serve().post_json("/admin/warmup/all", &json!({ "dry_run": true })).expect(200).json();
    assert_eq!(look["report"]["pace"], json!(null), "{look:#}");
}

#[test]
fn a_body_that_says_null_has_no_rate() {
    let site = Site::shop(Dialect::Sqlite);
    site.config("rate = 7000");
    let server = site.serve();
    for (body, rate) in [(json!({}), json!(7000)), (json!({ "rate": null }), json!(null))] {
        let ran = server.post_json("/admin/warmup/all", &body);
        let pace = ran.expect(200).json()["report"]["pace"].clone();
        assert_eq!(pace.get("rate").unwrap_or(&json!(null)), &rate, "{body}");
    }
}

#[test]
fn what_is_read_back_is_read_at_the_pace_it_was_written() {
    let redis = Redis::start(&[]);
    let begun = Instant::now();
    let (child, _kept) = start(1000, &redis, "--rate 1000 --verify");
    calm(finish(child)).expect(0);
    // A second to write and a second to read, but for two slices.
    assert!(begun.elapsed() >= Duration::from_millis(1850), "{:?}", begun.elapsed());
}

/// What a process says on stderr, a JSON object a line.
struct Said(BufReader<ChildStderr>);

impl Said {
    fn of(child: &mut Child) -> Self {
        Self(BufReader::new(child.stderr.take().expect("piped")))
    }

    /// The next event of a name.
    #[track_caller]
    fn wait_for(&mut self, name: &str) -> Value {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).expect("a line");
            assert!(read > 0, "it ended and never said {name:?}:\n{before}");
            before.push_str(&line);
            let event: Value = serde_json::from_str(&line).expect("an event");
            if event["event"] == name {
                return event;
            }
        }
    }

    /// What else it says must have somewhere to go.
    fn read_on(self) {
        std::thread::spawn(move || std::io::copy(&mut { self.0 }, &mut std::io::sink()));
    }
}
