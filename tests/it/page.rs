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

/// In the dialog.
const START: &str = "#confirm button.primary";

const NUMBERS: &str = "CREATE TABLE n (id int); INSERT INTO n
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n";

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
    let title_of_jobs = page.sees("#schedule-title", "UTC");
    assert_eq!(title_of_jobs, "Next runs times in UTC");
    let nightly = page.sees("#schedule .job:nth-child(2)", "02:00");
    assert!(!nightly.contains("UTC"), "once is enough: {nightly}");
    let jobs = page.texts("#schedule h3");
    assert_eq!(jobs, ["catalog-incremental", "nightly"]);

    page.click("#warm-all");
    page.sees("#confirm", "7 strategies in 3 contexts");
    page.click(START);
    page.sees(&format!("{RUN}[data-outcome]"), "complete");
    let bars = page.texts(".bars li");
    assert_eq!(bars.len(), SHIPPED.len(), "{bars:?}");
    assert!(bars.iter().all(|bar| bar.contains("completed")), "{bars:?}");
    title(&page, "✓ complete: shopwarm");

    let runs = server.get("/admin/runs")["runs"].take();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs:#}");
    let (run, warmed) = (&runs[0], runs[0]["warmed"].as_u64().expect("a count"));
    assert_eq!(run["status"], "complete");
    assert!(warmed > 100, "{run:#}");
    page.sees(&format!("{RUN} .counts"), &format!("{warmed} keys warmed"));
    let past = page.sees("#past tbody tr", "warmup all");
    assert!(past.contains("complete"), "{past}");
    assert!(past.contains(&format!("{warmed} / {warmed}")), "{past}");
    until("the last complete runs", || {
        let never = page.texts("#strategies .when");
        never.iter().all(|when| !when.contains("never")).then_some(())
    });

    page.click("#past tbody button");
    let report = page.sees("#report", run["run_id"].as_str().expect("a text"));
    for expected in ["complete", "admin API", "catalog/hot-products"] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
    assert!(report.contains(&format!("{warmed} of {warmed} keys (100.0%)")), "{report}");
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
    until("more progress", || Some(progress()).filter(|now| *now > before));

    page.click("#strategies .act");
    page.click(START);
    let refused = page.sees(".notice", "Warm own: Nothing was started.");
    assert!(refused.contains(&id), "who is at work, in {refused}");
    page.click(".notice button");

    page.click(&format!("{RUN} button"));
    page.sees(&format!("{RUN}[data-outcome]"), "interrupted");
    page.sees(".bars li", "stopped");
    title(&page, "! interrupted: shopwarm");
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
    page.click(START);
    page.sees(".bars li", "/ 2,000");
    page.click(&format!("{RUN} button"));
    page.sees(&format!("{RUN}[data-outcome]"), "interrupted");
    page.sees(&format!("{RUN} .verdict"), "of 2,000 keys warmed (");
    let counts = page.text(&format!("{RUN} .counts"));
    assert!(counts.starts_with("0 of 1 strategy, "), "{counts}");
    assert!(counts.contains(" of 2,000 keys warmed"), "{counts}");
    page.sees("#past tbody tr", "/ 2,000");
    page.click("#past tbody button");
    let report = page.sees("#report", "interrupted: ");
    assert!(!report.contains("100.0%"), "{report}");
    page.click("#report button");

    page.click("[data-key='strategy own/broken']");
    page.click(START);
    page.sees(&format!("{RUN}[data-outcome]"), "incomplete");
    page.sees(&format!("{RUN} .verdict"), "own/broken failed");
    let counts = page.text(&format!("{RUN} .counts"));
    assert!(counts.starts_with("0 of 1 strategy, "), "{counts}");
    page.sees("#past tbody tr", "1 of 1 strategy failed");
    let colours = "const colour = (name) => getComputedStyle(document.querySelector(name));
        return colour('.bar.failed i').backgroundColor === colour('.bars .why').color";
    assert_eq!(page.script(colours, json!([])), true);
    page.click("#past tbody button");
    page.sees("#report", "incomplete: own/broken failed; ");
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
    page.click(START);
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
    let mut definitions =
        own(&["t"], &strategy("t", "object", "<b>K</b>:{id}", "SELECT id, v FROM t"));
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
    page.sees("#confirm", &hostile);
    page.click(START);
    page.sees(&format!("{RUN}[data-outcome]"), "incomplete");
    page.sees("#past tbody tr", "incomplete");
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
    title(&page, "✗ incomplete: shopwarm");
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
    page.click(START);
    page.sees(&format!("{RUN}[data-outcome]"), "complete");
    page.sees("#state", "ready");
    lab.redis.pause();
    page.sees("#past-note", "Not known at the moment.");
    lab.redis.resume();
    until("the runs again", || page.texts("#past-note").iter().all(String::is_empty).then_some(()));
    drop(server);
    page.sees("#state", "no answer");
    page.sees("#running-note", "The server does not answer.");
    page.click(&format!("{RUN} button:last-child"));
    page.sees("#running-note", "Not known: the server does not answer.");
    title(&page, "shopwarm");
    page.click("#warm-all");
    page.click(START);
    let refused = page.sees(".notice", "Nothing was started, as far as this page knows.");
    assert!(!refused.contains("tries again"), "{refused}");
    nothing_odd(&page);
}

#[test]
fn a_run_is_as_its_job_says_unless_the_dialog_says_otherwise() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(NUMBERS);
    // Read in one stream.
    let n = strategy("n", "object", "N:{id}", "SELECT id FROM n") + "order_by = \"id\"\n";
    let definitions = own(&["n"], &n);
    let job = "mode = \"only-missing\"\n[schedule.few]\ncron = \"0 2 * * *\"\nwarmup = \"all\"\nlimit = 3\ngentle = true\n\
        [schedule.far]\ncron = \"0 3 * * *\"\nwarmup = \"all\"\ntimezone = \"Europe/Berlin\"\n";
    let (_dir, config) = file("shopwarm.toml", job);
    let serve = lab.with(&definitions, "serve").env("SHOPWARM_CONFIG", &config);
    let server = Serve::start(serve);
    let page = server.page();
    let chosen = || {
        let script = "const form = document.querySelector('#confirm-form').elements;
            return [form.mode.value, form.gentle.checked, form.dry_run.checked]";
        page.script(script, json!([]))
    };
    let last = || {
        page.sees(&format!("{RUN}[data-outcome]"), "complete");
        let id = page.script("return document.querySelector('.run').dataset.run", json!([]));
        let id = id.as_str().expect("an id");
        server.get(&format!("/admin/runs/{id}"))["report"].take()
    };

    let far = page.sees("#schedule .job:has([data-key='job far'])", "03:00");
    assert!(far.contains("times in Europe/Berlin"), "{far}");
    page.click("[data-key='job few']");
    let asked = page.sees("#confirm", "Run now: few");
    assert!(asked.contains("limit 3"), "{asked}");
    assert_eq!(chosen(), json!(["only-missing", true, false]));
    page.click(START);
    let run = last();
    assert_eq!((&run["job"], &run["totals"]["warmed"]), (&json!("few"), &json!(3)));
    assert!(run["pace"].is_object(), "gently: {run:#}");

    page.click("[data-key='job few']");
    page.click("[name=gentle]");
    page.click("[value=refresh]");
    page.click("[name=dry_run]");
    page.click(START);
    page.sees(&format!("{RUN} .counts"), "3 would be written");
    let run = last();
    assert_eq!(run["totals"]["warmed"], 0);
    assert!(run["pace"].is_null(), "not gently: {run:#}");

    // What the configuration says of all runs is chosen for the others.
    page.click("[data-key='context own']");
    assert_eq!(chosen(), json!(["only-missing", false, false]));
    page.click(START);
    page.sees(&format!("{RUN} .counts"), "3 skipped");
    // The report warns as the command line does.
    page.sees("#past tbody tr", "warmup context own");
    page.click("#past tbody button");
    let warned = "not protected against changes during the run: own/n (no _version in the query)";
    page.sees("#report", warned);
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_run_says_how_long_it_takes_and_what_holds_it_back() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(NUMBERS);
    let one = |name: &str| strategy(name, "object", &format!("{name}:{{id}}"), "SELECT id FROM n");
    let few =
        strategy("few", "object", "few:{id}", "SELECT id FROM n WHERE id <= 10") + "priority = 9\n";
    let definitions = own(&["n"], &(few + &one("a") + &one("b")));
    lab.warm(&definitions).expect(0);
    let server = Serve::start(lab.with(&definitions, "serve --rate 100 --batch-size 20"));
    let page = server.page();
    page.click("#warm-all");
    page.click(START);
    page.sees(&format!("{RUN} .held"), "Limited by rate 100 keys/s.");
    page.sees(&format!("{RUN} .left"), "about ");
    // Of the second strategy it knows the size of the last run.
    page.sees(&format!("{RUN} .counts"), " of about 4,010 keys");
    title(&page, "running: shopwarm");
    let whole = "return document.querySelector('.bar.whole').ariaValueText";
    let whole = page.script(whole, json!([]));
    assert!(whole.as_str().is_some_and(|text| text.contains("1 of 3 strategies")), "{whole}");
    // A bar is full of what is done, and shows no failure where there is none.
    let bars = "return [...document.querySelectorAll('.bars .bar')].map((bar) => [
        bar.parentElement.dataset.strategy,
        Math.round(100 * bar.firstChild.offsetWidth / bar.clientWidth), bar.lastChild.offsetWidth])";
    let bars = page.script(bars, json!([]));
    assert_eq!(
        (&bars[0], &bars[2]),
        (&json!(["own/few", 100, 0]), &json!(["own/b", 0, 0])),
        "{bars}"
    );
    assert_eq!((&bars[1][0], &bars[1][2]), (&json!("own/a"), &json!(0)), "{bars}");

    // In the colours of a user who needs a high contrast.
    let forced = json!({ "features": [{ "name": "forced-colors", "value": "active" }] });
    page.devtools("Emulation.setEmulatedMedia", forced);
    let seen = "return [...document.querySelectorAll('.bar')].every((bar) =>
        getComputedStyle(bar).backgroundColor !== getComputedStyle(bar.firstChild).backgroundColor
            && getComputedStyle(bar).borderStyle === 'solid')";
    assert_eq!(page.script(seen, json!([])), true);
    page.click(&format!("{RUN} button"));
    page.sees(&format!("{RUN}[data-outcome]"), "interrupted");
    assert_eq!(page.texts(&format!("{RUN} .held")), [""]);
    nothing_odd(&page);
}

#[test]
fn errors_are_told_by_cause_and_by_the_rule_of_the_command_line() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(&format!("{NUMBERS}; INSERT INTO n VALUES (NULL), (NULL)"));
    let one = |name: &str, sql: &str| strategy(name, "object", &format!("{name}:{{id}}"), sql);
    let rows = "SELECT id FROM n";
    let broken = "SELECT id, CASE WHEN id > 1000 THEN json('x') END AS v FROM n ORDER BY id";
    let definitions = own(&["n"], &(one("a", rows) + &one("b", rows) + &one("z", broken)));
    let server = Serve::start(lab.with(&definitions, "serve"));
    let page = server.page();
    page.click("#warm-all");
    page.click(START);
    page.sees(&format!("{RUN}[data-outcome]"), "incomplete");
    let states = page.texts(".bars .state");
    assert_eq!(states, ["incomplete", "incomplete", "failed"]);
    let green = "const good = getComputedStyle(document.querySelector('#state .mark')).color;
        return [...document.querySelectorAll('.bar i, .run .mark, #past .mark')].filter((part) =>
            [getComputedStyle(part).color, getComputedStyle(part).backgroundColor].includes(good)).length";
    assert_eq!(page.script(green, json!([])), 0);

    page.sees("#past tbody tr", "incomplete");
    page.click("#past tbody button");
    page.sees("#report", "own/z");
    let troubles = page.texts("#report .trouble");
    assert!(troubles[0].starts_with("own/z\n"), "{troubles:?}");
    assert!(troubles[1].starts_with("4 keys failed: "), "{troubles:?}");
    assert!(troubles[1].contains("In own/a, own/b"), "{troubles:?}");
    let headings = "return document.querySelectorAll('#report tbody th[scope=row]').length";
    assert_eq!(page.script(headings, json!([])), 3);
}

/// Without a mouse, in all colours and widths, on a slow network.
#[test]
fn everybody_can_use_it() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(&format!("{NUMBERS}; INSERT INTO n VALUES (NULL)"));
    let mut definitions = own(&["n"], &strategy("n", "object", "N:{id}", "SELECT id FROM n"));
    definitions += "description = \"Numbers\"\ntags = [\"few\"]\n";
    let (_dir, config) =
        file("shopwarm.toml", "[schedule.nightly]\ncron = \"0 2 * * *\"\nwarmup = \"all\"\n");
    let serve =
        lab.with(&definitions, "serve --rate 500 --batch-size 20").env("SHOPWARM_CONFIG", &config);
    let server = Serve::start(serve);
    let page = Browser::open();
    page.devtools("Network.enable", json!({}));
    let slow = json!({ "offline": false, "latency": 500, "downloadThroughput": -1, "uploadThroughput": -1 });
    page.devtools("Network.emulateNetworkConditions", slow);
    page.go(&server.url);
    page.sees("#past-note", "No runs yet.");
    let moved = "const [done] = arguments; let moved = 0;
        new PerformanceObserver((list) => { for (const shift of list.getEntries()) moved += shift.value; })
            .observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => done(moved), 500)";
    let moved = page.script_later(moved).as_f64().expect("a sum");
    assert!(moved < 0.005, "what is seen has moved by {moved}");
    let fast =
        json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    page.devtools("Network.emulateNetworkConditions", fast);

    is_for_everybody(&page, "idle");
    page.press(&["\u{e004}", "\u{e007}"]);
    page.sees("#confirm", "Gently: slow down when the cache or the database gets slower");
    is_for_everybody(&page, "the dialog");
    page.press(&["\u{e007}"]);
    page.sees(".bars li", "keys/s");
    is_for_everybody(&page, "running");
    page.sees(&format!("{RUN}[data-outcome]"), "incomplete");
    is_for_everybody(&page, "ended");
    page.sees("#past tbody tr", "incomplete");
    page.click("#past tbody button");
    page.sees("#report", "1 key failed");
    is_for_everybody(&page, "the report");
    page.press(&["\u{e00c}"]);
    let back = "return document.activeElement.dataset.key";
    assert!(page.script(back, json!([])).as_str().is_some_and(|key| key.starts_with("run ")));
    let names = "return [...document.querySelectorAll('article')].map((article) =>
        document.getElementById(article.getAttribute('aria-labelledby')).textContent)";
    assert_eq!(page.script(names, json!([])), json!(["warmup all", "nightly"]));
    let label = "return document.querySelector('.job button').ariaLabel";
    assert_eq!(page.script(label, json!([])), "Run now: nightly");
    assert_eq!(page.complaints(), [""; 0]);
}

/// By the rules, and without sideways scrolling.
#[track_caller]
fn is_for_everybody(page: &Browser, state: &str) {
    for colours in ["light", "dark"] {
        let feature = json!({ "name": "prefers-color-scheme", "value": colours });
        page.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
        for width in [320, 1280] {
            page.resize(width);
            assert_eq!(page.violations(), [""; 0], "{state}, {colours}, {width}");
            let beyond =
                "const all = document.documentElement; return all.scrollWidth - all.clientWidth";
            assert_eq!(page.script(beyond, json!([])), 0, "{state} at {width}");
        }
    }
}

#[track_caller]
fn title(page: &Browser, expected: &str) {
    until(expected, || {
        let title = page.script("return document.title", json!([]));
        (title == expected).then_some(())
    });
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
        let others =
            asked.iter().filter(|url| !url.starts_with(&ours) && !url.starts_with("data:"));
        assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
