//! The life of `shopwarm serve`: it takes new files in, ends when it is told to, and does not grow.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::faults::until;
use crate::support::http::{Server, TOKEN};
use crate::support::lab::{own, strategy};
use crate::support::servers::Dialect;
use crate::support::site::{QUIET, Site, at_the_gate, ended, number, text};

/// How a run ended that is in the history.
fn recorded(site: &Site, run: &str) -> Value {
    let runs = site.lab.redis.cli(&["LRANGE", "shopwarm:runs", "0", "-1"]);
    let mut runs = runs.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    runs.find(|record| record["run_id"] == run).expect("it is in the history")
}

// ── SIGTERM and SIGINT ────────────────────────────────────────────────────────────────────────

#[test]
fn told_to_end_it_lets_runs_finish() {
    for signal in ["TERM", "INT"] {
        let site = Site::gated();
        let server = Server::start(site.serving("--grace 60s"));
        let run = server.start_run("/admin/warmup/gated");
        at_the_gate(&server, &run);
        let watching = server.listen(&run, None);
        server.signal(signal);
        server.hears("shutting down");
        until("it takes no more runs", || server.get("/readyz").status == 503);
        assert!(server.get("/readyz").body.contains("shutting down"));
        server.get("/livez").expect(200);
        let refused = server.post("/admin/warmup/identity");
        assert!(refused.header("retry-after").is_some());
        refused.refuses(503, &["shutting down"]);
        assert_eq!(server.json(&format!("/admin/runs/{run}"))["status"], "running");
        site.open();
        // Who watches sees the end.
        assert_eq!(watching.last().expect("events").data["outcome"], "complete");
        server.end().expect(0);
        assert_eq!(site.locks(), "");
        assert_eq!(recorded(&site, &run)["outcome"], "complete");
    }
}

#[test]
fn a_run_that_takes_longer_than_the_grace_is_stopped() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let site = Site::gated();
        let server = Server::start(site.serving("--grace 1s"));
        let run = server.start_run("/admin/warmup/gated");
        at_the_gate(&server, &run);
        let told = Instant::now();
        server.signal(signal);
        let ended = server.end().expect(code);
        assert!(told.elapsed() > Duration::from_secs(1), "{:?}", told.elapsed());
        assert!(told.elapsed() < Duration::from_mins(1), "{:?}", told.elapsed());
        assert!(ended.stderr.contains("outcome=\"interrupted\""), "{}", ended.stderr);
        assert_eq!(site.locks(), "");
        let record = recorded(&site, &run);
        assert_eq!(record["outcome"], "interrupted");
        assert_eq!(record["totals"]["warmed"], 20);
        let database = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND state = 'active'
                                AND application_name = 'shopwarm'",
            site.lab.database.name()
        );
        until("the query has ended", || site.lab.database.query(&database) == "0");
    }
}

#[test]
fn with_nothing_to_do_it_ends_at_once() {
    let site = Site::shop(Dialect::Sqlite);
    for signal in ["TERM", "INT"] {
        let server = site.serve();
        // Neither a silent client nor one that waits for more holds it up for long.
        let _idle = server.connect();
        let told = Instant::now();
        server.signal(signal);
        server.end().expect(0);
        assert!(told.elapsed() < Duration::from_secs(30), "{:?}", told.elapsed());
    }
}

#[test]
fn told_twice_it_ends_at_once() {
    let site = Site::gated();
    let server = Server::start(site.serving("--grace 60s"));
    let run = server.start_run("/admin/warmup/gated");
    at_the_gate(&server, &run);
    server.signal("TERM");
    server.hears("shutting down");
    let told = Instant::now();
    server.signal("TERM");
    server.end().expect(143);
    assert!(told.elapsed() < Duration::from_secs(40), "{:?}", told.elapsed());
}

#[test]
fn a_port_that_is_taken_is_said() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let address = server.address();
    let refused = site.command(&format!("serve --listen {address}")).run().expect(4);
    for word in ["cannot listen on", &address, "in use", "--listen"] {
        assert!(refused.stderr.contains(word), "no {word:?} in\n{}", refused.stderr);
    }
}

// ── SIGHUP ────────────────────────────────────────────────────────────────────────────────────

/// A context with one strategy of so many keys.
fn numbers(keys: u32) -> String {
    let sql = format!(
        "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < {keys}) SELECT id FROM s"
    );
    own(&["t"], &strategy("numbers", "object", "number:{id}", &sql))
}

#[test]
fn new_files_are_taken_in() {
    let site = Site::shop(Dialect::Sqlite);
    site.define(&numbers(3));
    let server = site.serve();
    let warm = || server.post("/admin/warmup/own").expect(200).json();
    assert_eq!(warm()["results"]["numbers"]["warmed"], 3);
    assert_eq!(server.json("/admin/schedule")["jobs"], json!([]));

    site.define(&numbers(5));
    site.config("default_ttl = \"5m\"\nttl_jitter = \"0\"\n[schedule.peak]\ncron = \"30 8 * * *\"\nwarmup = \"own\"\n");
    assert_eq!(warm()["results"]["numbers"]["warmed"], 3, "before it is told");
    server.signal("HUP");
    server.hears("reloaded");
    let warmed = warm();
    assert_eq!(warmed["results"]["numbers"]["warmed"], 5);
    assert_eq!(warmed["report"]["strategies"][0]["ttl_seconds"], 300);
    let schedule = server.json("/admin/schedule");
    assert_eq!(schedule["jobs"][0]["name"], "peak");
    assert_eq!(
        server.post("/admin/schedule/peak/run?wait=true").expect(200).json()["total_warmed"],
        5
    );

    // A job for every second of a new file runs without another word.
    site.config("[schedule.now]\ncron = \"* * * * * *\"\nwarmup = \"own\"\n");
    server.signal("HUP");
    until("the clock has run it", || {
        let runs = server.json("/admin/runs");
        runs["runs"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|run| run["trigger"] == "schedule" && run["job"] == "now")
    });
}

#[test]
fn broken_files_change_nothing_and_are_told() {
    let site = Site::shop(Dialect::Sqlite);
    site.define(&numbers(3));
    let server = site.serve();
    let works = || {
        assert_eq!(server.post("/admin/warmup/own").expect(200).json()["total"], Value::Null);
    };
    works();
    let before = server.json("/admin/strategies")["strategies"].as_array().map(Vec::len);
    let good = fs::read_to_string(site.path("shopwarm.toml")).expect("a file");
    let mut told = 0;
    let mut hup = |words: &[&str]| {
        server.signal("HUP");
        told += 1;
        until("it is told", || server.said().matches("not reloaded").count() == told);
        let said = server.said();
        let line = said.lines().rfind(|line| line.contains("not reloaded")).expect("a line");
        for word in words {
            assert!(
                said[said.rfind("not reloaded").unwrap_or(0)..].contains(word)
                    || line.contains(word),
                "no {word:?} in {line}"
            );
        }
        assert_eq!(server.json("/admin/strategies")["strategies"].as_array().map(Vec::len), before);
        works();
    };
    site.write("shopwarm.toml", &format!("{QUIET}\n[schedule.x\ncron = 5\n"));
    hup(&["the old configuration stays", "shopwarm.toml", "6"]);
    site.write(
        "shopwarm.toml",
        &format!("{QUIET}\n[schedule.x]\ncron = \"0 25 * * *\"\nwarmup = \"all\"\n"),
    );
    hup(&["shopwarm.toml", "25"]);
    site.write(
        "shopwarm.toml",
        &format!("{QUIET}\n[schedule.x]\ncron = \"0 2 * * *\"\nwarmup = \"nowhere\"\n"),
    );
    hup(&["nowhere"]);
    site.write("shopwarm.toml", &format!("concurency = 5\n{QUIET}"));
    hup(&["shopwarm.toml", "concurency", "1"]);
    site.write("shopwarm.toml", &good);
    site.define(&own(
        &["t"],
        &strategy("foreign", "object", "user:{id}", "SELECT id, email FROM users"),
    ));
    hup(&["own.toml", "own/foreign", "users"]);
    site.define("[context\n");
    hup(&["own.toml", "1"]);
    fs::remove_file(site.path("own.toml")).expect("a file");
    hup(&["own.toml"]);
    // Mended, it is taken in.
    site.define(&numbers(4));
    server.signal("HUP");
    server.hears("reloaded strategies=");
    assert_eq!(
        server.post("/admin/warmup/own").expect(200).json()["results"]["numbers"]["warmed"],
        4
    );
}

#[test]
fn a_run_keeps_what_it_began_with() {
    let site = Site::gated();
    let server = site.serve();
    let run = server.start_run("/admin/warmup/gated");
    at_the_gate(&server, &run);
    site.define(&own(&["t"], &strategy("one", "object", "one", "SELECT 1 AS id")));
    server.signal("HUP");
    server.hears("reloaded");
    server.post("/admin/warmup/gated").refuses(404, &["gated"]);
    site.open();
    let report = ended(&server, &run);
    assert_eq!(report["outcome"], "complete");
    assert_eq!(report["totals"]["warmed"], 50);
    server.post("/admin/warmup/own").expect(200);
}

#[test]
fn the_token_is_changed_without_a_restart() {
    let site = Site::shop(Dialect::Sqlite);
    let file = site.write("token", TOKEN);
    let mut server = Server::start(site.serving("--token-file").arg(&file));
    let status =
        |server: &Server, token: &str| server.ask("GET", "/admin/runs").token(token).send().status;
    let new = "a-token-nobody-knows-yet";
    assert_eq!([status(&server, TOKEN), status(&server, new)], [200, 401]);
    fs::write(&file, new).expect("a file");
    server.signal("HUP");
    server.hears("reloaded");
    assert_eq!([status(&server, TOKEN), status(&server, new)], [401, 200]);
    // A token that is none leaves the last one in place.
    fs::write(&file, "hunter2").expect("a file");
    server.signal("HUP");
    server.hears("not reloaded");
    assert_eq!(status(&server, new), 200);
    server.bring(None);
}

#[test]
fn a_public_server_never_loses_its_token() {
    let site = Site::shop(Dialect::Sqlite);
    let token = site.write("token", TOKEN);
    let settings = |listen: &str, token: &str| format!("listen = \"{listen}\"\n{token}\n");
    let with_token = format!("token_file = {:?}", token.display().to_string());
    let file = site.write("public.toml", &settings("0.0.0.0:0", &with_token));
    let command = site.lab.command("serve").arg("--config").arg(&file);
    let mut server = Server::start(command);
    let reload = |listen: &str, token: &str, word: &str| {
        fs::write(&file, settings(listen, token)).expect("a file");
        server.signal("HUP");
        server.hears(word);
    };
    reload("127.0.0.1:0", &with_token, " reloaded");
    // What it listens on counts, not what the file says meanwhile.
    reload("127.0.0.1:0", "", "has no token");
    server.get("/admin/runs").expect(401);
    server.bring(Some(TOKEN));
    server.get("/admin/runs").expect(200);
}

#[test]
fn only_so_many_runs_go_on_at_once() {
    let site = Site::gated();
    let server = site.serve();
    let run = server.start_run("/admin/warmup/gated");
    at_the_gate(&server, &run);
    let look = || {
        let path = "/admin/warmup/gated?wait=false";
        server.post_json(path, &serde_json::json!({ "dry_run": true }))
    };
    let answers: Vec<u16> = (0..20).map(|_| look().status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 202).count(), 15);
    look().refuses(503, &["already has 16 active or waiting runs"]);
    server.get("/livez").expect(200);
    site.open();
    assert_eq!(ended(&server, &run)["outcome"], "complete");
}

// ── no growth ─────────────────────────────────────────────────────────────────────────────────

/// Resident memory in KiB, and open files, of a process.
fn size(server: &Server) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    let memory = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    let files = fs::read_dir(format!("/proc/{}/fd", server.id())).expect("its files");
    (memory, files.count())
}

/// `scripts/load` does this with ten thousand runs.
#[test]
fn many_runs_leave_nothing_behind() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let run = |times: usize| {
        for i in 0..times {
            let answer = server.post("/admin/warmup/catalog/category-list").expect(200).json();
            assert_eq!(answer["success"], true, "{i}: {answer:#}");
        }
    };
    run(60);
    let (memory, files) = size(&server);
    let keys = site.lab.redis.cli(&["DBSIZE"]);
    run(150);
    let (later, _) = size(&server);
    assert!(later < memory + 4 * 1024, "from {memory} to {later} KiB");
    // The last connections may still be closing.
    until("no more files are open", || size(&server).1 <= files + 1);
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), keys);
    assert_eq!(site.lab.redis.cli(&["LLEN", "shopwarm:runs"]), "200");
    let runs = server.json("/admin/runs");
    let runs = runs["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 200);
    assert!(runs.iter().all(|run| text(run, "status") == "complete" && number(run, "warmed") == 1));
}
