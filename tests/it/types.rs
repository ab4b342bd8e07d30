//! Values of other types than texts, from the command line: hashes of rows, sets, sorted sets,
//! documents of RedisJSON.

use serde_json::{Value, json};

use crate::support::lab::{counts, errors, own, strategy};
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, Sqlite};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, file, shopwarm};
use crate::support::tools::json_module;

const DEFINITIONS: &str = r#"
[context]
name = "own"
owns = ["t"]

[strategies.names]
key = "names:{_grp}"
value = "set"
ttl = "700s"
sql = { any = "SELECT grp AS _grp, name, v AS _version FROM t" }

[strategies.pairs]
key = "pairs:{_grp}"
value = "set"
sql = { any = "SELECT grp AS _grp, name, n, v AS _version FROM t" }

[strategies.ranked]
key = "ranked:{_grp}"
value = "zset"
score = "n"
sql = { any = "SELECT grp AS _grp, name, n, v AS _version FROM t" }

[strategies.fields]
key = "fields:{_grp}"
value = "hash"
map_key = "name"
sql = { any = "SELECT grp AS _grp, name, n, v AS _version FROM t" }

[strategies.rows]
key = "rows:{_grp}"
value = "hash"
map_key = "_name"
sql = { any = "SELECT grp AS _grp, name AS _name, n, v, v AS _version FROM t" }

[strategies.documents]
key = "document:{id}"
value = "json"
sql = { any = "SELECT id, name, n, v AS _version FROM t" }

[strategies.list]
key = "list:{_grp}"
value = "list"
order_by = "name"
sql = { any = "SELECT grp AS _grp, name, v AS _version FROM t" }

[strategies.map]
key = "map:{_grp}"
value = "map"
map_key = "name"
order_by = "name"
sql = { any = "SELECT grp AS _grp, name, n, v AS _version FROM t" }

[strategies.tree]
key = "tree:{_grp}"
value = "tree"
tree_id = "id"
tree_parent = "_up"
order_by = "id"
sql = { any = "SELECT grp AS _grp, id, up AS _up, name, v AS _version FROM t" }
"#;

fn database(dialect: Dialect) -> Database {
    let database = match dialect {
        Dialect::Postgres => Postgres::database(),
        Dialect::MySql => MariaDb::database(),
        Dialect::Sqlite => Sqlite::database(),
    };
    database.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, grp INTEGER, up INTEGER, name VARCHAR(20), n INTEGER, v INTEGER);
         INSERT INTO t VALUES (1, 1, NULL, 'a', 10, 1), (2, 1, 1, 'b', -2, 1), (3, 2, NULL, 'a', 7, 1)",
    );
    database
}

struct Site {
    database: Database,
    redis: Redis,
    dir: tempfile::TempDir,
}

impl Site {
    fn new(dialect: Dialect) -> Self {
        Self {
            database: database(dialect),
            redis: Redis::start(&["--loadmodule", &json_module()]),
            dir: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn run_with(&self, definitions: &str, arguments: &str) -> Finished {
        let path = self.dir.path().join("own.toml");
        std::fs::write(&path, definitions).expect("a file");
        let run = shopwarm(arguments).contexts(&path);
        run.database(self.database.url()).cache(self.redis.url()).run()
    }

    fn run(&self, arguments: &str) -> Finished {
        self.run_with(DEFINITIONS, arguments)
    }

    fn lines(&self, command: &[&str]) -> Vec<String> {
        let mut lines: Vec<String> = self.redis.cli(command).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

const STRATEGIES: [&str; 9] =
    ["names", "pairs", "ranked", "fields", "rows", "documents", "list", "map", "tree"];

#[test]
fn rows_become_values_of_each_type_on_every_database() {
    for dialect in DIALECTS {
        let site = Site::new(dialect);
        let run = site.run("warmup context own -o json").expect(0);
        for name in STRATEGIES {
            let [warmed, ..] = counts(&run.strategy(&format!("own/{name}")));
            assert_eq!(warmed, if name == "documents" { 3 } else { 2 }, "{name}");
        }
        assert_eq!(site.lines(&["SMEMBERS", "names:1"]), ["a", "b"]);
        assert_eq!(
            site.lines(&["SMEMBERS", "pairs:1"]),
            [r#"{"name":"a","n":10}"#, r#"{"name":"b","n":-2}"#]
        );
        let ranked = site.redis.cli(&["ZRANGE", "ranked:1", "0", "-1", "WITHSCORES"]);
        assert_eq!(ranked, "b\n-2\na\n10");
        assert_eq!(site.redis.cli(&["HGET", "fields:1", "b"]), "-2");
        assert_eq!(site.redis.cli(&["HLEN", "fields:1"]), "2");
        assert_eq!(site.redis.cli(&["HGET", "rows:1", "a"]), r#"{"n":10,"v":1}"#);
        let document = site.redis.cli(&["JSON.GET", "document:2"]);
        assert_eq!(document, r#"{"id":2,"name":"b","n":-2}"#);
        assert_eq!(site.redis.cli(&["JSON.GET", "document:2", "$.n"]), "[-2]");
        let left: u32 = site.redis.cli(&["TTL", "names:1"]).parse().expect("a number");
        assert!((625..=700).contains(&left), "{left}");
        let bytes = &run.strategy("own/names")["bytes"];
        assert_eq!(*bytes, "names:1".len() * 2 + 3, "keys and members");
        site.run("verify context own").expect(0);
    }
}

#[test]
fn what_differs_in_the_cache_is_seen_and_set_right() {
    let site = Site::new(Dialect::Postgres);
    site.run("warmup context own").expect(0);
    // Of each type something else, something of another type, and something that is gone.
    for command in [
        "SADD names:1 c",
        "ZADD ranked:1 11 a",
        "HSET fields:1 b 3",
        "JSON.SET document:1 $.n 11",
        "SET names:2 text",
        "SET ranked:2 text",
        "SET fields:2 text",
        "SET document:3 text",
        "DEL document:2",
        "DEL list:2",
        "SADD list:2 x",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        site.redis.cli(&words);
    }
    let seen = site.run("dry-run context own -o json").expect(0);
    let class = |name: &str, class: &str| seen.strategy(&format!("own/{name}"))[class].clone();
    for name in ["names", "ranked", "fields", "documents"] {
        assert_eq!(class(name, "different"), 1, "{name}");
        assert_eq!(class(name, "wrong_type"), 1, "{name}");
    }
    assert_eq!(class("documents", "missing"), 1);
    assert_eq!(class("list", "wrong_type"), 1);
    assert_eq!(class("rows", "identical"), 2);
    site.run("verify context own").expect(10);
    for (key, state, cached) in [
        ("names:1", "different", json!(["a", "b", "c"])),
        ("ranked:1", "different", json!({"b": -2, "a": 11})),
        ("fields:1", "different", json!({"a": "10", "b": "3"})),
        ("document:1", "different", json!({"id": 1, "name": "a", "n": 11})),
        ("names:2", "wrong_type", Value::Null),
    ] {
        let report = site.run(&format!("keys get {key} -o json")).json();
        assert_eq!(report["state"], state, "{key}");
        if !cached.is_null() {
            assert_eq!(report["cached"]["value"], cached, "{key}");
        }
    }
    let raw = site.run("keys get ranked:1 --raw").expect(0).stdout;
    assert_eq!(raw, r#"{"b":-2,"a":11}"#);
    site.run("warmup context own").expect(0);
    site.run("verify context own").expect(0);
}

#[test]
fn identical_collections_are_not_sent_again() {
    let site = Site::new(Dialect::Postgres);
    site.database.sql(
        "INSERT INTO t SELECT g, g % 20 + 100, NULL, 'a long name ' || g, g, 1 FROM generate_series(100, 999) g",
    );
    site.run("warmup context own").expect(0);
    site.database.sql("UPDATE t SET name = 'new', n = 7 WHERE id = 500");
    let run = site.run("warmup context own --skip-identical -o json").expect(0);
    for name in ["names", "ranked", "fields", "rows"] {
        let report = run.strategy(&format!("own/{name}"));
        // One group has changed, and two are too short to be compared.
        assert_eq!(report["identical"], 19, "{name}");
    }
    site.run("verify context own").expect(0);
}

#[test]
fn keys_whose_rows_are_gone_are_pruned_unless_somebody_has_changed_them() {
    let site = Site::new(Dialect::Postgres);
    site.run("warmup context own").expect(0);
    site.database.sql("DELETE FROM t WHERE grp = 2");
    site.redis.cli(&["SADD", "pairs:2", "theirs"]);
    let run = site.run("warmup context own --prune --yes -o json").expect(0);
    for (name, pruned) in [
        ("names", 1),
        ("pairs", 0),
        ("ranked", 1),
        ("fields", 1),
        ("documents", 1),
        ("map", 1),
        ("tree", 1),
    ] {
        let report = run.strategy(&format!("own/{name}"));
        assert_eq!(report["pruned"].as_u64().unwrap_or_default(), pruned, "{name}");
    }
    let left = site.lines(&["KEYS", "*:2"]);
    assert_eq!(left, ["document:2", "pairs:2"]);
}

#[test]
fn documents_are_read_by_what_changed_and_collections_whole() {
    let site = Site::new(Dialect::Postgres);
    site.database.sql(
        "INSERT INTO t SELECT g, 3, NULL, 'n' || g, g, 1 FROM generate_series(100, 199) g;
         ALTER TABLE t ADD at timestamptz DEFAULT now() - interval '1 day'",
    );
    let definitions =
        DEFINITIONS.replace("v AS _version FROM", "v AS _version, at AS _changed_at FROM");
    site.run_with(&definitions, "warmup context own").expect(0);
    site.database.sql("UPDATE t SET n = 12, v = 2, at = now() WHERE id = 1");
    let flags = "warmup context own --changed --changed-overlap 0s -o json";
    let run = site.run_with(&definitions, flags).expect(0);
    let documents = run.strategy("own/documents");
    assert_eq!(documents["read"], "changed", "{documents:#}");
    let names = run.strategy("own/names");
    assert_eq!(names["read"], "full");
    assert!(names.to_string().contains("a `set` is made of several rows"), "{names:#}");
    assert_eq!(site.redis.cli(&["ZSCORE", "ranked:1", "a"]), "12");
    site.run_with(&definitions, "verify context own").expect(0);
}

#[test]
fn a_row_that_gives_no_member_or_no_score_fails_its_key_by_name() {
    for dialect in DIALECTS {
        let site = Site::new(dialect);
        site.database.sql(
            "CREATE TABLE s (k INTEGER, name VARCHAR(9), score DECIMAL(20,2), word VARCHAR(9));
             INSERT INTO s VALUES (1, 'a', 1.50, 'x'), (1, 'b', 9007199254740992, '2'), (2, 'a', NULL, '1'),
                 (3, 'a', 9007199254740993, '1'), (4, NULL, 1, '1'), (5, 'a', 1, '1'), (5, 'a', 2, '1')",
        );
        let score = match dialect {
            // Its numbers are doubles themselves.
            Dialect::Sqlite => "CASE k WHEN 3 THEN 9007199254740993 ELSE score END",
            _ => "score",
        };
        let zset = |name: &str, column: &str| {
            let sql = format!("SELECT k AS _k, name, {column} AS _score FROM s");
            strategy(name, "zset", &format!("{name}:{{_k}}"), &sql) + "score = \"_score\"\n"
        };
        let set = strategy("set", "set", "set:{_k}", "SELECT k AS _k, name FROM s");
        let words = zset("word", "word").replace("FROM s", "FROM s WHERE k = 1");
        let definitions = own(&["s"], &[zset("zset", score), words, set].concat());
        let run = site.run_with(&definitions, "warmup context own -o json").expect(3);
        let report = run.strategy("own/zset");
        assert_eq!(counts(&report), [1, 0, 4, 0], "{dialect:?}");
        let errors = errors(&report).join("\n");
        for expected in [
            "zset:2: member a: column `_score` cannot be a score: it is NULL",
            "zset:3: member a: column `_score` cannot be a score: \"9007199254740993",
            "has more digits than a score keeps",
            "zset:4: column `name` is NULL, which cannot be a member",
            "zset:5: two rows make the part \"a\"",
        ] {
            assert!(errors.contains(expected), "{dialect:?}: {errors}");
        }
        let ranked = site.redis.cli(&["ZRANGE", "zset:1", "0", "-1", "WITHSCORES"]);
        assert_eq!(ranked, "a\n1.5\nb\n9007199254740992", "{dialect:?}");
        let words = run.strategy("own/word").to_string();
        assert!(words.contains("is not a number"), "{words}");
        assert_eq!(counts(&run.strategy("own/set")), [4, 0, 1, 0]);
    }
}

#[test]
fn a_document_whose_numbers_would_change_fails_by_name() {
    let site = Site::new(Dialect::Postgres);
    let sql = "SELECT 1 AS id, 12345678901234567.89 AS price UNION ALL SELECT 2, 12.50";
    let definitions = own(&["t"], &strategy("d", "json", "d:{id}", sql));
    let run = site.run_with(&definitions, "warmup context own -o json").expect(3);
    let report = run.strategy("own/d");
    assert_eq!(counts(&report), [1, 0, 1, 0]);
    let expected =
        "d:1: 12345678901234567.89 has more digits than a JSON document of the cache keeps";
    assert_eq!(errors(&report), [expected]);
    assert_eq!(site.redis.cli(&["JSON.GET", "d:2"]), r#"{"id":2,"price":12.5}"#);
}

#[test]
fn a_cache_without_documents_is_found_before_the_run() {
    let (database, redis) = (database(Dialect::Sqlite), Redis::start(&[]));
    let (_dir, contexts) = file("own.toml", DEFINITIONS);
    let run = |arguments: &str| {
        let run = shopwarm(arguments).contexts(&contexts);
        run.database(database.url()).cache(redis.url()).run()
    };
    let warmed = run("warmup context own -o json").expect(4);
    let report = warmed.strategy("own/documents");
    assert_eq!(report["status"], "failed");
    let error = report["error"].to_string();
    assert!(error.contains("the server has no JSON.SET"), "{error}");
    assert_eq!(counts(&warmed.strategy("own/names")), [2, 0, 0, 0]);
    redis.cli(&["FLUSHALL"]);
    let strict = run("warmup context own --strict").expect(4);
    assert!(strict.stderr.contains("own/documents cannot be stored"), "{}", strict.stderr);
    assert_eq!(redis.cli(&["KEYS", "*:1"]), "");
    let doctor = run("doctor").expect(4);
    let expected = "the server has no JSON.SET, which own/documents needs";
    assert!(doctor.stdout.contains(expected), "{}", doctor.stdout);
    assert!(!doctor.stdout.contains("ACL SETUSER"), "{}", doctor.stdout);
}

#[test]
fn permissions_that_other_types_need_are_checked() {
    let site = Site::new(Dialect::Sqlite);
    site.redis.cli(&[
        "ACL", "SETUSER", "warm", "on", ">secret", "~*", "&*", "+@all", "-sadd", "-zadd", "-zrange",
    ]);
    let path = site.dir.path().join("own.toml");
    std::fs::write(&path, DEFINITIONS).expect("a file");
    let cache = format!("redis://warm:secret@127.0.0.1:{}", site.redis.port());
    let doctor = shopwarm("doctor").contexts(&path).database(site.database.url()).cache(cache);
    let said = doctor.run().expect(7).stdout;
    for expected in ["SADD for sets", "ZADD for sorted sets", "+sadd", "+zadd", "+zrange"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// A replica is behind its primary: what it gave is replaced by what the primary has.
#[test]
fn stale_rows_are_looked_at_again_in_every_shape() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let [replica, primary] = [database(dialect), database(dialect)];
        primary.sql("UPDATE t SET n = n + 1, v = 2 WHERE id IN (1, 3); INSERT INTO t VALUES (4, 1, 1, 'd', 4, 1)");
        let redis = Redis::start(&["--loadmodule", &json_module()]);
        let dir = tempfile::tempdir().expect("a temporary folder");
        let embedded = format!("sqlite:{}", dir.path().join("cache.db").display());
        let (_dir, contexts) = file("own.toml", DEFINITIONS);
        let valkey = Redis::start_valkey(&[]);
        for cache in [redis.url(), embedded, valkey.url()] {
            let all = cache != valkey.url();
            let strategies = STRATEGIES.iter().filter(|name| all || **name != "documents");
            let exclude = if all { "" } else { "--exclude own/documents" };
            let run = shopwarm("warmup context own -o json --primary-url").arg(primary.url());
            let run = run.args(exclude).contexts(&contexts).database(replica.url()).cache(&cache);
            let run = run.run().expect(0);
            for name in strategies.clone() {
                let report = run.strategy(&format!("own/{name}"));
                assert_eq!(report["repaired"], 2, "{name}: {report:#}");
            }
            let verify = shopwarm("verify context own -o json").contexts(&contexts);
            let verify = verify.args(exclude).database(primary.url()).cache(&cache).run();
            // The new row's own document is not known to the replica.
            let verified = verify.expect(if all { 10 } else { 0 });
            for name in strategies {
                let report = verified.strategy(&format!("own/{name}"));
                let missing = u64::from(*name == "documents");
                assert_eq!(
                    (&report["different"], &report["missing"]),
                    (&json!(0), &json!(missing)),
                    "{name}"
                );
            }
        }
    }
}
