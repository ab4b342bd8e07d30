//! Jobs of a server that runs: at their times, once, however many servers keep time on one cache.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::faults::until;
use crate::support::lab::Lab;
use crate::support::servers::Dialect;
use crate::support::shopwarm::Shopwarm;

/// A database and a Redis, contexts of a few keys each, and a configuration for the servers.
struct Site {
    lab: Lab,
    files: TempDir,
}

/// One server.
struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Site {
    fn new(contexts: &[&str], config: &str) -> Site {
        let site = Site {
            lab: Lab::empty(Dialect::Sqlite),
            files: tempfile::tempdir().expect("a folder"),
        };
        std::fs::create_dir(site.files.path().join("contexts")).expect("a folder");
        for context in contexts {
            site.define(context, "SELECT 1 AS id UNION ALL SELECT 2 UNION ALL SELECT 3");
        }
        site.configure(config);
        site
    }

    fn define(&self, context: &str, sql: &str) {
        let text = format!(
            "[context]\nname = \"{context}\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"{context}:{{id}}\"\n\
             value = \"object\"\ntags = [\"few\"]\nsql.any = \"{sql}\"\n"
        );
        let path = self.files.path().join(format!("contexts/{context}.toml"));
        std::fs::write(path, text).expect("a file");
    }

    fn config(&self) -> PathBuf {
        self.files.path().join("shopwarm.toml")
    }

    fn configure(&self, jobs: &str) {
        std::fs::write(self.config(), format!("timezone = \"UTC\"\n{jobs}")).expect("a file");
    }

    fn command(&self, arguments: &str) -> Shopwarm {
        let contexts = self.files.path().join("contexts");
        let command = self.lab.command(arguments).contexts(&contexts);
        command.arg("--config").arg(self.config())
    }

    fn serve(&self) -> Server {
        let mut child = self.command("serve --listen 127.0.0.1:0").start();
        let said = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let saying = Arc::clone(&said);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                *saying.lock().expect("a text") += &format!("{line}\n");
            }
        });
        Server { child, said }
    }

    /// The history, newest first.
    fn runs(&self) -> Vec<Value> {
        let items = self.lab.redis.cli(&["LRANGE", "shopwarm:runs", "0", "-1"]);
        let items = items.lines().filter(|line| !line.is_empty());
        items.map(|item| serde_json::from_str(item).expect("JSON")).collect()
    }

    /// The runs of a job.
    fn runs_of(&self, job: &str) -> Vec<Value> {
        let mut runs = self.runs();
        runs.retain(|run| run["job"] == job);
        for run in &runs {
            assert_eq!(run["trigger"], "schedule");
        }
        runs
    }

    /// The time that a job has last run for.
    fn last_time(&self, job: &str) -> Timestamp {
        let time = self.lab.redis.cli(&["HGET", "shopwarm:schedule", job]);
        time.parse().expect("an instant")
    }

    fn set_last_time(&self, job: &str, at: Timestamp) {
        let at = at.to_string();
        self.lab.redis.cli(&["HSET", "shopwarm:schedule", job, &at]);
    }

    /// Has a lock as a run elsewhere would.
    fn lock(&self, context: &str) {
        let holder = r#"{"run_id":"r1","command":"warmup all","host":"elsewhere","pid":1,"since":"2026-01-01T00:00:00Z","token":"x"}"#;
        let key = format!("shopwarm:lock:{context}");
        let set = self.lab.redis.cli(&["SET", &key, holder, "NX", "PX", "600000"]);
        assert_eq!(set, "OK");
    }

    fn unlock(&self, context: &str) {
        let key = format!("shopwarm:lock:{context}");
        assert_eq!(self.lab.redis.cli(&["DEL", &key]), "1");
    }
}

impl Server {
    fn said(&self) -> String {
        self.said.lock().expect("a text").clone()
    }

    fn count(&self, words: &str) -> usize {
        self.said().matches(words).count()
    }

    #[track_caller]
    fn hears(&self, words: &str) {
        until(words, || self.said().contains(words));
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("kill").success(), "it has ended: {}", self.said());
    }

    /// Drains it.
    #[track_caller]
    fn end(&mut self) {
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        let said = self.said();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }

    /// Status and body of an answer.
    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        self.hears("listening on http://");
        let said = self.said();
        let (_, address) = said.split_once("listening on http://").expect("heard");
        let is_of = |c: &char| c.is_ascii_digit() || matches!(c, '.' | ':');
        let address: String = address.chars().take_while(is_of).collect();
        let mut stream = TcpStream::connect(&address).expect("a connection");
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (status.expect("a status"), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- a server said\n{}", self.said());
        }
    }
}

/// `[schedule.NAME]`.
fn job(name: &str, cron: &str, warmup: &str, more: &str) -> String {
    format!("[schedule.{name}]\ncron = \"{cron}\"\nwarmup = {warmup}\n{more}\n")
}

fn from_now(seconds: i64) -> Timestamp {
    let at = Timestamp::now().as_second() + seconds;
    Timestamp::from_second(at).expect("a time")
}

/// An expression for this time of every day.
fn daily(at: Timestamp) -> String {
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    format!("{} {} {} * * *", at.second(), at.minute(), at.hour())
}

fn started(run: &Value) -> Timestamp {
    let at = run["started_at"].as_str().expect("a text");
    at.parse().expect("an instant")
}

fn pause(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

#[test]
fn each_time_is_run_once_by_one_of_three_servers() {
    let options = "mode = \"only-missing\"\nlimit = 1\ntags = [\"few\"]\nconcurrency = 2";
    let jobs = job("tick", "*/2 * * * * *", "[\"tick\"]", options);
    let site = Site::new(&["tick"], &jobs);
    let begun = from_now(-1);
    let mut servers = [site.serve(), site.serve(), site.serve()];
    until("it has run some times", || site.runs_of("tick").len() >= 4);

    // What a hand starts beside it is as the configuration says, and not as the job.
    let mut answer = (409, String::new());
    until("it is free for a moment", || {
        answer = servers[0].ask("POST", "/admin/warmup/tick");
        answer.0 != 409
    });
    assert_eq!(answer.0, 200, "{}", answer.1);
    let answer: Value = serde_json::from_str(&answer.1).expect("JSON");
    assert_eq!(answer["report"]["totals"]["warmed"], 3, "{answer:#}");
    assert_eq!(answer["report"]["trigger"], "api");

    servers.iter_mut().for_each(Server::end);
    let mut runs = site.runs_of("tick");
    // A time that came just when its server was ended.
    runs.retain(|run| run["outcome"] != "interrupted" || run["totals"]["total"] != 0);
    for (i, run) in runs.iter().rev().enumerate() {
        assert_eq!(run["outcome"], "complete");
        assert_eq!(run["command"], "warmup tick");
        let totals = &run["totals"];
        assert_eq!(totals["total"], 1, "its limit");
        assert_eq!(totals["warmed"], u64::from(i == 0), "its mode");
    }
    // One for each time: no two of them within the same two seconds.
    let mut times: Vec<i64> = runs.iter().map(|run| started(run).as_second() / 2).collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
    times.dedup();
    let passed = started(&runs[0]).duration_since(begun).as_secs() / 2 + 1;
    assert!(times.len() as i64 <= passed, "{times:?}");
    let last = site.last_time("tick");
    assert_eq!(last.as_second() / 2, times[0]);
    assert_eq!(last.as_second() % 2, 0);
    // Drained servers start nothing.
    pause(3);
    assert_eq!(site.runs_of("tick").len(), runs.len());
}

/// Who waits for the others gets the lock after them, and must find the time taken.
#[test]
fn a_time_that_was_run_is_not_run_by_one_that_waited() {
    let jobs = job("tick", "*/3 * * * * *", "[\"tick\"]", "overlap = \"queue\"");
    let site = Site::new(&["tick"], &jobs);
    let mut servers = [site.serve(), site.serve(), site.serve()];
    until("it has run some times", || site.runs_of("tick").len() >= 4);
    servers.iter_mut().for_each(Server::end);
    let runs = site.runs_of("tick");
    // One that still waited when its server ended never began.
    let times: Vec<i64> = runs
        .iter()
        .filter(|run| run["error"].is_null())
        .map(|run| started(run).as_second() / 3)
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
}

#[test]
fn a_job_gives_way_to_a_run_or_waits_for_its_end() {
    let jobs = [
        job("skips", "* * * * * *", "[\"alpha\"]", ""),
        job("waits", "* * * * * *", "[\"beta\"]", "overlap = \"queue\""),
    ];
    let site = Site::new(&["alpha", "beta"], &jobs.concat());
    site.lock("alpha");
    site.lock("beta");
    let mut server = site.serve();
    until("some times have passed", || {
        server.count("skipped: another run is active") > 2 && server.count("already waiting") > 2
    });
    assert!(server.said().contains("elsewhere"), "who has the lock");
    assert_eq!(server.count("waiting for another run"), 1);
    assert_eq!(site.runs().len(), 0);

    let free = Timestamp::now();
    site.unlock("beta");
    until("what waited has run", || !site.runs_of("waits").is_empty());
    assert_eq!(site.runs_of("skips").len(), 0);
    site.unlock("alpha");
    until("the other runs again", || !site.runs_of("skips").is_empty());
    // Once for all the times that have passed, and then at each time.
    let passed = Timestamp::now().duration_since(free).as_secs() + 1;
    let runs = site.runs_of("waits").len() as i64;
    assert!(runs <= passed + 1, "{runs} in {passed} s");

    // What waits holds nobody up.
    until("it is free for a moment", || {
        site.lab.redis.cli(&["EXISTS", "shopwarm:lock:beta"]) == "0"
    });
    let set = ["SET", "shopwarm:lock:beta", "{}", "NX", "PX", "600000"];
    until("taken", || site.lab.redis.cli(&set) == "OK");
    let before = server.count("waiting for another run");
    until("it waits", || server.count("waiting for another run") > before);
    let asked = Timestamp::now();
    server.end();
    assert!(Timestamp::now().duration_since(asked) < SignedDuration::from_secs(15));
}

#[test]
fn a_missed_time_runs_once_within_its_grace() {
    let missed = from_now(-60);
    let day = SignedDuration::from_hours(24);
    let cron = daily(missed);
    let jobs = [
        job("in-time", &cron, "[\"alpha\"]", ""),
        job("too-late", &cron, "[\"beta\"]", "grace = \"10s\""),
        job("new", &cron, "[\"gamma\"]", ""),
        job("ahead", "* * * * * *", "[\"delta\"]", ""),
    ];
    let site = Site::new(&["alpha", "beta", "gamma", "delta"], &jobs.concat());
    for job in ["in-time", "too-late"] {
        site.set_last_time(job, missed - day);
    }
    // A server with a clock that was wrong has been here.
    site.set_last_time("ahead", missed + day * 365);

    let mut servers = [site.serve(), site.serve()];
    until("the missed one has run", || !site.runs_of("in-time").is_empty());
    until("the other one is told", || {
        servers.iter().all(|s| s.said().contains("times were missed"))
    });
    until("a wrong clock keeps nobody from running", || site.runs_of("ahead").len() > 1);
    servers.iter_mut().for_each(Server::end);
    // Nobody runs it again.
    let mut again = site.serve();
    let before = site.runs_of("ahead").len();
    until("it keeps time", || site.runs_of("ahead").len() > before);
    again.end();
    let counts = ["in-time", "too-late", "new"].map(|job| site.runs_of(job).len());
    assert_eq!(counts, [1, 0, 0]);
    assert_eq!(site.last_time("in-time"), missed);
    assert_eq!(site.last_time("too-late"), missed - day);
}

/// A query that takes its time.
const SLOW: &str = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1000000) SELECT count(*) AS id FROM s";

#[test]
fn of_jobs_at_one_instant_the_widest_runs() {
    let at = from_now(8);
    let cron = daily(at);
    let jobs = [
        job("a-part", &cron, "[\"alpha/one\"]", ""),
        job("b-narrow", &cron, "[\"alpha\"]", ""),
        job("wide", &cron, "[\"alpha\", \"beta\"]", ""),
    ];
    let site = Site::new(&["beta"], &jobs.concat());
    site.define("alpha", SLOW);
    let mut servers = [site.serve(), site.serve()];
    until("the time has come", || !site.runs_of("wide").is_empty());
    until("all have dealt with it", || servers.iter().all(|server| server.count("skipped: ") > 1));
    servers.iter_mut().for_each(Server::end);
    assert_eq!(site.runs().len(), 1);
    assert_eq!(site.last_time("wide"), at);
    let late = started(&site.runs()[0]).duration_since(at);
    assert!((0..5).contains(&late.as_secs()), "{late}");
}

#[test]
fn another_schedule_holds_after_a_reload() {
    let site = Site::new(&["alpha"], "");
    let mut server = site.serve();
    server.hears("listening on");
    site.configure(&job("tick", "* * * * * *", "[\"alpha\"]", "jitter = \"200ms\""));
    server.signal("HUP");
    until("the new job runs", || site.runs_of("tick").len() > 1);
    // A broken file changes nothing.
    site.configure(&job("tick", "* * * * *", "[\"nothing\"]", ""));
    server.signal("HUP");
    server.hears("not reloaded");
    let before = site.runs_of("tick").len();
    until("the old job runs", || site.runs_of("tick").len() > before);
    site.configure("");
    server.signal("HUP");
    until("no job is left", || server.count("reloaded strategies") > 1);
    pause(2);
    let before = site.runs_of("tick").len();
    pause(3);
    assert_eq!(site.runs_of("tick").len(), before);
    server.end();
}

#[test]
fn servers_that_start_together_warm_up_once_and_are_all_ready() {
    let site = Site::new(&[], "ready_after = \"first-run\"\non_start = [\"alpha\"]");
    site.define("alpha", SLOW);
    let mut servers = [site.serve(), site.serve()];
    let ready = |server: &Server| server.ask("GET", "/readyz").0 == 200;
    assert!(!servers.iter().all(ready), "not before the first run");
    until("all are ready", || servers.iter().all(ready));
    servers.iter_mut().for_each(Server::end);
    let runs = site.runs();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0]["trigger"], "start");
    assert_eq!(runs[0]["command"], "warmup alpha");

    site.configure("on_start = [\"alpah\"]");
    let run = site.command("serve --listen 127.0.0.1:0").run().expect(4);
    assert!(run.stderr.contains("on_start") && run.stderr.contains("alpah"));
    assert!(run.stderr.contains("`alpha`"), "{}", run.stderr);
}

#[test]
fn what_cannot_begin_is_recorded_once_and_tried_again() {
    let site = Site::new(&["alpha"], "on_start = [\"alpha\"]");
    let shop = site.files.path().join("shop.db");
    let database = format!("sqlite:{}", shop.display());
    let command = site.command("serve --listen 127.0.0.1:0");
    let mut child = command.database(&database).start();
    // Two tries and more.
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let lines = stderr.lines().map_while(Result::ok);
    let tries = lines.filter(|line| line.contains("run did not start"));
    assert_eq!(tries.take(2).count(), 2);
    let runs = site.runs();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0]["outcome"], "incomplete");
    let error = runs[0]["error"].as_str().expect("a text");
    assert!(error.contains("shop.db"), "{error}");
    std::fs::File::create(&shop).expect("a file");
    until("it has run", || site.runs().len() == 2);
    assert_eq!(site.runs()[0]["outcome"], "complete");
    child.kill().expect("a child");
    child.wait().expect("it ends");
}
