//! What runs leave of the keys that they have written.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use shopwarm::application::keys::manifest::{self, KeyManifest};
use shopwarm::application::ports::Cache;
use shopwarm::domain::namespace;

use crate::support::caches;
use crate::support::faults::calm;
use crate::support::lab::{own, strategy};
use crate::support::servers::{Database, Redis, RedisCluster, Sqlite};
use crate::support::shopwarm::{Shopwarm, file, shopwarm};

type Keys = BTreeSet<Vec<u8>>;

/// Keys of many kinds, more than fit into a chunk, behind `P:` and `Q:`.
fn definitions() -> String {
    let odd = "CASE id % 5 WHEN 0 THEN 'ä🙂' || id WHEN 1 THEN id || ' ' WHEN 2 THEN '{' || id || '}' \
               WHEN 3 THEN printf('%080d', id) ELSE id END";
    let many = strategy("many", "object", "P:{id}", "SELECT id, name FROM t");
    let sql = format!("SELECT {odd} AS name FROM t WHERE id < 3000");
    let odd = strategy("odd", "hash", "Q:{name}:x", &sql);
    own(&["t"], &(many + &odd))
}

/// A table of so many rows.
fn table(rows: u32) -> Database {
    let database = Sqlite::database();
    database.sql(&format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < {rows})
         INSERT INTO t SELECT id, 'n' || id FROM s"
    ));
    database
}

/// A command about these definitions alone.
fn command(arguments: &str, definitions: &str, database: &Database, cache: &str) -> Shopwarm {
    let (dir, path) = file("own.toml", definitions);
    let command = shopwarm(arguments).database(database.url()).cache(cache).contexts(&path);
    // As long as the test runs.
    std::mem::forget(dir);
    command
}

async fn manifests(cache: &dyn Cache, prefix: &str, strategy: &str) -> Vec<KeyManifest> {
    let all = manifest::manifests(cache, prefix, Some(strategy)).await;
    all.expect("an answer")
}

/// The keys of a manifest; none comes twice.
async fn keys(cache: &dyn Cache, prefix: &str, manifest: &KeyManifest) -> Keys {
    let chunks = manifest::keys(cache, prefix, manifest).try_collect::<Vec<_>>().await;
    let all = chunks.expect("all of them").concat();
    assert_eq!(all.len() as u64, manifest.keys);
    let keys: Keys = all.iter().cloned().collect();
    assert_eq!(keys.len(), all.len(), "a key comes twice");
    keys
}

/// What is in the cache behind a prefix.
async fn there(cache: &dyn Cache, prefix: &str) -> Keys {
    let keys = cache.scan(prefix.as_bytes()).try_collect::<Vec<_>>().await;
    keys.expect("an answer").concat().into_iter().collect()
}

/// Every kind of cache, by its URL.
fn every_cache(try_on: impl Fn(&str)) {
    let redis = Redis::start(&[]);
    try_on(&redis.url());
    drop(redis);
    let cluster = RedisCluster::start(3, 0);
    try_on(&cluster.url());
    drop(cluster);
    let dir = tempfile::tempdir().expect("a folder");
    try_on(&format!("sqlite:{}", dir.path().join("cache.db").display()));
}

#[test]
fn a_run_leaves_exactly_the_keys_that_it_wrote() {
    let database = table(10_000);
    every_cache(|url| {
        let warm = |arguments: &str| {
            let run = command(arguments, &definitions(), &database, url).run();
            calm(run).expect(0).json()
        };
        let before = SystemTime::now() - Duration::from_secs(1);
        let run = warm("warmup all --prefix shop: --default-ttl 2h -o json");
        assert_eq!(run.get("warnings"), None, "{run:#}");
        let run = &run;
        caches::on(url, |cache| async move {
            let cache = cache.as_ref();
            let mut sum = Keys::new();
            for (id, start, count) in
                [("own/many", "shop:P:", 10_000), ("own/odd", "shop:Q:", 2_999)]
            {
                let all = manifests(cache, "shop:", id).await;
                let [manifest] = all.as_slice() else { panic!("{all:?}") };
                assert_eq!(manifest.run_id, run["run_id"].as_str().expect("an id"));
                assert_eq!((manifest.keys, manifest.complete), (count, true));
                assert!(manifest.began_at > before && manifest.ended_at > before);
                let lives = manifest.expires_at.duration_since(manifest.ended_at);
                assert_eq!(lives.expect("later").as_secs(), 7200);
                let left = keys(cache, "shop:", manifest).await;
                assert_eq!(left, there(cache, start).await);
                sum.extend(left);
            }
            let ours = |key: &Vec<u8>| key.starts_with(namespace::all("shop:").as_bytes());
            let all = there(cache, "").await;
            let others = all.iter().filter(|key| !ours(key)).cloned().collect();
            assert_eq!(sum, others);
            // They end with the keys.
            let lists = all.iter().filter(|key| key.starts_with(b"shop:shopwarm:keys:"));
            for list in lists {
                let ttl = cache.read(list).await.expect("an answer").expect("there").ttl;
                let ttl = ttl.expect("known").expect("a time").as_secs();
                assert!((7000..=7200).contains(&ttl), "{ttl}");
            }
        });

        // A later run leaves its own, and those of before stay for as long as their keys.
        let again = warm("warmup strategy own/odd --prefix shop: --default-ttl 2h -o json");
        let again = &again;
        caches::on(url, |cache| async move {
            let cache = cache.as_ref();
            let all = manifests(cache, "shop:", "own/odd").await;
            let ids: Vec<&str> = all.iter().map(|of| of.run_id.as_str()).collect();
            let expected = [again, run].map(|run| run["run_id"].as_str().expect("an id"));
            assert_eq!(ids, expected);
            assert!(all[0].complete);
            assert_eq!(keys(cache, "shop:", &all[0]).await, keys(cache, "shop:", &all[1]).await);
            manifest::forget(cache, "shop:", &all[0]).await.expect("forgotten");
            assert_eq!(manifests(cache, "shop:", "own/odd").await, all[1..]);
            assert_eq!(manifests(cache, "shop:", "own/many").await.len(), 1);
            assert_eq!(manifests(cache, "", "own/many").await, []);
        });
    });
}

#[test]
fn a_run_that_was_not_whole_is_not_called_complete() {
    let database = table(300);
    database.sql("UPDATE t SET name = CAST(x'ff' AS TEXT) WHERE id = 7");
    let redis = Redis::start(&[]);
    let prefix = std::cell::Cell::new(0);
    // Each with a prefix of its own: the manifests and how many keys they have.
    let left = |arguments: &str, exit: i32| {
        prefix.set(prefix.get() + 1);
        let prefix = format!("{}:", prefix.get());
        let command = command(arguments, &definitions(), &database, &redis.url());
        calm(command.env("SHOPWARM_PREFIX", &prefix).run()).expect(exit);
        let mut found = Vec::new();
        caches::on(&redis.url(), |cache| {
            let found = &mut found;
            async move {
                let cache = cache.as_ref();
                let all = manifest::manifests(cache, &prefix, None).await;
                for manifest in all.expect("an answer") {
                    keys(cache, &prefix, &manifest).await;
                    found.push((manifest.strategy, manifest.keys, manifest.complete));
                }
            }
        });
        found.sort();
        found
    };
    let expected = |many: (u64, bool), odd: (u64, bool)| {
        [("own/many", many), ("own/odd", odd)]
            .map(|(id, (keys, complete))| (id.to_owned(), keys, complete))
    };
    assert_eq!(left("warmup all", 3), expected((299, false), (300, true)));
    assert_eq!(left("warmup all --limit 5", 0), expected((5, false), (5, false)));
    let missing = left("warmup all --mode only-missing", 3);
    assert_eq!(missing, expected((299, false), (300, false)));
    let named = left("warmup keys P:1 P:2 P:9999", 0);
    assert_eq!(named, [("own/many".to_owned(), 2, false)]);
    assert_eq!(left("dry-run all", 3), []);
}

#[test]
fn what_is_over_is_forgotten_and_a_list_that_is_gone_is_noticed() {
    let (database, redis) = (table(9000), Redis::start(&[]));
    let warm = || {
        let run =
            command("warmup strategy own/many -o json", &definitions(), &database, &redis.url());
        calm(run.run()).expect(0);
    };
    let fields = || redis.cli(&["HKEYS", "shopwarm:keys"]);
    warm();
    let first = fields();
    let old = "own/many 0-0";
    let over = r#"{"keys":1,"began_at":"2020-01-01T00:00:00Z","ended_at":"2020-01-01T00:00:00Z","expires_at":"2020-01-02T00:00:00Z","complete":true}"#;
    redis.cli(&["HSET", "shopwarm:keys", old, over, "of a later version", "?"]);
    redis.cli(&["RPUSH", "shopwarm:keys:own/many:0-0", "x"]);
    warm();
    let left = fields();
    assert!(!left.contains(old) && left.contains(&first), "{left}");
    assert!(left.contains("of a later version"), "{left}");
    assert_eq!(redis.cli(&["EXISTS", "shopwarm:keys:own/many:0-0"]), "0");

    // A part of a list, another's value, a broken chunk: an error, and never a few of the keys.
    let broken = |how: &[&str]| {
        redis.cli(how);
        caches::on(&redis.url(), |cache| async move {
            let all = manifests(cache.as_ref(), "", "own/many").await;
            let keys = manifest::keys(cache.as_ref(), "", &all[1]).try_collect::<Vec<_>>().await;
            keys.expect_err("not all");
        });
    };
    let list = format!("shopwarm:keys:{}", first.replace(' ', ":"));
    broken(&["LTRIM", &list, "0", "1"]);
    broken(&["LSET", &list, "0", "\u{7}odd"]);
    broken(&["DEL", &list]);
    broken(&["SET", &list, "of another"]);
}

#[test]
fn a_user_who_may_not_leave_them_warms_all_the_same() {
    let (database, redis) = (table(6000), Redis::start(&[]));
    let permissions = "on >hunter2 ~* +set +ping +info +multi +exec +del +hset +pexpire +eval +get +hgetall +lpush +ltrim +lrange +config|get";
    let mut user = vec!["ACL", "SETUSER", "older"];
    user.extend(permissions.split(' '));
    redis.cli(&user);
    let url = redis.url().replace("//", "//older:hunter2@");
    let run = calm(command("warmup all -o json", &definitions(), &database, &url).run());
    let report = run.expect(0).json();
    let warnings = report["warnings"].as_array().expect("one");
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let warning = warning.as_str().expect("a text");
    for word in ["no key list", "rpush"] {
        assert!(warning.contains(word), "{warning}");
    }
    assert_eq!(report["totals"]["warmed"], 8999);
    let doctor = command("doctor", &definitions(), &database, &url).run().expect(0);
    for word in ["RPUSH", "HDEL", "the lists of written keys", "+rpush +hdel"] {
        assert!(doctor.stdout.contains(word), "{word} in\n{}", doctor.stdout);
    }
}

#[test]
fn no_command_takes_them_for_entries() {
    let (database, redis) = (table(50), Redis::start(&[]));
    // A template that everything is a key of.
    let everything = strategy("any", "text", "{name}", "SELECT name, id AS _id, id FROM t");
    let definitions = own(&["t"], &everything)
        .replace("name, id AS _id, id", "name AS _name, id")
        .replace("{name}", "{_name}");
    let run = |arguments: &str| command(arguments, &definitions, &database, &redis.url()).run();
    calm(run("warmup all")).expect(0);
    redis.cli(&["SET", "foreign", "x"]);
    let own = redis.cli(&["KEYS", "shopwarm:keys*"]);
    assert_eq!(own.lines().count(), 2, "{own}");
    let dry = calm(run("dry-run all --orphans -o json")).json();
    assert_eq!(dry["strategies"][0]["orphans"], 1, "{dry:#}");
    let listed = calm(run("keys list -o json")).expect(0).stdout;
    assert!(!listed.contains("shopwarm:"), "{listed}");
    assert_eq!(redis.cli(&["KEYS", "shopwarm:keys*"]).lines().count(), 2);
}
