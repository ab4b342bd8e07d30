//! Where URLs and the token may come from, and that nothing ever shows what is secret in them.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::http::Server;
use crate::support::lab::Lab;
use crate::support::servers::{Database, Dialect, Redis};
use crate::support::shop;
use crate::support::shopwarm::{Finished, Shopwarm, shopwarm};

/// Stands in every secret of these tests. It has no character that an encoding of URLs changes.
const CANARY: &str = "cAn4ry";

/// A password with all that is special in URLs; as it is written there, escaped.
const PASSWORD: &str = "cAn4ry@1/cAn4ry:2?cAn4ry#3 cAn4ry%41";
const ESCAPED: &str = "cAn4ry%401%2FcAn4ry%3A2%3FcAn4ry%233%20cAn4ry%2541";

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
    path
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Value and source of a setting.
fn setting(run: &Finished, name: &str) -> [String; 2] {
    let document = run.json();
    let mut all = document["settings"].as_array().expect("a list").iter();
    let found = all.find(|setting| setting["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {document:#}"));
    ["value", "from"].map(|field| found[field].as_str().unwrap_or_default().to_owned())
}

/// What of a text is the canary, as it is or encoded.
fn leaks(text: &str) -> Vec<&str> {
    let mut needles = vec![CANARY.to_owned(), CANARY.chars().rev().collect()];
    let bytes = CANARY.bytes();
    needles.push(bytes.clone().map(|b| format!("{b:02x}")).collect());
    needles.push(bytes.map(|b| format!("{b}, ")).collect());
    // In the middle of a longer text, where three bytes may begin anywhere.
    for before in 0..3 {
        let padded = format!("{}{CANARY}", "x".repeat(before));
        let encoded = BASE64_STANDARD.encode(padded);
        let encoded = encoded.trim_end_matches('=');
        let (start, end) = (before.div_ceil(3) * 4, encoded.len() - 2);
        needles.push(encoded[start..end].to_owned());
    }
    let is_in = |line: &&str| {
        let lower = line.to_lowercase();
        needles.iter().any(|needle| line.contains(needle) || lower.contains(&needle.to_lowercase()))
    };
    text.lines().filter(is_in).collect()
}

#[track_caller]
fn tight(what: &str, run: &Finished) {
    for text in [&run.stdout, &run.stderr] {
        assert!(leaks(text).is_empty(), "{what}: {:#?}", leaks(text));
        assert!(!text.contains("panicked"), "{what}\n{text}");
    }
}

// ── where they come from ──────────────────────────────────────────────────────────────────────

#[test]
fn a_url_comes_from_a_command() {
    let dir = folder();
    let show = || shopwarm("config show -o json").dir(dir.path());
    let (side, shown) = ("cache_url", "redis://:***@h:1/0");
    let prints = "echo ' redis://:cAn4ry@h:1/0 '; echo second; echo cAn4ry >&2";
    let flag = show().arg("--cache-url-command").arg(prints);
    let variable = show().env("SHOPWARM_CACHE_URL_COMMAND", prints);
    write(dir.path(), "shopwarm.toml", format!("cache_url_command = {}", Value::from(prints)));
    for (run, from) in [
        (flag, "command (flag)"),
        (variable, "command (environment SHOPWARM_CACHE_URL_COMMAND)"),
        (show(), "command (shopwarm.toml)"),
    ] {
        let run = run.run().expect(0);
        assert_eq!(setting(&run, side), [shown, from]);
        tight(from, &run);
    }
}

#[test]
fn a_command_that_gives_no_url_is_a_configuration_error() {
    let run = |command: &str| {
        let run = shopwarm("config show --database-url-command").arg(command);
        let run = run.run().expect(4);
        tight(command, &run);
        assert!(run.stderr.contains("--database-url-command printed no URL"));
        assert!(run.stderr.contains("by hand"), "{}", run.stderr);
        run.stderr
    };
    for (command, why) in [
        ("echo cAn4ry; echo cAn4ry >&2; exit 3", "exit status: 3"),
        ("no-such-program-cAn4ry", "exit status: 127"),
        ("kill -9 $$", "signal: 9"),
        ("true # cAn4ry", "the first line is empty"),
        ("printf '\\377cAn4ry'", "not UTF-8"),
        ("head -c 100000 /dev/zero", "64 KiB"),
        ("echo 'cAn4ry' | tr y '\\001'", "control characters"),
        ("'", "exit status: 2"),
    ] {
        let said = run(command);
        assert!(said.contains(why), "{command}: {said}");
    }
    let asked = Instant::now();
    let said = run("sleep 600 & echo redis://h; sleep 600");
    assert!(said.contains("did not end within 10 s"), "{said}");
    assert!(asked.elapsed() < Duration::from_secs(40));
}

#[test]
fn a_url_comes_from_systemd() {
    let dir = folder();
    write(dir.path(), "database-url", "postgres://u:cAn4ry@cred/db\n");
    let show = || {
        let show = shopwarm("config show -o json").dir(dir.path());
        show.env("CREDENTIALS_DIRECTORY", dir.path())
    };
    let run = show().run().expect(0);
    let from = "systemd credential database-url";
    let shown = "postgres://u:***@cred/db";
    assert_eq!(setting(&run, "database_url"), [shown, from]);
    assert_eq!(setting(&run, "cache_url"), ["", "default"]);
    assert_eq!(setting(&run, "token"), ["", "default"]);
    tight("credential", &run);
    write(dir.path(), "cache-url", "redis://cred/0");
    write(dir.path(), "token", "cAn4ry-cAn4ry-cAn4ry");
    let run = show().run().expect(0);
    tight("credentials", &run);
    let from = "systemd credential cache-url";
    assert_eq!(setting(&run, "cache_url"), ["redis://cred/0", from]);
    let from = "systemd credential token";
    assert_eq!(setting(&run, "token"), ["(set)", from]);
    let empty = show().env("CREDENTIALS_DIRECTORY", "").run().expect(0);
    assert_eq!(setting(&empty, "token"), ["", "default"]);
    write(dir.path(), "cache-url", "");
    let run = show().run().expect(4);
    assert!(run.stderr.contains("cache-url"), "{}", run.stderr);
}

#[test]
fn the_nearest_source_counts() {
    let dir = folder();
    let file = |host: &str| {
        let path = write(dir.path(), host, format!("redis://{host}/0\n"));
        path.display().to_string()
    };
    let credentials = folder();
    write(credentials.path(), "cache-url", "redis://credential/0");
    write(dir.path(), "shopwarm.toml", format!("cache_url_file = {:?}", file("in-toml")));
    let mut sources: Vec<(&str, String, &str)> = vec![
        ("--cache-url-file", file("flag"), "redis://flag/0"),
        ("SHOPWARM_CACHE_URL_FILE", file("variable"), "redis://variable/0"),
        ("REDIS_URL", "redis://older/0".to_owned(), "redis://older/0"),
        ("CREDENTIALS_DIRECTORY", credentials.path().display().to_string(), "redis://credential/0"),
        ("", String::new(), "redis://in-toml/0"),
    ];
    while !sources.is_empty() {
        let show = shopwarm("config show -o json").dir(dir.path());
        let show =
            sources.iter().fold(show, |show, (name, value, _)| match name.starts_with('-') {
                true => show.arg(name).arg(value),
                false if name.is_empty() => show,
                false => show.env(name, value),
            });
        let (name, _, url) = sources.remove(0);
        assert_eq!(setting(&show.run().expect(0), "cache_url")[0], url, "{name}");
    }
}

#[test]
fn two_sources_in_one_place_are_refused() {
    let dir = folder();
    let url = write(dir.path(), "url", "mysql://u:cAn4ry@h/db");
    let show = || shopwarm("config show").dir(dir.path());
    let refused = |run: Shopwarm, code: i32, words: &[&str]| {
        let run = run.run().expect(code);
        tight("twice", &run);
        for word in words.iter().chain(&["both given", "keep one"]) {
            assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
        }
    };
    let flags = show().args("--database-url mysql://u:cAn4ry@h/db --database-url-command true");
    refused(flags, 2, &["--database-url and --database-url-command"]);
    let variables =
        show().env("CACHE_URL", "redis://:cAn4ry@h").env("SHOPWARM_CACHE_URL_FILE", &url);
    refused(variables, 2, &["CACHE_URL and SHOPWARM_CACHE_URL_FILE"]);
    // One on the command line settles it.
    let settled = show()
        .env("CACHE_URL", "redis://:cAn4ry@h")
        .env("SHOPWARM_CACHE_URL_FILE", &url)
        .args("--cache-url redis://h");
    settled.run().expect(0);
    write(dir.path(), "shopwarm.toml", "cache_url_command = 'true'\ncache_url_file = 'url'");
    let words = ["shopwarm.toml", "cache_url_file and cache_url_command"];
    refused(show(), 4, &words);
}

#[test]
fn a_password_in_a_flag_is_warned_of() {
    let warned = |run: Shopwarm| {
        let run = run.run().expect(0);
        tight("a flag", &run);
        let lines = run.stderr.matches("list of processes").count();
        let hints = run.stderr.matches("-url-command").count();
        assert_eq!(lines, hints, "{}", run.stderr);
        lines
    };
    let show = |arguments: &str| shopwarm("config show").args(arguments);
    for (arguments, lines) in [
        ("--database-url postgres://u:cAn4ry@h/db", 1),
        ("--redis-url redis://cAn4ry@h", 1),
        ("--redis-url redis+cluster://u:cAn4ry@a:1,b:2", 1),
        ("--redis-url redis://h --database-url sqlite:shop.db", 0),
        ("--database-url mysql://u@h/db", 0),
        ("-q --redis-url redis://cAn4ry@h", 0),
    ] {
        assert_eq!(warned(show(arguments)), lines, "{arguments}");
    }
    let variable = shopwarm("config show").database("mysql://u:cAn4ry@h/db");
    assert_eq!(warned(variable), 0);
    let logged = show("--log-format json --redis-url redis://cAn4ry@h");
    let run = logged.run().expect(0);
    let line: Value = serde_json::from_str(&run.stderr).expect("one record");
    assert_eq!(line["level"], "WARN");
}

/// The URL of the shop without its password.
fn bare(url: &str) -> String {
    url.replace(":shop-secret", "")
}

#[test]
fn postgresqls_password_file_is_used_and_never_shown() {
    let lab = Lab::shop(Dialect::Postgres);
    let dir = folder();
    let malformed = format!("{CANARY}\n{CANARY}:{CANARY}\nh:1:db:u\\x:{CANARY}\n\\\n");
    let lines = |password: &str| format!("# {CANARY}\n{malformed}*:*:*:shop:{password}\n");
    let warm = |variable: &str, path: &Path| {
        let run = shopwarm("warmup context ordering -v --log-format json");
        let run = run.database(bare(&lab.database.url())).env(variable, path);
        let run = run.cache(lab.redis.url()).env("RUST_LOG", "trace").run();
        tight(variable, &run);
        run
    };
    let passwords = write(dir.path(), "passwords", lines("shop-secret"));
    let wrong = write(dir.path(), "wrong", lines(CANARY));
    write(dir.path(), ".pgpass", lines("shop-secret"));
    warm("PGPASSFILE", &passwords).expect(0);
    warm("HOME", dir.path()).expect(0);
    let refused = warm("PGPASSFILE", &wrong).expect(7);
    assert!(refused.stderr.contains("user and password"));
    // As PostgreSQL's own clients do: a file that others can read is not used.
    fs::set_permissions(&passwords, Permissions::from_mode(0o640)).expect("a mode");
    warm("PGPASSFILE", &passwords).expect(7);
    let doctor = |mode: u32| {
        fs::set_permissions(&passwords, Permissions::from_mode(mode)).expect("a mode");
        let doctor = shopwarm("doctor").cache(lab.redis.url());
        let doctor = doctor.env("PGPASSFILE", &passwords);
        doctor.database(bare(&lab.database.url())).run()
    };
    let found = doctor(0o640).expect(7).stdout;
    assert!(found.contains("is not used") && found.contains("chmod 600"), "{found}");
    let found = doctor(0o600).expect(0).stdout;
    assert!(!found.contains("is not used"), "{found}");
}

#[test]
fn a_reload_reads_commands_and_credentials_anew() {
    let (database, first, second) =
        (shop::database(Dialect::Sqlite), Redis::start(&[]), Redis::start(&[]));
    let dir = folder();
    let url = write(dir.path(), "url", first.url());
    let credentials = folder();
    write(credentials.path(), "database-url", database.url());
    write(credentials.path(), "token", crate::support::http::TOKEN);
    let command = shopwarm("serve --listen 127.0.0.1:0 --cache-url-command")
        .arg(format!("cat {}", url.display()))
        .dir(dir.path())
        .env("CREDENTIALS_DIRECTORY", credentials.path());
    let mut server = Server::start(command);
    server.get("/admin/runs").expect(401);
    server.bring(Some(crate::support::http::TOKEN));
    server.post("/admin/warmup/identity").expect(200);
    fs::write(&url, second.url()).expect("a file");
    let other = "a-token-nobody-knows-yet";
    write(credentials.path(), "token", other);
    server.signal("HUP");
    server.hears("reloaded");
    server.get("/admin/runs").expect(401);
    server.bring(Some(other));
    server.post("/admin/warmup/identity").expect(200);
    let keys = |redis: &Redis| redis.cli(&["KEYS", "*ession*"]).lines().count();
    assert!(keys(&first) > 0 && keys(&first) == keys(&second));
    // A command that fails leaves what was.
    fs::remove_file(&url).expect("it is there");
    server.signal("HUP");
    server.hears("not reloaded");
    server.post("/admin/warmup/identity").expect(200);
}

// ── and where they do not go ──────────────────────────────────────────────────────────────────

/// Every command that there is, by its own help, from the top down.
fn commands() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut at = 0;
    while at < all.len() {
        let path: Vec<String> = all[at].clone();
        let help = path.iter().fold(shopwarm(""), super::support::shopwarm::Shopwarm::arg);
        let help = help.arg("--help").run().expect(0).stdout;
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        let lines = listed.lines().take_while(|line| !line.is_empty());
        let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = named.filter_map(|line| line.split_whitespace().next());
        // `help` takes no flags; it prints what --help prints.
        for name in names.filter(|name| *name != "help") {
            all.push([path.clone(), vec![name.to_owned()]].concat());
        }
        at += 1;
    }
    all
}

/// What a command wants beside its name to do something.
fn arguments(command: &str) -> &'static str {
    match command {
        "warmup context" => "catalog",
        "warmup strategy" => "catalog/categories",
        "warmup keys" | "keys get" => "Product:id:prod-0001",
        "completions" => "bash",
        "init" => "made",
        "worker" => "--idle-exit 500ms",
        _ => "",
    }
}

/// A way to give the URLs to a command, and its name.
type Way<'a> = (&'static str, Box<dyn Fn(Shopwarm) -> Shopwarm + 'a>);

/// A shop and a cache with secrets for passwords.
struct Vault {
    database: Database,
    redis: Redis,
    dir: tempfile::TempDir,
    user: String,
}

impl Vault {
    fn new() -> Self {
        let database = shop::database(Dialect::Postgres);
        let user = format!("u_{}", database.name().replace(|c: char| !c.is_alphanumeric(), "_"));
        database.sql(&format!(
            "CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}';
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}"
        ));
        let redis = Redis::start(&[]);
        let password = format!(">{PASSWORD}");
        let words = ["ACL", "SETUSER", "keeper", "on", &password, "~*", "&*", "+@all"];
        assert_eq!(redis.cli(&words), "OK");
        Self { database, redis, dir: folder(), user }
    }

    fn database_url(&self) -> String {
        let url = self.database.url();
        let (_, rest) = url.split_once('@').expect("a user");
        format!("postgres://{}:{ESCAPED}@{rest}", self.user)
    }

    fn cache_url(&self) -> String {
        format!("redis://keeper:{ESCAPED}@127.0.0.1:{}/0", self.redis.port())
    }

    /// The same two URLs, given in each way that there is.
    fn ways(&self) -> Vec<Way<'_>> {
        let dir = self.dir.path();
        let (database, cache) = (self.database_url(), self.cache_url());
        let database_file = write(dir, "database-url", format!("{database}\n"));
        let cache_file = write(dir, "cache-url", format!("\u{feff}{cache}\r\n{CANARY}"));
        let toml = format!("database_url = {database:?}\ncache_url = {cache:?}\n");
        let toml = write(dir, "with-secrets.toml", toml);
        vec![
            ("environment", {
                let (database, cache) = (database.clone(), cache.clone());
                Box::new(move |run| run.database(&database).cache(&cache))
            }),
            ("flags", {
                let (database, cache) = (database.clone(), cache.clone());
                Box::new(move |run: Shopwarm| {
                    run.arg("--database-url").arg(&database).arg("--cache-url").arg(&cache)
                })
            }),
            ("settings", Box::new(move |run| run.env("SHOPWARM_CONFIG", &toml))),
            ("commands", {
                let cats = [&database_file, &cache_file].map(|f| format!("cat {}", f.display()));
                Box::new(move |run: Shopwarm| {
                    run.env("SHOPWARM_DATABASE_URL_COMMAND", &cats[0])
                        .env("SHOPWARM_CACHE_URL_COMMAND", &cats[1])
                })
            }),
            ("credentials", Box::new(move |run| run.env("CREDENTIALS_DIRECTORY", dir))),
        ]
    }
}

#[test]
fn no_command_shows_a_secret() {
    let vault = Vault::new();
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    let metrics = vault.dir.path().join("run.prom");
    for (way, given) in vault.ways() {
        for path in &commands {
            let words = path.join(" ");
            let command = |more: &str| {
                given(shopwarm(&words).args(more))
                    .env("SHOPWARM_TOKEN", format!("{CANARY}-{CANARY}-{CANARY}"))
                    .env("RUST_LOG", "trace")
                    .dir(vault.dir.path())
            };
            tight(&format!("{way}: {words} --help"), &command("--help").run());
            if words == "serve" {
                continue;
            }
            let more = arguments(&words);
            let forms: &[&str] = match way {
                "environment" => &[
                    "",
                    "-v -o json",
                    "-vv -o csv --log-format json",
                    "-o markdown --log-format text",
                    "-o ndjson --progress json",
                ],
                _ => &["-vv -o json --log-format json"],
            };
            for form in forms {
                let run = command(&format!("{more} {form}")).run();
                tight(&format!("{way}: {words} {more} {form}"), &run);
            }
        }
        let with_metrics = given(shopwarm("warmup all -o json --verify"));
        let with_metrics = with_metrics.env("SHOPWARM_METRICS_FILE", &metrics);
        let run = with_metrics.run().expect(0);
        tight(way, &run);
        assert_eq!(run.json()["outcome"], "complete", "{way}");
        let metrics = fs::read_to_string(&metrics).expect("metrics");
        assert!(leaks(&metrics).is_empty(), "{metrics}");
    }
    // What a run leaves in the cache for others to read.
    let keys = vault.redis.cli(&["KEYS", "*"]);
    let mut own = 0;
    for key in keys.lines().filter(|key| key.contains("shopwarm:")) {
        let read: &[&str] = match vault.redis.cli(&["TYPE", key]).as_str() {
            "hash" => &["HGETALL", key],
            "list" => &["LRANGE", key, "0", "-1"],
            "zset" => &["ZRANGE", key, "0", "-1"],
            "string" => &["GET", key],
            "stream" => &["XRANGE", key, "-", "+"],
            other => panic!("{key} is a {other}"),
        };
        let value = vault.redis.cli(read);
        assert!(leaks(&value).is_empty(), "{key}: {:?}", leaks(&value));
        own += 1;
    }
    assert!(own > 0, "{keys}");
    vault.database.sql(&format!("DROP OWNED BY {0}; DROP ROLE {0}", vault.user));
}

#[test]
fn a_server_shows_no_secret() {
    let vault = Vault::new();
    let token = "cAn4ry-a-token-nobody-knows-42";
    for (way, given) in vault.ways() {
        let serve = shopwarm("serve --listen 127.0.0.1:0 -vv --log-format json");
        let serve = given(serve).env("SHOPWARM_TOKEN", token).dir(vault.dir.path());
        let mut server = Server::start(serve);
        server.get("/admin/runs").expect(401);
        server.bring(Some(token));
        let proc_file = |name: &str| {
            let path = format!("/proc/{}/{name}", server.id());
            String::from_utf8_lossy(&fs::read(path).expect("procfs")).into_owned()
        };
        // A flag is in the list of processes; nothing else is.
        assert!(leaks(&proc_file("comm")).is_empty());
        assert_eq!(leaks(&proc_file("cmdline")).is_empty(), way != "flags");
        let run = server.start_run("/admin/warmup/catalog");
        crate::support::site::ended(&server, &run);
        server.ask("GET", "/admin/runs").token("cAn4ry-wrong").send().expect(401);
        server.get("/admin/runs/cAn4ry%40nobody");
        let document = server.json("/openapi.json");
        let paths: BTreeSet<&String> =
            document["paths"].as_object().expect("paths").keys().collect();
        for path in paths.into_iter().filter(|path| !path.ends_with("/events")) {
            let answer = server.get(&path.replace("{id}", &run));
            let text = answer.body;
            let ours: Vec<&str> =
                leaks(&text).into_iter().filter(|l| !l.contains("nobody")).collect();
            assert!(ours.is_empty(), "{way} {path}: {ours:#?}");
        }
        server.signal("HUP");
        server.hears("reloaded");
        server.signal("TERM");
        let said = server.end().stderr;
        let ours: Vec<&str> = leaks(&said).into_iter().filter(|l| !l.contains("nobody")).collect();
        assert!(ours.is_empty(), "{way}: {ours:#?}");
    }
    vault.database.sql(&format!("DROP OWNED BY {0}; DROP ROLE {0}", vault.user));
}

/// URLs that nobody should write and everybody does, with a canary for `@`. Databases and caches
/// get all of them; the ports are closed, so that nothing is waited for.
const BROKEN: &[&str] = &[
    // No URL at all, or none of ours.
    "@",
    "@ @",
    ":@",
    "://@",
    "//u:@!127.0.0.1:1/0",
    "u:@!127.0.0.1:1/0",
    "postgres:@",
    "postgres:u:@!127.0.0.1:1/db",
    "redis:/:@!127.0.0.1:1",
    "http://u:@!127.0.0.1:1/",
    "postgress://u:@!127.0.0.1:1/db",
    "redi://:@!127.0.0.1:1/0",
    "@://u!127.0.0.1:1/0",
    "POSTGRES://u:@!127.0.0.1:1/db",
    "redis+nothing://:@!127.0.0.1:1",
    "sqlite://u:@!127.0.0.1/db",
    // Special characters that are not escaped.
    "postgres://u:1/@!127.0.0.1:1/db",
    "postgres://u:1#@!127.0.0.1:1/db",
    "postgres://u:1?@!127.0.0.1:1/db",
    "mysql://u:@/@!127.0.0.1:1/db",
    "redis://:1/@!127.0.0.1:1/0",
    "redis://:1#@!127.0.0.1:1/0",
    "redis://:@?1!127.0.0.1:1/0",
    "redis://@?1!127.0.0.1:1/0",
    "redis://@/1!127.0.0.1:1/0",
    "redis://u:[@!127.0.0.1:1/0",
    "postgres://u:@%!127.0.0.1:1/db",
    "postgres://u:%zz@!127.0.0.1:1/db",
    "postgres://u:%ff@!127.0.0.1:1/db",
    "mysql://u:%@%2!127.0.0.1:1/db",
    "redis://:%zz@!127.0.0.1:1/0",
    "redis://:%00@!127.0.0.1:1/0",
    "redis://:a @!127.0.0.1:1/0",
    "postgres://u:a\t@!127.0.0.1:1/db",
    "postgres://u:a\n@!127.0.0.1:1/db",
    "redis://:\u{202e}@!127.0.0.1:1/0",
    "mysql://u:\u{e9}@\u{1f511}!127.0.0.1:1/db",
    "postgres://u:'@'\"`$(x)!127.0.0.1:1/db",
    // Ports and hosts that are none.
    "postgres://u:@!127.0.0.1:x/db",
    "postgres://u:@!127.0.0.1:99999/db",
    "postgres://u:@!127.0.0.1:-1/db",
    "postgres://u:@!",
    "postgres://u:@!:1/db",
    "postgres://u:@![::1/db",
    "mysql://u:@!127.0.0.1:1:2/db",
    "mysql://u:@",
    "redis://:@",
    "redis://u:@",
    "redis://:@!127.0.0.1:@/0",
    "redis://127.0.0.1:@",
    "rediss://@!127.0.0.1:1",
    "redis://:@!no such host/0",
    "redis://:@!nosuch.invalid:1/0",
    "postgres://u:@!nosuch.invalid:1/db",
    "mysql://u:@!127.0.0.1:0/db",
    // Names, numbers and parameters.
    "redis://:x!127.0.0.1:1/@",
    "redis://:x!127.0.0.1:1/0/@",
    "redis://:x!127.0.0.1:1/-@",
    "redis://:x!127.0.0.1:1?protocol=@",
    "redis://:x!127.0.0.1:1/?db=@",
    "redis+unix:///nowhere?pass=@&db=@",
    "unix:///nowhere?pass=@",
    "rediss://:x!127.0.0.1:1/#@",
    "postgres://u:x!127.0.0.1:1/db?sslmode=@",
    "postgres://u:x!127.0.0.1:1/db?sslpassword=@&password=@",
    "postgres://u:x!127.0.0.1:1/db?nosuch=@",
    "postgres://u:x!127.0.0.1:1/db?options=-c%20@",
    "postgres://u:x!127.0.0.1:1/db?port=@",
    "postgres://u:x!127.0.0.1:1/db?statement-cache-capacity=@",
    "postgres://u:x!127.0.0.1:1/db?sslmode=require&sslkey=x&sslpassword=@",
    "postgres://u:x!127.0.0.1:1/db?%70assword=@",
    "mysql://u:x!127.0.0.1:1/db?ssl-mode=@",
    "mysql://u:x!127.0.0.1:1/db?charset=@",
    "mysql://u:x!127.0.0.1:1/db?timezone=@&nosuch=@",
    "sqlite:/nowhere/x.db?mode=@",
    "sqlite::memory:?cache=@",
    "sqlite:/nowhere/x.db?key=@",
    // Several nodes.
    "redis+sentinel://u:@!127.0.0.1:1,127.0.0.1:2/main/0",
    "redis+sentinel://u:@!127.0.0.1:1,127.0.0.1:2",
    "redis+sentinel://u:@!127.0.0.1:1,:@/main/0",
    "redis+sentinel://u:@!127.0.0.1:1/main/@",
    "redis+sentinel://u:1/@!127.0.0.1:1,127.0.0.1:2/main/0",
    "redis+sentinel://u:@!127.0.0.1:1/main/0?sentinel_password=@",
    "rediss+sentinel://@!127.0.0.1:1,127.0.0.1:2/main/0",
    "redis+cluster://u:@!127.0.0.1:1,127.0.0.1:2",
    "redis+cluster://u:@!127.0.0.1:1,u:@!127.0.0.1:2",
    "redis+cluster://u:@!127.0.0.1:1,,127.0.0.1:x",
    "redis+cluster://u:a,@!127.0.0.1:1",
    "rediss+cluster://@!127.0.0.1:1,[::1",
    "redis://u:@!127.0.0.1:1,127.0.0.1:2/0",
];

/// A broken URL: `@` is the canary, `!` is an `@`.
fn broken(text: &str) -> String {
    text.replace('@', CANARY).replace('!', "@")
}

#[test]
fn no_bad_url_is_repeated() {
    assert!(BROKEN.len() >= 80);
    let dir = folder();
    let definition = "[context]\nname = \"own\"\nowns = [\"t\"]\n[strategies.one]\n\
                      key = \"k:{id}\"\nvalue = \"object\"\nsql.any = \"SELECT 1 AS id\"\n";
    let contexts = write(dir.path(), "own.toml", definition);
    for text in BROKEN {
        let url = broken(text);
        let own = |arguments: &str| {
            let run = shopwarm(arguments).dir(dir.path()).contexts(&contexts);
            run.env("SHOPWARM_DEMO", "").env("NO_COLOR", "1")
        };
        let file = write(dir.path(), "url", format!("{url}\n"));
        let toml = format!("database_url = {0}\ncache_url = {0}\n", Value::from(url.as_str()));
        let toml = write(dir.path(), "broken.toml", toml);
        let runs = [
            own("config show").database(&url).cache(&url),
            own("warmup context own -v --log-format json --deadline 3s")
                .database(&url)
                .cache("sqlite::memory:"),
            own("warmup context own -o json")
                .database("sqlite::memory:")
                .arg("--cache-url-file")
                .arg(&file),
            own("config show -o json --config").arg(&toml),
        ];
        for run in runs {
            tight(&url, &run.run());
        }
    }
}

#[test]
fn no_bad_command_line_is_repeated() {
    let url = format!("postgres://u:{PASSWORD}@127.0.0.1:1/db");
    let token = "redis://cAn4ry@127.0.0.1:1/0";
    for before in [
        "",
        "warmup",
        "warmup all",
        "warmup context",
        "warmup strategy",
        "keys get --output",
        "keys list",
        "dry-run",
        "verify --require",
        "runs",
        "man",
        "completions",
        "warmup all --concurrency",
        "warmup all --limit",
        "warmup all --deadline",
        "warmup all --mode",
        "warmup all --plan",
        "warmup all --contexts",
        "warmup all --config",
        "serve --listen",
        "serve --timezone",
        "schedule list --from",
        "config show --config",
        "strategies --contexts",
        "strategies --database-ur",
        "doctor --database-url-file",
        "doctor --cache-url-file",
    ] {
        for secret in [&url, token] {
            let run = shopwarm(before).arg(secret).run();
            tight(&format!("{before} URL"), &run);
            assert_ne!(run.code, 0, "{before}");
            let (command, flag) = before.rsplit_once(' ').unwrap_or(("", before));
            let run = shopwarm(command).arg(format!("{flag}={secret}")).run();
            tight(&format!("{before}=URL"), &run);
        }
    }
    for variable in [
        "SHOPWARM_CONCURRENCY",
        "SHOPWARM_MODE",
        "SHOPWARM_OUTPUT",
        "SHOPWARM_LISTEN",
        "SHOPWARM_CONFIG",
        "SHOPWARM_CONTEXTS",
        "SHOPWARM_DEADLINE",
        "SHOPWARM_DATABASE_URL_FILE",
    ] {
        let run = shopwarm("config check").env(variable, &url).run();
        tight(variable, &run);
        assert_ne!(run.code, 0, "{variable}");
    }
}

#[test]
fn no_bad_file_is_repeated() {
    let dir = folder();
    let at = |name: &str, bytes: &[u8]| write(dir.path(), name, bytes);
    let url = "postgres://u:cAn4ry@127.0.0.1:1/db";
    let long = vec![b'x'; 100_000];
    let denied = at("denied", url.as_bytes());
    fs::set_permissions(&denied, Permissions::from_mode(0o000)).expect("a mode");
    for file in [
        at("empty", b""),
        at("blank", b"\n\ncAn4ry"),
        at("lines", format!("{CANARY}\n{url}\n").as_bytes()),
        at("dos", format!("\u{feff}{url}\r\n{CANARY}\r\n").as_bytes()),
        at("assignment", format!("DATABASE_URL={url}\n").as_bytes()),
        at("quoted", format!("\"{url}\"\n").as_bytes()),
        at("utf-16", b"\xff\xfec\0A\0n\x004\0r\0y\0"),
        at("binary", b"cAn4ry\x00\x01\xff\xfe"),
        at("control", b"postgres://u:cAn4ry\x1b[2J@h/db"),
        at("long", &[url.as_bytes(), &long].concat()),
        denied,
        dir.path().to_owned(),
        dir.path().join("missing"),
        PathBuf::from("/dev/zero"),
        PathBuf::from("/dev/null"),
    ] {
        for arguments in ["config show", "doctor", "warmup all -v --log-format json"] {
            for flag in ["--database-url-file", "--cache-url-file", "--config"] {
                if flag == "--config" && file.starts_with("/dev") {
                    continue;
                }
                let run = shopwarm(arguments).arg(flag).arg(&file).run();
                tight(&format!("{arguments} {flag} {}", file.display()), &run);
            }
        }
    }
    for settings in [
        format!("database_url = {url}"),
        format!("database_url = \"{url}"),
        format!("database_url = [\"{url}\"]"),
        format!("database_url = {{ url = \"{url}\" }}"),
        format!("database_url = \"{url}\"\ndatabase_url = \"{url}\""),
        format!("database_url \"{url}\""),
        url.to_owned(),
        format!("\"{url}\" = 1"),
        format!("database_ur = \"{url}\""),
        format!("mode = \"{url}\""),
        format!("concurrency = \"{url}\""),
        format!("contexts = \"{url}\""),
        format!("contexts = [\"{url}\"]"),
        format!("default_ttl = \"{url}\""),
        format!("exclude = [\"{url}\"]"),
        format!("token_file = \"{url}\""),
        format!("timezone = \"{url}\""),
        format!("listen = \"{url}\""),
        format!("[schedule.x]\ncron = \"{url}\""),
        format!("database_url_command = \"echo {url}; exit 1\""),
        format!("cache_url_command = [\"{url}\"]"),
    ] {
        let toml = at("shopwarm.toml", settings.as_bytes());
        for arguments in ["config check", "doctor", "strategies", "serve --listen 127.0.0.1:0"] {
            let run = shopwarm(arguments).arg("--config").arg(&toml);
            // Or it would serve.
            let run = match arguments.starts_with("serve") {
                true => run.env("SHOPWARM_GRACE", "never").run(),
                false => run.run(),
            };
            tight(&format!("{arguments} with {settings}"), &run);
        }
    }
}
