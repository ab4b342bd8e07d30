//! Who may ask `shopwarm serve`, what it says to others, and what they cannot do to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::faults::until;
use crate::support::http::{Reply, Server, TOKEN};
use crate::support::servers::{Dialect, Redis, free_port};
use crate::support::shopwarm::{Finished, Shopwarm};
use crate::support::site::Site;

/// What tells nothing and starts nothing.
const OPEN: [&str; 6] = ["/", "/page.css", "/page.js", "/openapi.json", "/livez", "/readyz"];

/// An answer that must not wait for anybody else's connection.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A start that is refused.
#[track_caller]
fn refused(command: Shopwarm, words: &[&str]) -> Finished {
    let run = command.run().expect(4);
    for word in words {
        assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("listening"), "{}", run.stderr);
    run
}

/// The lines of the log about requests.
fn audit(server: &Server) -> Vec<String> {
    let said = server.said();
    let lines = said.lines().filter(|line| line.contains("audit"));
    lines.map(str::to_owned).collect()
}

/// How long the server takes to close a connection that somebody else keeps busy.
fn closed_after(mut stream: TcpStream) -> Duration {
    let since = Instant::now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    since.elapsed()
}

// ── the token ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn beyond_this_machine_it_needs_a_token() {
    let site = Site::shop(Dialect::Sqlite);
    for address in ["0.0.0.0", "[::]"] {
        let public = || site.command(&format!("serve --listen {address}:{}", free_port()));
        let words =
            ["can be reached from other machines", "no token", "--token-file", "SHOPWARM_TOKEN"];
        refused(public(), &words);
        let server = Server::start_with_token(public());
        server.post("/admin/warmup/identity").expect(200);
        drop(server);
    }
    // An empty one is none.
    refused(site.command("serve --listen 0.0.0.0:0").env("SHOPWARM_TOKEN", ""), &["no token"]);
}

#[test]
fn a_token_that_is_none_is_refused_before_it_listens() {
    let site = Site::shop(Dialect::Sqlite);
    let dir = site.path("");
    let short =
        refused(site.serving("").env("SHOPWARM_TOKEN", "hunter2hunter2"), &["16", "openssl rand"]);
    assert!(!short.stderr.contains("hunter2"));
    let file = site.write("token", "hunter2hunter2\n");
    let short = refused(site.serving("--token-file").arg(&file), &["16"]);
    assert!(!short.stderr.contains("hunter2"));
    refused(site.serving("--token-file").arg(site.path("missing")), &["missing"]);
    refused(site.serving("--token-file").arg(dir), &["directory"]);
    site.config("token_file = \"missing-too\"");
    refused(site.serving(""), &["missing-too"]);
    // Never a flag for the token itself: everybody on the machine could read it.
    site.serving("--token x").run().expect(2);
}

#[test]
fn a_token_comes_from_a_file_or_the_environment() {
    let site = Site::shop(Dialect::Sqlite);
    let file = site.write("token", &format!("{TOKEN}\n"));
    let check = |command: Shopwarm, right: &str| {
        let server = Server::start(command);
        server.get("/admin/runs").refuses(401, &["token"]);
        let ask = |token: &str| server.ask("GET", "/admin/runs").token(token).send();
        ask(right).expect(200);
        ask("a-token-nobody-knows-43").refuses(401, &["token"]);
    };
    check(site.serving("--token-file").arg(&file), TOKEN);
    check(site.serving("").env("SHOPWARM_TOKEN", TOKEN), TOKEN);
    check(site.serving("").env("SHOPWARM_TOKEN_FILE", &file), TOKEN);
    site.config("token_file = \"token\"");
    check(site.serving(""), TOKEN);
    // The environment wins over the configuration's file.
    check(
        site.serving("").env("SHOPWARM_TOKEN", "a-token-nobody-knows-44"),
        "a-token-nobody-knows-44",
    );
}

#[test]
fn without_the_token_nothing_is_told_or_done() {
    let site = Site::shop(Dialect::Sqlite);
    let mut server = Server::start_with_token(site.serving(""));
    server.bring(None);
    let asks = [
        ("POST", "/admin/warmup/all"),
        ("DELETE", "/admin/runs/x"),
        ("GET", "/admin/strategies"),
        ("GET", "/metrics"),
    ];
    let mut bodies = Vec::new();
    for (i, (method, path)) in asks.into_iter().enumerate() {
        let mut missing = server.ask(method, path);
        if i == 1 {
            missing = missing.header("Authorization", &format!("Basic {TOKEN}"));
        }
        for ask in [missing, server.ask(method, path).token("a-guess-that-is-wrong")] {
            let answer = ask.send();
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            bodies.push(answer.body.clone());
            answer.refuses(401, &["token"]);
        }
    }
    // A missing and a wrong one are told apart by nobody.
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    for path in OPEN {
        server.get(path).expect(200);
    }
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), "0");
    server.bring(Some(TOKEN));
    server.post("/admin/warmup/identity").expect(200);
    server.get("/metrics").expect(200);
    // Also what is not there is nobody's business.
    server.bring(None);
    server.get("/admin/nothing").refuses(401, &["token"]);
    let lower =
        server.ask("GET", "/admin/runs").header("authorization", &format!("bearer {TOKEN}"));
    lower.send().expect(200);
}

#[test]
fn who_guesses_too_often_waits() {
    let site = Site::shop(Dialect::Sqlite);
    let mut server = Server::start_with_token(site.serving(""));
    let guess = |i: usize| {
        server.ask("GET", "/admin/runs").token(&format!("guess-number-{i:06}")).send().status
    };
    let answers: Vec<u16> = (0..40).map(guess).collect();
    let first = answers.iter().position(|status| *status == 429).expect("a limit");
    assert!((10..=14).contains(&first), "{answers:?}");
    assert!(answers[first..].iter().filter(|status| **status == 401).count() <= 2, "{answers:?}");
    let limited = server.ask("GET", "/admin/runs").token("one-more-wrong-guess").send();
    assert_eq!(limited.header("retry-after"), Some("5"));
    limited.refuses(429, &["too many"]);
    // What is open stays open.
    for path in OPEN {
        server.get(path).expect(200);
    }
    // Behind a proxy all clients have one address: who guesses does not shut the others out, and who
    // brings none does not guess.
    server.get("/admin/runs").expect(200);
    server.bring(None);
    for _ in 0..20 {
        server.get("/admin/runs").expect(401);
    }
}

// ── whom it answers ───────────────────────────────────────────────────────────────────────────

#[test]
fn it_answers_to_its_own_names_only() {
    let site = Site::shop(Dialect::Sqlite);
    let server =
        Server::start(site.serving("--allowed-host shop.example --allowed-host ADMIN.example"));
    let ask = |host: &str| server.ask("GET", "/admin/strategies").header("Host", host).send();
    for host in [
        "localhost",
        "LOCALHOST:1234",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]:8787",
        "192.0.2.7",
        "shop.example",
        "Shop.Example:8080",
        "admin.example",
    ] {
        ask(host).expect(200);
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "shop.example.evil.example",
        "xshop.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "shop.example@evil.example",
        "evil.example:80",
        "*",
        "[::1",
    ] {
        // Also of what is open: a page of another site is to learn nothing at all.
        for path in ["/admin/strategies", "/livez", "/", "/openapi.json"] {
            let answer = server.ask("GET", path).header("Host", host).send();
            assert!([400, 403].contains(&answer.status), "{host:?}: {answer:?}");
        }
    }
    ask("evil.example").refuses(403, &["not allowed"]);
    let mut stream = server.connect();
    stream.write_all(b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n").expect("sent");
    assert_eq!(Reply::read(stream).expect("an answer").status, 403);
    // Named twice, with somebody before it, or otherwise in the first line.
    for (target, hosts) in [
        ("/livez", "Host: localhost\r\nHost: evil.example"),
        ("/livez", "Host: user@localhost"),
        ("http://evil.example/livez", "Host: localhost"),
    ] {
        let mut stream = server.connect();
        let request = format!("GET {target} HTTP/1.1\r\n{hosts}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        assert_eq!(Reply::read(stream).expect("an answer").status, 403, "{request}");
    }

    let any = Server::start(site.serving("--allowed-host *"));
    any.ask("GET", "/livez").header("Host", "whatever.example").send().expect(200);
}

#[test]
fn a_page_of_another_site_cannot_ask() {
    let site = Site::shop(Dialect::Sqlite);
    let server = Server::start(site.serving("--allowed-host shop.example"));
    let ask = |host: &str, origin: &str| {
        let ask = server.ask("POST", "/admin/warmup/identity").header("Host", host);
        ask.header("Origin", origin).send()
    };
    let own = server.address();
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://localhost:1",
        "",
        "http://shop.example.evil.example",
        &own,
    ] {
        ask(&own, origin).refuses(403, &["other sites"]);
    }
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), "0");
    ask(&own, &format!("http://{own}")).expect(200);
    ask("shop.example", "https://shop.example").expect(200);
    // Behind a proxy that says its own name.
    ask(&own, "https://shop.example:8443").expect(200);
    let other = server.ask("POST", "/admin/warmup/identity");
    let other = other.header("Sec-Fetch-Site", "cross-site").send();
    other.refuses(403, &["other sites"]);
    // A link to the page is none of that.
    let link = server.ask("GET", "/").header("Sec-Fetch-Site", "cross-site");
    link.send().expect(200);
    // Nor can it read, ask before, or frame.
    let read = server.ask("GET", "/admin/runs").header("Origin", "https://evil.example").send();
    assert_eq!(read.header("access-control-allow-origin"), None);
    read.refuses(403, &["other sites"]);
    let before =
        server.ask("OPTIONS", "/admin/warmup/all").header("Origin", "https://evil.example").send();
    before.refuses(403, &["other sites"]);
    let page = server.get("/").expect(200);
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(
        page.header("content-security-policy").expect("a policy").contains("default-src 'none'")
    );
}

// ── what nobody may learn ─────────────────────────────────────────────────────────────────────

#[test]
fn no_secret_is_said_and_each_action_is() {
    for format in ["text", "json"] {
        let site = Site::shop(Dialect::Postgres);
        let redis = Redis::start(&["--requirepass", "hunter2"]);
        let cache = format!("redis://:hunter2@127.0.0.1:{}", redis.port());
        let command = site.serving("--log-format").arg(format).arg("-v").cache(cache);
        let mut server = Server::start_with_token(command);
        let run = server.post("/admin/warmup/all").expect(200).json();
        let run = run["run_id"].as_str().expect("an id").to_owned();
        server.post("/admin/warmup/a%0ab%1b%5b31m").expect(404);
        server.ask("DELETE", &format!("/admin/runs/{run}")).send().expect(409);
        server.get("/admin/runs").expect(200);
        server.get("/metrics").expect(200);
        server.ask("GET", "/admin/runs").token("a-token-nobody-knows-").send().expect(401);
        server.ask("POST", "/livez").header("Host", "evil.example").send().expect(403);
        server.get("/admin/runs?token=x").expect(200);
        site.lab.database.sql("DROP TABLE users CASCADE");
        assert_eq!(server.post("/admin/warmup/identity").status, 502);
        server.bring(None);
        until("all is written down", || audit(&server).len() >= 6);
        let lines = audit(&server);
        let found = |words: &[&str]| {
            let fits = lines.iter().filter(|line| words.iter().all(|word| line.contains(word)));
            assert_eq!(fits.count(), 1, "{words:?} in {lines:#?}");
        };
        found(&["127.0.0.1:", "POST", "/admin/warmup/all", "200", &run]);
        found(&["127.0.0.1:", "POST", "/admin/warmup/a%0ab%1b%5b31m", "404"]);
        found(&["127.0.0.1:", "DELETE", "/admin/runs/", "409"]);
        found(&["127.0.0.1:", "GET", "/admin/runs", "401"]);
        found(&["127.0.0.1:", "POST", "/livez", "403"]);
        found(&["POST", "/admin/warmup/identity", "502"]);
        assert_eq!(lines.len(), 6, "{lines:#?}");
        if format == "json" {
            for line in server.said().lines() {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                for field in ["timestamp", "level", "message"] {
                    assert!(line[field].is_string(), "{line:#}");
                }
            }
            let first: Value = serde_json::from_str(&lines[0]).expect("JSON");
            assert_eq!((&first["method"], &first["status"]), (&"POST".into(), &200.into()));
            assert_eq!(first["run_id"], run.as_str());
        }
        // What the server said and answered is searched for secrets when it ends.
        server.signal("TERM");
        server.end().expect(0);
    }
}

// ── what nobody can do to it ──────────────────────────────────────────────────────────────────

#[test]
fn what_is_too_long_or_no_http_is_refused() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let long = server.ask("GET", "/livez").header("X-Long", &"x".repeat(40_000)).open();
    assert_eq!(long.status, 431);
    let path = format!("/admin/warmup/{}", "x".repeat(40_000));
    assert!([414, 431].contains(&server.ask("POST", &path).open().status));
    let mut many = server.ask("GET", "/livez");
    for i in 0..500 {
        many = many.header(&format!("X-{i}"), "x");
    }
    assert_eq!(many.open().status, 431);
    for nonsense in [
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nX\u{0}: y\r\n\r\n",
        "POST /admin/warmup/all HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /admin/warmup/all HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
    ] {
        let mut stream = server.connect();
        stream.write_all(nonsense.as_bytes()).expect("sent");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        if let Some(reply) = Reply::read(stream) {
            assert!((400..=505).contains(&reply.status), "{nonsense:?}: {}", reply.status);
        }
    }
    // Bytes that are none of a path's own, as they are.
    for path in [
        "/admin/runs/\u{e9}",
        "/admin/../../etc/passwd",
        "/page.css/..",
        "/%2e%2e/etc/passwd",
        "/admin/warmup/\\..\\",
    ] {
        let status = server.ask("GET", path).open().status;
        assert!([400, 404, 405].contains(&status), "{path}: {status}");
    }
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), "0");
    server.get("/livez").expect(200);
}

/// Writes a byte a second until it cannot.
fn trickle(mut stream: TcpStream, head: &str) -> Duration {
    stream.write_all(head.as_bytes()).expect("sent");
    let mut writing = stream.try_clone().expect("a stream");
    let writer = thread::spawn(move || while writing.write_all(b"x").is_ok() && wait_a_second() {});
    let closed = closed_after(stream);
    writer.join().expect("it ends");
    closed
}

fn wait_a_second() -> bool {
    thread::sleep(Duration::from_secs(1));
    true
}

#[test]
fn slow_clients_are_let_go_and_hold_up_nobody() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let idle: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    thread::scope(|scope| {
        let slow = [
            ("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ", 8..14),
            ("G", 8..14),
            (
                "POST /admin/warmup/all HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
                8..14,
            ),
            // Nobody wants this body, so nobody waits for it.
            (
                "POST /admin/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
                0..14,
            ),
        ];
        let slow: Vec<_> = slow
            .into_iter()
            .map(|(head, seconds)| {
                let stream = server.connect();
                (head, seconds, scope.spawn(move || trickle(stream, head)))
            })
            .collect();
        // Meanwhile others are served at once.
        for _ in 0..20 {
            let asked = Instant::now();
            server.get("/livez").expect(200);
            assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(server.post("/admin/warmup/identity").expect(200).json()["success"], true);
        for (head, seconds, slow) in slow {
            let took = slow.join().expect("it was closed").as_secs();
            assert!(seconds.contains(&took), "{head:?} after {took} s");
        }
    });
    // Those that never said a word are gone by now too.
    for stream in idle {
        assert!(closed_after(stream) < AT_ONCE);
    }
    assert!(site.count("Product:") == 0, "a body that broke off has started a run");
}

#[test]
fn a_client_that_never_reads_is_let_go() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let mut stream = server.connect();
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let asked = Instant::now();
    let request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    let closed = loop {
        match stream.write(request.as_bytes()) {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                server.get("/livez").expect(200);
            }
            Err(_) => break asked.elapsed(),
        }
        assert!(asked.elapsed() < Duration::from_mins(1), "it is still there");
    };
    assert!(closed > Duration::from_secs(10), "{closed:?}");
}

#[test]
fn a_cache_that_does_not_answer_is_waited_for_once() {
    let site = Site::shop(Dialect::Sqlite);
    let (proxy, url) = crate::support::faults::proxied(&site.lab.redis);
    let server = Server::start(site.serving("").cache(url));
    server.json("/admin/runs");
    proxy.stall();
    // What was read is good for a moment.
    until("it has to ask", || server.get("/admin/runs").status == 503);
    let asked = Instant::now();
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| server.get("/admin/runs").refuses(503, &["cache"]));
        }
        server.get("/livez").expect(200);
    });
    assert!(asked.elapsed() < Duration::from_secs(40), "{:?}", asked.elapsed());
    proxy.flow();
    until("it answers again", || server.get("/admin/runs").status == 200);
}
