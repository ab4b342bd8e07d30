//! What is configured is said as it is: a server without servers does not start, a run that could
//! not begin is remembered, what was just warmed is not about to expire.

use serde_json::Value;

use crate::support::http::Server;
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shopwarm::{Shopwarm, shopwarm};
use crate::support::site::Site;

#[test]
fn a_server_without_database_or_cache_does_not_start() {
    let dir = tempfile::tempdir().expect("a folder");
    let serve = || shopwarm("serve --listen 127.0.0.1:0").dir(dir.path());
    let refused = |serve: Shopwarm, says: &[&str]| {
        let run = serve.run().expect(4);
        for says in says {
            assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("listening"), "{}", run.stderr);
    };
    let (database, cache) = ("no database is configured", "no cache is configured");
    refused(serve(), &["no database and no cache are configured"]);
    refused(serve().database("sqlite:shop.db"), &[cache]);
    refused(serve().cache("sqlite:cache.db"), &[database]);
}

#[test]
fn a_server_says_at_start_which_job_runs_next() {
    let site = Site::shop(Dialect::Sqlite);
    site.config("timezone = \"UTC\"\n[schedule.peak]\ncron = \"30 8 * * *\"\nwarmup = \"all\"");
    let server = site.serve();
    server.hears("1 job, next: peak at ");
    let said = server.hears("UTC");
    let first = said.lines().next().expect("a line");
    let of_page = "listening on http://127.0.0.1:";
    assert!(
        first.contains(of_page) && first.contains("no token: for this machine only"),
        "{first}"
    );
    assert!(first.ends_with("08:30 UTC"), "{first}");
    site.config("");
    // What is wrong comes after the line that says where it is.
    site.define(&own(&["products"], &strategy("t", "object", "T:{id}", "SELECT id FROM users")));
    let idle: Server = Server::start_with_token(site.command("serve --listen 127.0.0.1:0"));
    let said = idle.hears("a definition is not valid");
    let first = said.lines().next().expect("a line");
    assert!(first.contains("with a token); no jobs are scheduled"), "{first}");
}

#[test]
fn how_a_run_ended_is_the_level_of_its_log() {
    let lab = Lab::things(Dialect::Sqlite);
    let good = strategy("good", "object", "G:{id}", "SELECT id FROM things");
    let bad = strategy("bad", "object", "B:{id}", "SELECT id, json('x') AS v FROM things");
    let levels = |strategies: &str, arguments: &str| {
        let definitions = own(&["things"], strategies);
        let run =
            lab.with(&definitions, &format!("warmup context own --log-format json {arguments}"));
        let lines = run.run().stderr;
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ends = lines.filter(|line| {
            let what = line["message"].as_str().unwrap_or_default();
            what.ends_with(" ended") || what.ends_with(" failed")
        });
        let level = |line: Value| line["level"].as_str().unwrap_or_default().to_owned();
        ends.map(level).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(levels(&good, ""), "INFO INFO");
    assert_eq!(levels(&(good.clone() + &bad), ""), "WARN INFO WARN");
    assert_eq!(levels(&bad, ""), "WARN ERROR");
    let lossy = "SELECT id FROM things UNION ALL SELECT NULL";
    let lossy = strategy("lossy", "object", "L:{id}", lossy);
    assert_eq!(levels(&lossy, ""), "WARN WARN");
    // What was allowed is no trouble of the run, but the strategy says what it lost.
    assert_eq!(levels(&lossy, "--fail-under 1%"), "WARN INFO");
    let server = Server::start(lab.with(&own(&["things"], &good), "serve --listen 127.0.0.1:0"));
    lab.database.sql("DROP TABLE things");
    server.post("/admin/warmup/own").expect(502);
    let said = server.hears("run did not start");
    let line = said.lines().find(|line| line.contains("run did not start"));
    assert!(line.is_some_and(|line| line.contains("ERROR")), "{said}");
}

/// From the command line as from a server, whatever the reason is.
#[test]
fn a_run_that_could_not_begin_is_remembered() {
    let lab = Lab::empty(Dialect::Sqlite);
    let summary = tempfile::NamedTempFile::new().expect("a file");
    let unfit = own(&["gone"], &strategy("one", "object", "K:{id}", "SELECT id FROM gone"));
    let run = lab
        .with(&unfit, "warmup all")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", summary.path())
        .run()
        .expect(4);
    assert!(run.stderr.contains("::error"), "{}", run.stderr);
    let summary = std::fs::read_to_string(summary.path()).expect("a text");
    for says in ["### ✗ shopwarm did not start", "gone"] {
        assert!(summary.contains(says), "{says}: {summary}");
    }
    let runs = lab.command("runs -o json").run().expect(0).json();
    let run = &runs["runs"][0];
    assert_eq!(run["command"], "warmup all", "{runs:#}");
    assert!(run["error"].as_str().is_some_and(|why| why.contains("gone")), "{runs:#}");
    let stale = lab.with(&unfit, "warmup all").env("SHOPWARM_EXCLUDE", "");
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("shopwarm.toml"), "exclude = [\"own/two\"]").expect("a file");
    stale.dir(dir.path()).run().expect(4);
    let runs = lab.command("runs -o json").run().expect(0).json();
    let why = runs["runs"][0]["error"].as_str().unwrap_or_default();
    assert!(why.contains("own/two"), "{runs:#}");
}

/// Whoever stopped it, or held the lock; nothing is said of keys that nobody counted.
#[test]
fn a_run_that_was_stopped_before_it_began_is_remembered() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let sql = "SELECT id FROM t";
    let definitions = own(&["t"], &strategy("one", "object", "K:{id}", sql));
    let warm = |arguments: &str| lab.with(&definitions, &format!("warmup all {arguments}"));
    let last = |says: &str, outcome: &str| {
        let runs = lab.command("runs -o json").run().expect(0).json();
        let run = &runs["runs"][0];
        let why = run["error"].as_str().unwrap_or_default();
        assert!(why.contains(says), "{says}: {runs:#}");
        assert_eq!(run["status"], outcome, "{runs:#}");
        assert!(run["expected"].is_null(), "{runs:#}");
        let table = lab.command("runs last").run().expect(0).stdout;
        assert!(table.contains(says), "{table}");
    };
    let holder = r#"{"run_id":"other","command":"warmup all","host":"h","pid":1}"#;
    lab.redis.cli(&["SET", "shopwarm:lock:own", holder]);
    warm("").run().expect(8);
    last("another run is active", "incomplete");

    let nothing = |json: &serde_json::Value| {
        let totals = &json["totals"];
        assert!(totals["expected"].is_null(), "{json:#}");
        assert_eq!(totals["expected_is_exact"], false, "{json:#}");
        let verdict = json["verdict"].as_str().unwrap_or_default();
        assert!(!verdict.contains("0 of 0"), "{verdict}");
        let next = json["next"].as_str().unwrap_or_default();
        assert!(!next.contains("only-missing"), "{next}");
    };
    let run = warm("--lock-wait 1m --deadline 1s -o json").run().expect(9);
    nothing(&run.json());
    last("deadline passed before it started", "deadline");
    let waiting = warm("--lock-wait 1m -o json").start();
    std::thread::sleep(std::time::Duration::from_secs(2));
    crate::support::shopwarm::send(&waiting, "TERM");
    nothing(&crate::support::shopwarm::finish(waiting).expect(143).json());
    last("stopped before it started", "interrupted");
    // Not even a connection: the cache is asked for a moment all the same.
    nothing(&warm("--deadline 1ms -o json").run().expect(9).json());
    last("deadline passed before it started", "deadline");
}

/// A cache that does not answer does not keep it for long.
#[test]
fn a_run_that_was_stopped_ends_soon_where_the_cache_is_silent() {
    let lab = Lab::empty(Dialect::Sqlite);
    let definitions = own(&["t"], &strategy("one", "object", "K:{id}", "SELECT id FROM t"));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let began = std::time::Instant::now();
    lab.with(&definitions, "warmup all --deadline 100ms")
        .cache(format!("redis://127.0.0.1:{port}"))
        .run()
        .expect(9);
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
}

#[test]
fn what_was_just_warmed_is_not_about_to_expire() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for id in 1..=50 {
        lab.database.sql(&format!("INSERT INTO t VALUES ({id})"));
    }
    let one = |ttl: &str| {
        let name = ttl.to_owned();
        let key = format!("{name}:{{id}}");
        strategy(&format!("of-{name}"), "object", &key, "SELECT id FROM t")
            + &format!("ttl = \"{ttl}\"\n")
    };
    let all: String = ["10m", "30m", "1h", "90m", "2h", "1day"].map(one).concat();
    let definitions = own(&["t"], &all);
    for jitter in ["0", "10", "100"] {
        // A key that the widest jitter leaves hardly any time expires before anybody looks.
        let with =
            |arguments: &str| lab.with(&definitions, arguments).arg("--ttl-jitter").arg(jitter);
        with("warmup all").run().expect(0);
        let classes = |arguments: &str| {
            let json = with(arguments).run().json();
            let count = |name: &str| json["totals"][name].as_u64().expect("a count");
            (count("expiring"), count("identical"))
        };
        let (expiring, identical) = classes("dry-run -o json");
        assert_eq!(expiring, 0, "{jitter}");
        assert!(identical >= 280, "{jitter}: {identical}");
        let state = with("keys list --state expiring").run().expect(0);
        assert_eq!(state.stdout, "", "{jitter}");
        // Who says a time means that time.
        let (expiring, _) = classes("dry-run -o json --expiring-within 1h");
        assert!(expiring >= 140, "{jitter}: {expiring}");
        lab.redis.cli(&["FLUSHALL"]);
    }
    // Three quarters of its time later it is.
    lab.with(&definitions, "warmup all --ttl-jitter 0").run().expect(0);
    lab.redis.cli(&["PEXPIRE", "1h:1", "800000"]);
    let listed = lab.with(&definitions, "keys list --state expiring --ttl-jitter 0").run();
    assert_eq!(listed.expect(0).stdout, "1h:1\n");
}

#[test]
fn a_password_is_warned_of_only_where_there_is_one() {
    let warned = |url: &str| {
        let run = shopwarm("config show --cache-url").arg(url).run();
        run.stderr.contains("list of processes")
    };
    for harmless in ["127.0.0.1:26399", "foo://x", "redis://h/0"] {
        assert!(!warned(harmless), "{harmless}");
    }
    for exposed in ["redis://:hunter2@h/0", "foo://u:hunter2@h"] {
        assert!(warned(exposed), "{exposed}");
    }
}

#[test]
fn a_url_that_cannot_be_read_is_not_ok() {
    let levels = |database: &str, cache: &str| {
        let run = shopwarm("doctor -o json").database(database).cache(cache);
        let run = run.run();
        assert!(!run.stdout.contains("ss/w#rd"), "{}", run.stdout);
        let checks = run.json()["checks"].take();
        let all = checks.as_array().expect("a list").clone();
        ["database URL", "database", "cache URL", "cache"].map(|name| {
            let check = all.iter().find(|check| check["check"] == name);
            let level = &check.expect(name)["level"];
            level.as_str().expect("a text").to_owned()
        })
    };
    let (file, embedded) = ("sqlite:shop.db", "sqlite:cache.db");
    for wrong in [
        "mysql://warm:p@ss/w#rd@127.0.0.1/opencart",
        "postgres://127.0.0.1/shop?no_such_parameter=1",
        "oracle://h/shop",
    ] {
        let [url, server, cache, _] = levels(wrong, embedded);
        assert_eq!([&*url, &*server, &*cache], ["failed", "failed", "ok"], "{wrong}");
    }
    for wrong in [
        "redis://h/abc",
        "rediss://",
        "redis://",
        "redis+cluster://a,,b",
        "redis+sentinel://a",
        "memcached://h",
    ] {
        let [_, _, url, server] = levels(file, wrong);
        assert_eq!([&*url, &*server], ["failed", "failed"], "{wrong}");
    }
}

/// One invalid definition is one reason, and no second one that is not true.
#[test]
fn a_doctor_says_one_reason_for_one_fault() {
    let lab = Lab::empty(Dialect::Sqlite);
    let wrong = own(&["a"], &strategy("one", "object", "K:{id}", "SELECT id FROM b"));
    let run = lab.with(&wrong, "doctor").run().expect(4);
    assert_eq!(run.stdout.matches("✗ failed").count(), 1, "{}", run.stdout);
    assert!(!run.stdout.contains("nothing is selected"), "{}", run.stdout);
}
