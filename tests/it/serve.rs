//! `shopwarm serve` as its clients see it: real databases and caches, the real binary, and HTTP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::faults::{proxied, until};
use crate::support::http::{Answer, Server};
use crate::support::lab::SHIPPED;
use crate::support::servers::{Dialect, Redis, free_port};
use crate::support::site::{Site, at_the_gate, ended, number, text};

fn names(values: &Value, field: &str) -> Vec<String> {
    let values = values.as_array().expect("a list").iter();
    values.map(|value| text(value, field).to_owned()).collect()
}

// ── starting runs ─────────────────────────────────────────────────────────────────────────────

#[test]
fn the_whole_shop_is_warmed_and_the_answer_is_true() {
    for dialect in crate::support::shop::DIALECTS {
        let site = Site::shop(dialect);
        let server = site.serve();
        let answer = server.post("/admin/warmup/all").expect(200).json();
        assert_eq!(answer["success"], true, "{answer:#}");
        assert_eq!(answer["success_rate"], 1.0);
        let keys = site.lab.keys().len() as u64;
        assert!(keys >= 170, "{keys}");
        assert_eq!(number(&answer, "total_warmed"), keys);
        assert_eq!(number(&answer, "total_keys"), keys);
        let report = &answer["report"];
        assert_eq!(answer["run_id"], report["run_id"]);
        assert_eq!(report["command"], "warmup all");
        assert_eq!(report["trigger"], "api");
        assert_eq!(report["outcome"], "complete");
        let strategies = names(&report["strategies"], "id");
        assert!(SHIPPED.iter().all(|id| strategies.contains(&(*id).to_owned())));
        assert_eq!(site.locks(), "");
    }
}

#[test]
fn a_context_and_a_strategy_are_warmed_alone() {
    let site = Site::shop(Dialect::Postgres);
    let server = site.serve();

    let answer = server.post("/admin/warmup/catalog/hot-products").expect(200).json();
    assert_eq!(answer["success"], true);
    assert_eq!(answer["context"], "catalog");
    let hot = json!({ "warmed": 100, "total": 100, "success_rate": 1.0 });
    assert_eq!(answer["results"], json!({ "hot-products": hot }));
    assert_eq!(site.lab.keys().len(), 100);
    assert_eq!(site.count("Product:id:"), 100);
    assert_eq!(answer["report"]["command"], "warmup strategy catalog/hot-products");

    let answer = server.post("/admin/warmup/catalog").expect(200).json();
    assert_eq!(answer["context"], "catalog");
    let results = answer["results"].as_object().expect("an object");
    for (strategy, prefix) in [
        ("hot-products", "Product:id:"),
        ("recommendations", "recommendations:"),
        ("categories", "Category:id:"),
        ("category-list", "Category:list:"),
        ("category-tree", "Category:tree:"),
    ] {
        let result = &results[strategy];
        assert_eq!(number(result, "warmed"), site.count(prefix), "{strategy}");
        assert_eq!(result["warmed"], result["total"]);
        assert_eq!(result["success_rate"], 1.0);
    }
    assert_eq!(results.len(), 5);
    assert_eq!(site.count("Order:") + site.count("User:"), 0);
    assert_eq!(answer["report"]["command"], "warmup context catalog");
}

#[test]
fn a_name_that_there_is_not_is_answered_with_those_that_there_are() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let contexts = json!(["catalog", "identity", "ordering"]);
    // Also what would mean something to a shell, a path, a database or a cache.
    for name in [
        "nowhere",
        "Catalog",
        "catalog%20",
        "catalog%00",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "*",
        "catalog;",
        "catalog'--",
        "%0d%0aSET%20x%201",
        "%1b%5b31m",
        "%E4%BF%9D",
        "catalog%2fhot-products",
        "all%20",
    ] {
        let problem =
            server.post(&format!("/admin/warmup/{name}")).refuses(404, &["there is no context"]);
        assert_eq!(problem["known"], contexts, "{name}");
        let problem =
            server.post(&format!("/admin/warmup/{name}/x")).refuses(404, &["there is no context"]);
        assert_eq!(problem["known"], contexts, "{name}");
        let problem = server
            .post(&format!("/admin/warmup/ordering/{name}"))
            .refuses(404, &["no strategy `ordering/"]);
        assert_eq!(problem["known"], json!(["recent-orders"]));
        server.get(&format!("/admin/runs/{name}")).refuses(404, &["there is no run"]);
        server.get(&format!("/admin/runs/{name}/events")).refuses(404, &["there is no run"]);
        server
            .ask("DELETE", &format!("/admin/runs/{name}"))
            .send()
            .refuses(404, &["there is no run"]);
        let problem =
            server.post(&format!("/admin/schedule/{name}/run")).refuses(404, &["there is no job"]);
        assert_eq!(problem["known"], json!([]));
    }
    // No text at all.
    for path in ["warmup/%ff", "warmup/catalog/%ff", "schedule/%ff/run"] {
        server.post(&format!("/admin/{path}")).refuses(404, &[]);
    }
    for path in ["runs/%ff", "runs/%ff/events"] {
        server.get(&format!("/admin/{path}")).refuses(404, &[]);
    }
    for path in [
        "/admin",
        "/admin/warmup",
        "/admin/warmup/",
        "/admin/warmup/all/",
        "/admin/warmup/a/b/c",
        "/page.html",
        "/../etc/passwd",
        "//",
    ] {
        server.get(path).refuses(404, &["nothing here"]);
        server.post(path).refuses(404, &["nothing here"]);
    }
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), "0");
    // A log is lines, whatever is in a name.
    assert!(!server.said().contains('\u{1b}'), "{}", server.said());
}

#[test]
fn all_is_never_a_context_of_that_name() {
    let site = Site::shop(Dialect::Sqlite);
    site.define("[context]\nname = \"all\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"one\"\nvalue = \"object\"\nsql.any = \"SELECT 1 AS id\"\n");
    let refused = site.serving("").run().expect(4);
    assert!(
        refused.stderr.contains("own.toml") && refused.stderr.contains("all"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_is_done_with_another_method_is_said() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    for (method, path) in [
        ("GET", "/admin/warmup/all"),
        ("PUT", "/admin/warmup/all"),
        ("DELETE", "/admin/warmup/catalog"),
        ("PATCH", "/admin/warmup/catalog/hot-products"),
        ("POST", "/admin/runs"),
        ("PUT", "/admin/runs/x"),
        ("DELETE", "/admin/schedule"),
        ("GET", "/admin/schedule/nightly/run"),
        ("POST", "/livez"),
        ("POST", "/openapi.json"),
        ("POST", "/"),
        ("TRACE", "/admin/runs"),
    ] {
        server.ask(method, path).send().refuses(405, &["method"]);
    }
    assert_eq!(server.ask("HEAD", "/livez").send().status, 200);
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), "0");
}

#[test]
fn a_run_that_is_not_complete_says_so() {
    let site = Site::shop(Dialect::Postgres);
    site.define(
        "extends = \"shipped\"\n[context]\nname = \"odd\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"one:{id}\"\nvalue = \"object\"\n\
         sql.any = \"SELECT g AS id, CASE WHEN g = 2 THEN 'NaN'::float8 ELSE g END AS x FROM generate_series(1, 3) g\"\n",
    );
    let server = Server::start(site.serving("--session-timezone").arg("UTC"));
    let answer = server.post("/admin/warmup/odd").expect(200).json();
    assert_eq!(answer["success"], false);
    assert_eq!(answer["results"]["one"]["warmed"], 2);
    assert_eq!(answer["results"]["one"]["total"], 3);
    let errors = &answer["report"]["strategies"][0]["errors"];
    assert_eq!(errors[0]["key"], "one:2", "{answer:#}");
    // The next command is about the shop of this server.
    let next = answer["report"]["next"].as_str().expect("a text");
    assert!(next.contains(" --session-timezone UTC"), "{next}");
    let all = server.post("/admin/warmup/all").expect(200).json();
    assert_eq!(all["success"], false);
    assert_eq!(number(&all, "total_warmed") + 1, number(&all, "total_keys"));
    // Of nothing there is no rate, and no success.
    site.lab.database.sql("DELETE FROM order_items; DELETE FROM orders");
    let empty = server.post("/admin/warmup/ordering").expect(200).json();
    assert_eq!(empty["success"], false, "{empty:#}");
    assert_eq!(empty["results"]["recent-orders"]["success_rate"], Value::Null);
}

#[test]
fn a_run_that_cannot_start_is_a_bad_gateway_or_an_unavailable_service() {
    let site = Site::shop(Dialect::Postgres);
    let port = free_port();
    let database = site.lab.database.url();
    let wrong = database.replace("shop-secret", "hunter2");
    let redis = Redis::start(&["--requirepass", "shop-secret"]);
    let [right_cache, wrong_cache] = ["shop-secret", "hunter2"]
        .map(|word| format!("redis://:{word}@127.0.0.1:{}", redis.port()));
    for (database, cache, status, words) in [
        (site.lab.database.url_via(port), right_cache.clone(), 503, ["database", "refused"]),
        (database.clone(), format!("redis://:hunter2@127.0.0.1:{port}"), 503, ["cache", "refused"]),
        (wrong, right_cache.clone(), 502, ["database", "password"]),
        (database, wrong_cache, 502, ["cache", "password"]),
    ] {
        let server = Server::start(site.serving("").database(database).cache(cache));
        for path in [
            "/admin/warmup/all",
            "/admin/warmup/catalog?wait=false",
            "/admin/warmup/catalog/categories",
        ] {
            let problem = server.post(path).refuses(status, &words);
            assert!(problem.get("hint").is_some(), "{problem:#}");
        }
        // It serves on; what needs no other server works.
        server.get("/livez").expect(200);
        server.json("/admin/strategies");
        server.json("/admin/schedule");
    }
    // What could not begin is in the history, where there is a cache.
    let server = Server::start(site.serving("").cache(right_cache));
    let runs = server.json("/admin/runs");
    let runs = runs["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 6, "{runs:#?}");
    assert!(runs.iter().all(|run| run["status"] == "incomplete"));
    assert!(text(&runs[5], "error").contains("database"));
}

#[test]
fn while_a_run_is_at_work_another_one_is_refused_with_its_id() {
    let site = Site::gated();
    let server = site.serve();
    let run = server.start_run("/admin/warmup/gated");
    at_the_gate(&server, &run);
    for path in [
        "/admin/warmup/gated",
        "/admin/warmup/gated?wait=false",
        "/admin/warmup/all",
        "/admin/warmup/gated/first",
    ] {
        let problem = server.post(path).refuses(409, &["another run"]);
        assert_eq!(problem["run_id"], run.as_str());
        let holder = &problem["holder"];
        assert_eq!(holder["run_id"], run.as_str());
        assert_eq!(holder["pid"], server.id());
        assert_eq!(holder["command"], "warmup context gated");
        assert!(text(holder, "since").ends_with('Z'));
        assert!(!text(holder, "host").is_empty());
    }
    // Another context is nobody's business, and a look disturbs nobody.
    assert_eq!(server.post("/admin/warmup/identity").expect(200).json()["success"], true);
    let busy = site.command("warmup context gated").run().expect(8);
    assert!(busy.stderr.contains(&run), "{}", busy.stderr);
    site.open();
    assert_eq!(ended(&server, &run)["outcome"], "complete");
    assert_eq!(server.post("/admin/warmup/gated").expect(200).json()["success"], true);
}

// ── watching and stopping runs ────────────────────────────────────────────────────────────────

#[test]
fn a_run_is_watched_while_it_goes_on() {
    let site = Site::gated();
    let server = site.serve();
    let answer = server.post("/admin/warmup/gated?wait=false").expect(202);
    let accepted = answer.json();
    let run = text(&accepted, "run_id").to_owned();
    assert_eq!(accepted["status"], "running");
    assert_eq!(text(&accepted, "location"), format!("/admin/runs/{run}"));
    let location = answer.header("location").expect("where it is").to_owned();
    assert_eq!(location, text(&accepted, "location"));
    let early = server.listen(&run, None);
    at_the_gate(&server, &run);

    let shown = server.json(&location);
    assert_eq!(shown["status"], "running");
    assert_eq!(shown["run_id"], run.as_str());
    let report = &shown["report"];
    assert_eq!(report["outcome"], Value::Null);
    assert_eq!(report["totals"]["warmed"], 20);
    assert_eq!(report["strategies"][0]["status"], "completed");
    assert_eq!(report["strategies"][0]["warmed"], 20);
    assert_eq!(report["strategies"][1]["status"], "running");
    assert!(report["strategies"][1]["expected"].is_u64(), "{report:#}");
    let listed = server.json("/admin/runs");
    assert_eq!(listed["runs"][0]["run_id"], run.as_str());
    assert_eq!(listed["runs"][0]["status"], "running");
    assert_eq!(listed["runs"][0]["trigger"], "api");

    let late = server.listen(&run, None);
    site.open();
    let (early, late): (Vec<_>, Vec<_>) = (early.collect(), late.collect());
    let told: Vec<&str> = early.iter().map(|event| event.name.as_str()).collect();
    // A busy machine may be slow enough for `stalled`.
    let is_step = |name: &&str| !["progress", "stalled"].contains(name);
    let steps: Vec<&str> = told.iter().copied().filter(is_step).collect();
    assert_eq!(
        steps,
        [
            "run_started",
            "sized",
            "strategy_started",
            "strategy_finished",
            "strategy_started",
            "strategy_finished",
            "run_finished"
        ]
    );
    assert!(told.contains(&"progress"), "{told:?}");
    for event in &early {
        assert_eq!(event.data["event"], event.name.as_str());
    }
    let ids: Vec<u64> = early.iter().map(|event| event.id.expect("a number")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert_eq!(early[0].data["strategies"], json!(["gated/first", "gated/second"]));
    let finished = early.iter().find(|event| event.name == "strategy_finished");
    assert_eq!(finished.expect("one").data["report"]["warmed"], 20);
    assert_eq!(early.last().expect("an end").data["outcome"], "complete");
    // Who came late has missed nothing, but for progress that was overtaken.
    let lasting = |events: &[crate::support::http::Told]| {
        let lasting = events.iter().filter(|event| event.name != "progress");
        lasting.cloned().collect::<Vec<_>>()
    };
    assert_eq!(lasting(&early), lasting(&late));

    // Who comes again goes on where it was; also after the end, and then the stream ends.
    let again = server.events(&run, early[2].id);
    assert!(again[0].id > early[2].id);
    assert_eq!(lasting(&again), lasting(&early[3..]));
    assert_eq!(server.events(&run, Some(ids[ids.len() - 1])), []);
    assert_eq!(lasting(&server.events(&run, None)), lasting(&early));
    let report = ended(&server, &run);
    assert_eq!(report["outcome"], "complete");
    assert_eq!(report["totals"]["warmed"], 50);
    assert_eq!(server.json(&location)["report"]["strategies"][1]["status"], "completed");

    // Of a run of another process the end is known.
    let next = site.serve();
    let end = next.events(&run, None);
    assert_eq!(end.len(), 1);
    assert_eq!(end[0].data, json!({ "event": "run_finished", "outcome": "complete" }));
    assert_eq!(next.json(&location)["report"], report);
}

#[test]
fn a_run_is_stopped() {
    let site = Site::gated();
    let server = site.serve();
    let run = server.start_run("/admin/warmup/gated");
    at_the_gate(&server, &run);
    let watching = server.listen(&run, None);
    let stop =
        |status: u16| server.ask("DELETE", &format!("/admin/runs/{run}")).send().expect(status);
    let stopping = stop(202).json();
    assert_eq!(stopping, json!({ "run_id": run, "status": "stopping" }));
    let report = ended(&server, &run);
    assert_eq!(report["outcome"], "interrupted");
    assert_eq!(report["strategies"][0]["status"], "completed");
    assert_eq!(report["strategies"][1]["status"], "cancelled");
    let told: Vec<String> = watching.map(|event| event.name).collect();
    assert!(told.ends_with(&["strategy_finished".into(), "run_finished".into()]), "{told:?}");
    assert!(told.contains(&"stopping".to_owned()), "{told:?}");
    assert_eq!(site.locks(), "");
    stop(409).refuses(409, &["has ended"]);

    // The next one starts at once; who waited for the stopped one has its answer.
    site.open();
    assert_eq!(server.post("/admin/warmup/gated").expect(200).json()["success"], true);
    let runs = server.json("/admin/runs");
    let statuses: Vec<&str> =
        runs["runs"].as_array().expect("a list").iter().map(|run| text(run, "status")).collect();
    assert_eq!(statuses, ["complete", "interrupted"]);
}

#[test]
fn who_waits_for_a_run_that_is_stopped_is_told() {
    let site = Site::gated();
    let server = site.serve();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.post("/admin/warmup/gated"));
        let mut run = String::new();
        until("the run has begun", || {
            let runs = server.json("/admin/runs");
            run = runs["runs"][0]["run_id"].as_str().unwrap_or_default().to_owned();
            !run.is_empty()
        });
        at_the_gate(&server, &run);
        server.ask("DELETE", &format!("/admin/runs/{run}")).send().expect(202);
        waiting.join().expect("an answer")
    });
    let answer = answer.expect(200).json();
    assert_eq!(answer["success"], false);
    assert_eq!(answer["report"]["outcome"], "interrupted");
}

#[test]
fn a_run_goes_on_when_who_started_it_leaves() {
    let site = Site::gated();
    let server = site.serve();
    let mut left = server.connect();
    std::io::Write::write_all(
        &mut left,
        b"POST /admin/warmup/gated HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )
    .expect("sent");
    let mut run = String::new();
    until("the run has begun", || {
        let runs = server.json("/admin/runs");
        run = runs["runs"][0]["run_id"].as_str().unwrap_or_default().to_owned();
        !run.is_empty()
    });
    at_the_gate(&server, &run);
    drop(left);
    site.open();
    assert_eq!(ended(&server, &run)["outcome"], "complete");
}

// ── what a request can ask for ────────────────────────────────────────────────────────────────

#[test]
fn each_wish_of_a_body_changes_the_run() {
    let site = Site::shop(Dialect::Postgres);
    let server = site.serve();
    let path = "/admin/warmup/all";

    let look = server.post_json(path, &json!({ "dry_run": true })).expect(200).json();
    assert_eq!(look["success"], true, "{look:#}");
    assert_eq!(look["total_warmed"], 0);
    assert_eq!(site.lab.redis.cli(&["KEYS", "*"]), "", "it has written");
    let planned = number(&look["report"]["totals"], "planned");
    let found = &look["report"]["strategies"][0]["found"];
    assert_eq!(found["planned"], 100, "{look:#}");
    assert_eq!(found["missing"], 100);
    // It leaves no trace in the history, and is known to who started it.
    assert_eq!(server.json("/admin/runs")["runs"], json!([]));
    server.json(&format!("/admin/runs/{}", text(&look, "run_id")));

    let limited = server.post_json(path, &json!({ "limit": 3 })).expect(200).json();
    for strategy in limited["report"]["strategies"].as_array().expect("a list") {
        assert!(number(strategy, "total") <= 3, "{strategy:#}");
    }
    assert_eq!(site.count("Product:id:"), 3);

    let tagged = server.post_json(path, &json!({ "tags": ["product"] })).expect(200).json();
    let strategies = names(&tagged["report"]["strategies"], "id");
    let of_all = server.json("/admin/strategies");
    let with_tag: Vec<String> = of_all["strategies"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|strategy| strategy["tags"].as_array().expect("a list").contains(&json!("product")))
        .map(|strategy| text(strategy, "id").to_owned())
        .collect();
    assert!(
        !with_tag.is_empty()
            && with_tag.len() < of_all["strategies"].as_array().expect("a list").len()
    );
    assert_eq!(strategies, with_tag);
    assert_eq!(site.count("User:"), 3, "of the limited run");

    let missing = server.post_json(path, &json!({ "mode": "only-missing" })).expect(200).json();
    let hot = &missing["report"]["strategies"][0];
    assert_eq!((&hot["warmed"], &hot["skipped"]), (&json!(0), &json!(100)), "{hot:#}");
    let whole = server
        .post_json(path, &json!({ "mode": "refresh", "tags": null, "limit": null }))
        .expect(200)
        .json();
    assert_eq!(whole["total_warmed"], whole["total_keys"]);
    assert_eq!(number(&whole, "total_warmed"), planned);
    let look = server.post_json(path, &json!({ "dry_run": true })).expect(200).json();
    assert_eq!(look["report"]["strategies"][0]["found"]["identical"], 100);
    // The next run has none of it, and an empty body says nothing.
    let plain = server
        .ask("POST", path)
        .header("Content-Type", "application/json")
        .send()
        .expect(200)
        .json();
    assert_eq!(plain["total_warmed"], whole["total_warmed"]);
}

#[test]
fn concurrency_belongs_to_the_run_that_wishes_it() {
    let site = Site::shop(Dialect::Sqlite);
    let (_dir, bulk) = crate::support::faults::bulk(&[20_000]);
    let (proxy, url) = proxied(&site.lab.redis);
    let server = Server::start(site.serving("--batch-size 10").contexts(&bulk).cache(url));
    let in_flight = |body: Value| {
        proxy.stall_after_to_server(200_000);
        let answer = server
            .ask("POST", "/admin/warmup/bulk?wait=false")
            .json(&body)
            .send()
            .expect(202)
            .json();
        let run = text(&answer, "run_id").to_owned();
        until("the run is held", || proxy.is_stalled());
        site.lab.redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
        proxy.flow();
        until("batches wait", || site.lab.redis.cli(&["CLIENT", "LIST"]).contains("flags=b"));
        // What is in flight has been read by now.
        std::thread::sleep(Duration::from_millis(300));
        let shown = server.json(&format!("/admin/runs/{run}"));
        server.ask("DELETE", &format!("/admin/runs/{run}")).send().expect(202);
        site.lab.redis.cli(&["CLIENT", "UNPAUSE"]);
        let report = ended(&server, &run);
        site.lab.redis.cli(&["FLUSHALL"]);
        // Finished after the freeze: no more than what was in flight.
        number(&report["totals"], "total") - number(&shown["report"]["totals"], "total")
    };
    let (one, many) =
        (in_flight(json!({ "concurrency": 1 })), in_flight(json!({ "concurrency": 64 })));
    drop(proxy);
    assert!(one < many, "{one} with one, {many} with 64");
}

#[test]
fn a_body_that_is_none_is_refused() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let ask = |body: &str| {
        let ask = server.ask("POST", "/admin/warmup/catalog");
        ask.header("Content-Type", "application/json").body(body).send()
    };
    for (body, word) in [
        (r#"{"concurency": 5}"#, "concurency"),
        (r#"{"max_refill": 500}"#, "max_refill"),
        (r#"{"mode": "fast"}"#, "fast"),
        (r#"{"limit": 0}"#, "limit"),
        (r#"{"limit": -1}"#, "body"),
        (r#"{"limit": 1.5}"#, "body"),
        (r#"{"concurrency": 0}"#, "concurrency"),
        (r#"{"concurrency": 1001}"#, "concurrency"),
        (r#"{"concurrency": 99999999999}"#, "body"),
        (r#"{"tags": "product"}"#, "body"),
        (r#"{"dry_run": "yes"}"#, "body"),
        (r#"{"dry_run": true, "dry_run": false}"#, "dry_run"),
        ("[]", "body"),
        (&"[".repeat(60_000), "body"),
        (r#""all""#, "body"),
        (r#"{"tags": ["no-such-tag"]}"#, "no-such-tag"),
    ] {
        ask(body).refuses(422, &[word]);
    }
    for body in ["{", "not json", r#"{"limit": 1}}"#, "\u{0}", r#"{"tags": ["#] {
        ask(body).refuses(400, &["body"]);
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
        "multipart/form-data",
    ] {
        let ask = server.ask("POST", "/admin/warmup/catalog").header("Content-Type", kind);
        ask.body("{}").send().refuses(415, &["application/json"]);
    }
    ask(&format!("{{\"tags\": [\"{}\"]}}", "x".repeat(70_000))).refuses(413, &["65536"]);
    for query in ["wait=perhaps", "waits=false", "wait=true&x=1", "%00"] {
        server.post(&format!("/admin/warmup/catalog?{query}")).refuses(400, &["wait"]);
    }
    assert_eq!(site.lab.redis.cli(&["DBSIZE"]), "0");
    let odd = server
        .ask("POST", "/admin/warmup/catalog")
        .header("Content-Type", "Application/JSON; charset=utf-8");
    odd.body(" {} ").send().expect(200);
}

// ── the same request again ────────────────────────────────────────────────────────────────────

#[test]
fn the_same_request_leads_to_the_same_run() {
    let site = Site::shop(Dialect::Postgres);
    let server = site.serve();
    let ask = |server: &Server, path: &str, key: &str, body: Value| {
        server.ask("POST", path).key(key).json(&body).send()
    };
    let path = "/admin/warmup/catalog";

    let first = ask(&server, path, "deploy-1", json!({})).expect(200).json();
    let again = ask(&server, path, "deploy-1", json!({})).expect(200).json();
    assert_eq!(first, again);
    let run = text(&first, "run_id");
    let also =
        ask(&server, &format!("{path}?wait=false"), "deploy-1", json!({})).expect(200).json();
    assert_eq!(also["run_id"], run);
    ask(&server, path, "deploy-1", json!({ "limit": 5 })).refuses(422, &["Idempotency-Key"]);
    ask(&server, "/admin/warmup/all", "deploy-1", json!({})).refuses(422, &["Idempotency-Key"]);
    ask(&server, path, "", json!({})).refuses(400, &["Idempotency-Key"]);
    ask(&server, path, &"x".repeat(300), json!({})).refuses(400, &["Idempotency-Key"]);
    let other = ask(&server, path, "deploy-2", json!({})).expect(200).json();
    assert_ne!(other["run_id"], run);

    // Through another server, and after a restart.
    let second = site.serve();
    assert_eq!(ask(&second, path, "deploy-1", json!({})).expect(200).json()["run_id"], run);
    ask(&second, path, "deploy-1", json!({ "limit": 5 })).refuses(422, &["Idempotency-Key"]);
    drop(server);
    let server = site.serve();
    assert_eq!(ask(&server, path, "deploy-1", json!({})).expect(200).json()["run_id"], run);
    let runs = server.json("/admin/runs");
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2));

    // A look leaves no record, and can be asked for again all the same.
    let look = json!({ "dry_run": true });
    let looked = ask(&server, path, "look", look.clone()).expect(200).json();
    assert_eq!(ask(&server, path, "look", look).expect(200).json()["run_id"], looked["run_id"]);
}

#[test]
fn the_same_request_at_the_same_moment_is_one_run() {
    let site = Site::gated();
    let servers = [site.serve(), site.serve()];
    let path = "/admin/warmup/gated?wait=false";
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let ask = |i: usize| {
            let server = &servers[usize::from(i >= 8)];
            scope.spawn(move || server.ask("POST", path).key("at-once").send())
        };
        let asked: Vec<_> = (0..10).map(ask).collect();
        asked.into_iter().map(|answer| answer.join().expect("an answer")).collect()
    });
    let mut runs: Vec<String> =
        answers.iter().map(|answer| text(&answer.json(), "run_id").to_owned()).collect();
    runs.dedup();
    assert_eq!(runs.len(), 1, "{answers:?}");
    // Of the server that has it, all are told so; another one can only say that it goes on.
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    assert!(accepted == 8 || accepted == 2, "{answers:?}");
    assert!(answers.iter().all(|answer| [202, 409].contains(&answer.status)), "{answers:?}");
    site.open();
    // What another server knows may be a second old.
    for server in &servers {
        let ask = || server.ask("POST", "/admin/warmup/gated").key("at-once").send();
        until("it has ended", || ask().status == 200);
    }
    for server in &servers {
        let run =
            server.ask("POST", "/admin/warmup/gated").key("at-once").send().expect(200).json();
        assert_eq!(run["run_id"], runs[0].as_str());
        assert_eq!(server.json("/admin/runs")["runs"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_run_that_could_not_start_does_not_use_up_the_key() {
    let site = Site::gated();
    let server = site.serve();
    let held = server.start_run("/admin/warmup/gated");
    at_the_gate(&server, &held);
    let ask = || server.ask("POST", "/admin/warmup/gated").key("later").send();
    assert_eq!(ask().refuses(409, &["another run"])["run_id"], held.as_str());
    site.open();
    ended(&server, &held);
    let run = ask().expect(200).json();
    assert_ne!(run["run_id"], held.as_str());
    assert_eq!(ask().expect(200).json()["run_id"], run["run_id"]);
}

// ── what is known of the shop ─────────────────────────────────────────────────────────────────

#[test]
fn runs_of_the_command_line_are_listed_too() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    assert_eq!(server.json("/admin/runs")["runs"], json!([]));
    let run = site.command("warmup context catalog -o json").run().expect(0).json();
    server.post("/admin/warmup/identity").expect(200);
    // A list may be a second old.
    let mut runs = Value::Null;
    until("both are listed", || {
        runs = server.json("/admin/runs")["runs"].clone();
        runs.as_array().is_some_and(|runs| runs.len() == 2)
    });
    assert_eq!(runs[0]["command"], "warmup context identity");
    assert_eq!(runs[0]["trigger"], "api");
    assert_eq!(runs[1]["run_id"], run["run_id"]);
    assert_eq!(runs[1]["trigger"], "cli");
    assert_eq!(runs[1]["warmed"], run["totals"]["warmed"]);
    assert_eq!(runs[1]["status"], "complete");
    let id = text(&run, "run_id");
    let shown = server.json(&format!("/admin/runs/{id}"));
    assert_eq!(shown["report"]["strategies"], run["strategies"]);
    let problem = server.ask("DELETE", &format!("/admin/runs/{id}")).send();
    problem.refuses(409, &["has ended"]);
}

#[test]
fn strategies_are_told_with_their_last_complete_run() {
    let site = Site::shop(Dialect::Sqlite);
    let server = Server::start(site.serving("--exclude catalog/category-tree"));
    let hot = |server: &Server| {
        let all = server.json("/admin/strategies");
        let all = all["strategies"].as_array().expect("a list");
        let ids: Vec<&str> = all.iter().map(|strategy| text(strategy, "id")).collect();
        assert!(SHIPPED.iter().all(|id| ids.contains(id)), "{ids:?}");
        let tree = all.iter().find(|strategy| strategy["id"] == "catalog/category-tree");
        assert_eq!(tree.expect("there")["enabled"], false);
        let hot = all.iter().find(|strategy| strategy["id"] == "catalog/hot-products");
        hot.expect("there").clone()
    };
    let before = hot(&server);
    assert_eq!(
        before,
        json!({
            "id": "catalog/hot-products", "context": "catalog", "name": "hot-products",
            "description": before["description"], "priority": 100, "ttl_seconds": 7200, "tags": before["tags"],
            "enabled": true, "key": "Product:id:{id}", "last_complete": null,
        })
    );
    let run = server.post("/admin/warmup/catalog").expect(200).json();
    let last = &hot(&server)["last_complete"];
    assert_eq!(last["run_id"], run["run_id"]);
    assert_eq!(last["keys"], 100);
    assert_eq!(last["at"], run["report"]["started_at"]);
}

#[test]
fn the_schedule_is_told_and_a_job_can_be_run_at_once() {
    let site = Site::shop(Dialect::Sqlite);
    site.config(
        "timezone = \"Europe/Berlin\"\n[schedule.peak]\ncron = \"30 8 * * *\"\nconcurrency = 7\nlimit = 4\n\
         warmup = [\"catalog/hot-products\", \"identity\"]\noverlap = \"queue\"\n\
         [schedule.far]\ncron = \"0 0 12 * * SAT\"\nwarmup = \"all\"\ntimezone = \"Asia/Shanghai\"\n",
    );
    let server = site.serve();
    let schedule = server.json("/admin/schedule");
    assert_eq!(schedule["timezone"], "Europe/Berlin");
    assert_eq!(names(&schedule["jobs"], "name"), ["far", "peak"]);
    let (far, peak) = (&schedule["jobs"][0], &schedule["jobs"][1]);
    assert_eq!(peak["warmup"], json!(["catalog/hot-products", "identity"]));
    assert_eq!((&peak["concurrency"], &peak["overlap"]), (&json!(7), &json!("queue")));
    assert_eq!(
        peak["strategies"],
        json!(["catalog/hot-products", "identity/active-user-sessions"])
    );
    assert_eq!((&far["concurrency"], &far["overlap"]), (&Value::Null, &json!("skip")));
    assert_eq!((&far["warmup"], &far["timezone"]), (&json!(["all"]), &json!("Asia/Shanghai")));
    for (job, time) in [(far, "T12:00:00+08:00"), (peak, "T08:30:00+0")] {
        let next = job["next"].as_array().expect("a list");
        assert_eq!(next.len(), 3);
        for (local, utc) in next.iter().zip(job["next_utc"].as_array().expect("a list")) {
            let (local, utc) = (local.as_str().expect("a time"), utc.as_str().expect("a time"));
            assert!(local.contains(time), "{local}");
            let [local, utc]: [jiff::Timestamp; 2] =
                [local, utc].map(|at| at.parse().expect("an instant"));
            assert_eq!(local, utc);
        }
    }

    let accepted = server.post("/admin/schedule/peak/run").expect(202);
    let run = text(&accepted.json(), "run_id").to_owned();
    assert_eq!(accepted.header("location"), Some(format!("/admin/runs/{run}").as_str()));
    let report = ended(&server, &run);
    assert_eq!((&report["job"], &report["trigger"]), (&json!("peak"), &json!("api")));
    assert_eq!(
        names(&report["strategies"], "id"),
        ["catalog/hot-products", "identity/active-user-sessions"]
    );
    assert_eq!(site.count("Product:id:"), 4);
    let waited = server
        .post_json("/admin/schedule/peak/run?wait=true", &json!({ "limit": 6 }))
        .expect(200)
        .json();
    assert_eq!(waited["success"], true);
    assert_eq!(site.count("Product:id:"), 6);
    let known = server.post("/admin/schedule/nightly/run").refuses(404, &["no job `nightly`"]);
    assert_eq!(known["known"], json!(["far", "peak"]));
    assert_eq!(server.json("/admin/runs")["runs"][0]["job"], "peak");
}

#[test]
fn readiness_waits_for_the_first_complete_run() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    assert_eq!(server.get("/livez").expect(200).body, "ok\n");
    assert_eq!(server.get("/readyz").expect(200).body, "ready\n");
    site.define("extends = \"shipped\"\n[context]\nname = \"odd\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"one:{_id}\"\nvalue = \"text\"\n\
                 sql.any = \"SELECT 1 AS _id, x'00ff' AS v\"\n");
    let server = Server::start(site.serving("--ready-after first-run"));
    let waits = || {
        assert!(server.get("/readyz").expect(503).body.contains("no run has completed"));
    };
    waits();
    server.get("/livez").expect(200);
    server.post_json("/admin/warmup/catalog", &json!({ "dry_run": true })).expect(200);
    waits();
    assert_eq!(server.post("/admin/warmup/odd").expect(200).json()["success"], false);
    waits();
    assert_eq!(server.post("/admin/warmup/catalog").expect(200).json()["success"], true);
    server.get("/readyz").expect(200);

    let server = Server::start(
        site.serving("--ready-after first-run --on-start catalog,identity/active-user-sessions"),
    );
    until("it is ready by itself", || server.get("/readyz").status == 200);
    let run = &server.json("/admin/runs")["runs"][0];
    assert_eq!((&run["trigger"], &run["status"]), (&json!("start"), &json!("complete")));
    let refused = site.serving("--on-start nowhere").run().expect(4);
    assert!(
        refused.stderr.contains("on_start") && refused.stderr.contains("nowhere"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let site = Site::shop(Dialect::Sqlite);
    let server = site.serve();
    let answer = server.get("/openapi.json").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let api = answer.json();
    assert_eq!(api["openapi"], "3.1.0");
    let mut routes = Vec::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        routes.extend(
            methods.as_object().expect("methods").keys().map(|method| format!("{method} {path}")),
        );
    }
    routes.sort();
    assert_eq!(
        routes,
        [
            "delete /admin/runs/{id}",
            "get /admin/runs",
            "get /admin/runs/{id}",
            "get /admin/runs/{id}/events",
            "get /admin/schedule",
            "get /admin/strategies",
            "get /livez",
            "get /metrics",
            "get /readyz",
            "patch /admin/runs/{id}",
            "post /admin/schedule/{job}/run",
            "post /admin/warmup/all",
            "post /admin/warmup/{context}",
            "post /admin/warmup/{context}/{strategy}",
        ]
    );
    // Each is there, and only with these methods.
    for route in &routes {
        let (method, path) = route.split_once(' ').expect("a method");
        let path = path
            .replace("{context}", "catalog")
            .replace("{strategy}", "categories")
            .replace(['{', '}'], "");
        for other in ["GET", "POST", "DELETE", "PUT", "PATCH"] {
            let known = routes.iter().any(|route| {
                let (method, template) = route.split_once(' ').expect("a method");
                let template =
                    template.replace("{context}", "catalog").replace("{strategy}", "categories");
                method.eq_ignore_ascii_case(other) && template.replace(['{', '}'], "") == path
            });
            let status = server.ask(other, &path).send().status;
            assert_eq!(status == 405, !known, "{other} {path}: {status}, {method}");
        }
    }
    assert_eq!(api["info"]["version"], env!("CARGO_PKG_VERSION"));
}
