//! The page at `/`, in a real browser on a real server.

use std::fs;
use std::io::{BufRead as _, BufReader, copy, sink};
use std::process::Child;
use std::sync::mpsc::channel;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser::{Browser, http, until};
use crate::support::lab::{Lab, SHIPPED, own, strategy};
use crate::support::servers::{Dialect, PATIENCE, supervise, temp_dir};
use crate::support::shopwarm::{Shopwarm, file};

/// Of the current run, in the card that shows it.
const RUN: &str = "#running .run";

#[test]
fn the_whole_shop_is_warmed_and_its_report_read() {
    let lab = Lab::shop(Dialect::Sqlite);
    let server = Serve::start(lab.command("serve"));
    let page = server.page();
    assert_eq!(page.sees("#state", "ready"), "ready");
    assert!(page.sees("#version", "version").contains('.'));
    let shown = page.sees("#strategies", SHIPPED[0]);
    for id in SHIPPED {
        assert!(shown.contains(id), "{id} in {shown}");
    }
    page.sees("#running-note", "Nothing is running.");
    page.sees("#past-note", "No runs yet.");
    page.sees("#schedule .job:nth-child(2)", "UTC");
    let jobs = page.texts("#schedule h3");
    assert_eq!(jobs, ["catalog-incremental", "nightly"]);

    page.click("#warm-all");
    page.sees("#confirm", "7 strategies in 3 contexts");
    page.click("#confirm button.primary");
    page.sees(&format!("{RUN}[data-outcome]"), "complete");
    let bars = page.texts(".bars li");
    assert_eq!(bars.len(), SHIPPED.len(), "{bars:?}");
    assert!(bars.iter().all(|bar| bar.contains("completed")), "{bars:?}");

    let runs = server.get("/admin/runs")["runs"].take();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs:#}");
    let (run, warmed) = (&runs[0], runs[0]["warmed"].as_u64().expect("a count"));
    assert_eq!(run["status"], "complete");
    assert!(warmed > 100, "{run:#}");
    page.sees(&format!("{RUN} .counts"), &format!("{warmed} warmed"));
    let past = page.sees("#past tbody tr", "warmup all");
    assert!(past.contains("complete"), "{past}");
    assert!(past.contains(&format!("{warmed} / {warmed}")), "{past}");
    until("the last complete runs", || {
        let never = page.texts("#strategies .when");
        never
            .iter()
            .all(|when| !when.contains("never"))
            .then_some(())
    });

    page.click("#past tbody button");
    let report = page.sees("#report", run["run_id"].as_str().expect("a text"));
    for expected in ["complete", "admin API", "catalog/hot-products"] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
    assert!(
        report.contains(&format!("{warmed} of {warmed} keys (100.0%)")),
        "{report}"
    );
    page.click("#report button");
    until("the address without the report", || {
        let address = page.script("return location.hash", json!([]));
        (address == "").then_some(())
    });

    nothing_odd(&page);
    assert_eq!(page.complaints(), [""; 0]);
    server.was_alone_asked(&page);
}

#[test]
fn a_run_of_somebody_else_is_seen_and_stopped() {
    let lab = Lab::empty(Dialect::Sqlite);
    let numbers =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000)";
    lab.database.sql(&format!(
        "CREATE TABLE t (id int, v text); INSERT INTO t {numbers} SELECT i, 'v' || i FROM n"
    ));
    let slow = strategy("slow", "object", "K:{id}", "SELECT id, v FROM t");
    let definitions = own(&["t"], &slow);
    let serve = lab.with(&definitions, "serve");
    let server = Serve::start(serve);
    let page = server.page();
    page.sees("#running-note", "Nothing is running.");

    let started = server.post("/admin/warmup/own?wait=false");
    let id = started["run_id"].as_str().expect("a run").to_owned();
    page.sees(RUN, &id);
    page.sees(".bars li", "keys/s");
    let progress = "return Number(document.querySelector('[role=progressbar]').ariaValueNow)";
    let progress = || page.script(progress, json!([])).as_f64().unwrap_or(0.0);
    let before = until("progress", || Some(progress()).filter(|now| *now > 0.0));
    until("more progress", || {
        Some(progress()).filter(|now| *now > before)
    });

    page.click("#strategies .act");
    let refused = page.sees(".notice", "Warm own: failed.");
    assert!(refused.contains(&id), "who is at work, in {refused}");
    page.click(".notice button");

    page.click(&format!("{RUN} button"));
    page.sees(&format!("{RUN}[data-outcome]"), "interrupted");
    page.sees(".bars li", "cancelled");
    page.sees("#past tbody tr", "interrupted");
    let status = &server.get("/admin/runs")["runs"][0]["status"];
    assert_eq!(status, "interrupted");
    nothing_odd(&page);
}

#[test]
fn a_run_that_was_not_whole_says_so() {
    let lab = Lab::empty(Dialect::Sqlite);
    let rows: Vec<String> = (1..=2000).map(|id| format!("({id}, '{{}}')")).collect();
    let rows = rows.join(", ");
    lab.database.sql(&format!(
        "CREATE TABLE t (id int, v text); INSERT INTO t VALUES {rows};
         UPDATE t SET v = 'x' WHERE id = 100"
    ));
    let sql = "SELECT id, json(v) AS v FROM t";
    let broken = strategy("broken", "object", "B:{id}", sql);
    let slow = strategy("slow", "object", "K:{id}", "SELECT id, v FROM t");
    let definitions = own(&["t"], &(broken + &slow));
    let serve = lab.with(&definitions, "serve --rate 50 --batch-size 20");
    let server = Serve::start(serve);
    let page = server.page();
    page.sees("#running-note", "Nothing is running.");

    page.click("[data-key='strategy own/slow']");
    page.sees(".bars li", "/ 2,000");
    page.click(&format!("{RUN} button"));
    page.sees(&format!("{RUN}[data-outcome]"), "interrupted");
    page.sees(&format!("{RUN} .verdict"), "of 2,000 keys warmed (");
    let counts = page.text(&format!("{RUN} .counts"));
    assert!(counts.starts_with("0 of 1 strategy, "), "{counts}");
    assert!(counts.contains(" of 2,000 keys, "), "{counts}");
    page.sees("#past tbody tr", "/ 2,000");
    page.click("#past tbody button");
    let report = page.sees("#report", "interrupted: ");
    assert!(!report.contains("100.0%"), "{report}");
    page.click("#report button");

    page.click("[data-key='strategy own/broken']");
    page.sees(&format!("{RUN}[data-outcome]"), "incomplete");
    page.sees(
        &format!("{RUN} .verdict"),
        "1 of 1 strategy failed (own/broken)",
    );
    let counts = page.text(&format!("{RUN} .counts"));
    assert!(counts.starts_with("0 of 1 strategy, "), "{counts}");
    page.sees("#past tbody tr", "1 of 1 strategy failed");
    let colours = "const colour = (name) => getComputedStyle(document.querySelector(name));
        return colour('.bar.failed i').backgroundColor === colour('.bars .why').color";
    assert_eq!(page.script(colours, json!([])), true);
    page.click("#past tbody button");
    page.sees(
        "#report",
        "incomplete: 1 of 1 strategy failed (own/broken); ",
    );
    nothing_odd(&page);
}

#[test]
fn the_token_is_asked_for_and_kept_in_the_tab() {
    let lab = Lab::shop(Dialect::Sqlite);
    let token = "a-token-of-more-than-thirty-two-characters";
    let mut server = Serve::start(lab.command("serve").env("SHOPWARM_TOKEN", token));
    server.token = token.to_owned();
    let page = server.page();
    page.sees("#token", "This server requires a token");
    assert_eq!(page.texts("#strategies"), [""]);

    page.write("#token-field", "a-wrong-token");
    page.click("#token button");
    page.sees("#token-error", "not accepted");
    page.write("#token-field", token);
    page.click("#token button");
    page.sees("#strategies", "catalog/hot-products");
    assert_eq!(page.texts("#token"), [""]);

    // The stream of events, too, has the token.
    page.click("#strategies .act");
    page.sees(&format!("{RUN}[data-outcome]"), "complete");
    let kept =
        "return [sessionStorage.length, localStorage.length, document.cookie, location.href]";
    let kept = page.script(kept, json!([]));
    assert_eq!(kept, json!([1, 0, "", format!("{}/", server.url)]));
    page.go(&server.url);
    page.sees("#past", "warmup context catalog");
    page.click("#forget");
    page.sees("#token", "This server requires a token");
    assert_eq!(page.texts("#past"), [""]);
    for complaint in page.complaints() {
        assert!(complaint.contains("401"), "{complaint}");
    }
    server.was_alone_asked(&page);
}

#[test]
fn what_definitions_say_stays_text() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database
        .sql("CREATE TABLE t (id text, v text); INSERT INTO t VALUES ('1', 'v'), (NULL, 'v')");
    let script =
        "<img src=x onerror=\"document.title='had'\"><script>document.title='had'</script>";
    let hostile = [script, &"x".repeat(200)].concat();
    let mut definitions = own(
        &["t"],
        &strategy("t", "object", "<b>K</b>:{id}", "SELECT id, v FROM t"),
    );
    definitions += &format!(
        "description = {}\ntags = [{}, \"\\u202egat\"]\n",
        Value::from(hostile.as_str()),
        Value::from(hostile.as_str())
    );
    let server = Serve::start(lab.with(&definitions, "serve"));
    let page = server.page();
    let shown = page.sees("#strategies", &hostile);
    assert_eq!(shown.matches(&hostile).count(), 2, "{shown}");
    assert!(shown.contains("\\u202egat"), "{shown}");

    page.click("[data-key='strategy own/t']");
    page.sees(&format!("{RUN}[data-outcome]"), "incomplete");
    page.click("#past tbody button");
    page.sees("#report", "1 key failed");
    for width in [360, 800, 1400] {
        page.resize(width);
        let hidden = "return ['html', '#report'].map((name) => document.querySelector(name))
            .map((found) => found.scrollWidth - found.clientWidth)";
        let hidden = page.script(hidden, json!([]));
        assert_eq!(hidden, json!([0, 0]), "beyond the edge at {width}");
    }
    let made = "return document.querySelectorAll('img, b, body script').length";
    assert_eq!(page.script(made, json!([])), 0);
    assert_eq!(page.script("return document.title", json!([])), "shopwarm");
    nothing_odd(&page);
    assert_eq!(page.complaints(), [""; 0]);
    server.was_alone_asked(&page);
}

#[test]
fn a_server_that_goes_and_comes_is_said_in_words() {
    let (_dir, config) = file("shopwarm.toml", "ready_after = \"first-run\"\n");
    let lab = Lab::shop(Dialect::Sqlite);
    let serve = lab.command("serve").env("SHOPWARM_CONFIG", &config);
    let server = Serve::start(serve);
    let page = server.page();
    page.sees("#state", "not ready: no run has completed yet");
    page.click("[data-key='strategy catalog/categories']");
    page.sees(&format!("{RUN}[data-outcome]"), "complete");
    page.sees("#state", "ready");
    lab.redis.pause();
    page.sees("#past-note", "Not known at the moment.");
    lab.redis.resume();
    until("the runs again", || {
        page.texts("#past-note")
            .iter()
            .all(String::is_empty)
            .then_some(())
    });
    drop(server);
    page.sees("#state", "no answer");
    page.sees("#running-note", "The server does not answer.");
    page.click(&format!("{RUN} button:last-child"));
    page.sees("#running-note", "Not known: the server does not answer.");
    nothing_odd(&page);
}

/// Nothing that a program says when it does not know what to say.
#[track_caller]
fn nothing_odd(page: &Browser) {
    let text = page.text("body");
    for odd in ["NaN", "undefined", "null", "Infinity", "[object"] {
        assert!(!text.contains(odd), "{odd} in {text}");
    }
}

/// `shopwarm serve` on a free port. Dropping it ends it.
struct Serve {
    child: Child,
    port: u16,
    url: String,
    token: String,
    _dir: TempDir,
}

impl Serve {
    fn start(serve: Shopwarm) -> Serve {
        let dir = temp_dir();
        supervise(std::process::id(), dir.path());
        let serve = serve.args("--listen 127.0.0.1:0").dir(dir.path());
        let mut child = serve.start();
        fs::write(dir.path().join("pid"), child.id().to_string()).expect("a file");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut stdout = child.stdout.take().expect("piped");
        let (tell, told) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        thread::spawn(move || copy(&mut stdout, &mut sink()));
        let mut said = Vec::new();
        let url = loop {
            let Ok(line) = told.recv_timeout(PATIENCE) else {
                panic!("it does not listen: {said:#?}");
            };
            if let Some((_, url)) = line.split_once("listening on ") {
                let url = url.split_whitespace().next();
                break url.unwrap_or_default().to_owned();
            }
            said.push(line);
        };
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
        Serve {
            child,
            port: port.unwrap_or_else(|| panic!("no port in {url}")),
            url,
            token: String::new(),
            _dir: dir,
        }
    }

    /// Its page in a new browser.
    fn page(&self) -> Browser {
        let browser = Browser::open();
        browser.go(&self.url);
        browser
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str) -> Value {
        let bearer = format!("Bearer {}", self.token);
        let answer = http(self.port, method, path, &[("Authorization", &bearer)], None);
        let answer = answer.expect("the server answers");
        assert!(answer.status < 300, "{method} {path}: {:#}", answer.body);
        answer.body
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.ask("GET", path)
    }

    #[track_caller]
    fn post(&self, path: &str) -> Value {
        self.ask("POST", path)
    }

    /// The page asked nobody else for anything.
    #[track_caller]
    fn was_alone_asked(&self, page: &Browser) {
        let ours = format!("{}/", self.url);
        let asked = page.requests();
        assert!(asked.iter().any(|url| url.starts_with(&ours)), "{asked:?}");
        let others = asked
            .iter()
            .filter(|url| !url.starts_with(&ours) && !url.starts_with("data:"));
        assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
