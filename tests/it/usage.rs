//! `shopwarm usage`: which of the lists of written keys were used since.

use serde_json::Value;

use crate::support::faults::calm;
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, RedisCluster, Sqlite};
use crate::support::shopwarm::{Finished, file, shopwarm};

/// Two strategies, of 100 keys and of 40.
fn definitions() -> String {
    let a = strategy("a", "object", "A:{id}", "SELECT id, name FROM t");
    let b = strategy("b", "object", "B:{id}", "SELECT id, name FROM t WHERE id <= 40");
    own(&["t"], &(a + &b))
}

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < 100)
    INSERT INTO t SELECT id, printf('%0100d', id) FROM s";

fn lab() -> Lab {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(TABLE);
    lab
}

/// Warms, and lets the run have ended an hour ago: nothing was used since, but for what a test does.
fn warm_an_hour_ago(lab: &Lab, how: &str) -> String {
    let run = calm(lab.warm(&definitions())).expect(0);
    let age = format!(
        "for _, key in ipairs(redis.call('KEYS', '?:*')) do
             redis.call('RESTORE', key, redis.call('PTTL', key), redis.call('DUMP', key), 'REPLACE', {how})
         end
         for _, field in ipairs(redis.call('HKEYS', 'shopwarm:keys')) do
             local known = cjson.decode(redis.call('HGET', 'shopwarm:keys', field))
             known.ended_at = ARGV[1]
             redis.call('HSET', 'shopwarm:keys', field, cjson.encode(known))
         end"
    );
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    let hour_ago = humantime::format_rfc3339_millis(hour_ago).to_string();
    lab.redis.cli(&["EVAL", &age, "0", &hour_ago]);
    run.json()["run_id"].as_str().expect("an id").to_owned()
}

fn usage(lab: &Lab, arguments: &str) -> Finished {
    calm(lab.command(&format!("usage {arguments}")).run())
}

/// Used, never used and gone of a strategy, or of all.
fn counts(part: &Value) -> [u64; 3] {
    ["used", "unused", "gone"].map(|name| part[name].as_u64().expect("a count"))
}

fn line<'r>(report: &'r Value, id: &str) -> &'r Value {
    let all = report["strategies"].as_array().expect("a list");
    let found = all.iter().find(|line| line["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {report:#}"))
}

#[test]
fn keys_that_were_used_are_told_from_those_that_were_not_and_that_are_gone() {
    let lab = lab();
    let run = warm_an_hour_ago(&lab, "'IDLETIME', 3600");
    for id in 1..=25 {
        lab.redis.cli(&["GET", &format!("A:{id}")]);
    }
    for id in 26..=40 {
        lab.redis.cli(&["DEL", &format!("A:{id}")]);
    }
    let report = usage(&lab, "-o json").expect(0).json();
    let a = line(&report, "own/a");
    assert_eq!(counts(a), [25, 60, 15]);
    assert_eq!((&a["exact"], &a["by_frequency"]), (&true.into(), &false.into()));
    assert_eq!((&a["run_id"], &a["keys"]), (&run.as_str().into(), &100.into()));
    assert_eq!(counts(line(&report, "own/b")), [0, 40, 0]);
    assert_eq!(counts(&report["totals"]), [25, 100, 15]);
    let bytes = a["unused_bytes"].as_u64().expect("known");
    let sum: u64 = (41..=100)
        .map(|id| lab.redis.cli(&["MEMORY", "USAGE", &format!("A:{id}")]))
        .map(|bytes| bytes.parse::<u64>().expect("a number"))
        .sum();
    assert_eq!(bytes, sum);

    // Asking is no use of them, however often.
    let again = usage(&lab, &format!("{run} -o json")).expect(0).json();
    assert_eq!(counts(&again["totals"]), [25, 100, 15]);

    // A sample: in proportion, and said so.
    let sampled = usage(&lab, "--sample 20 -o json").expect(0).json();
    let a = line(&sampled, "own/a");
    assert_eq!((&a["sampled"], &a["exact"]), (&20.into(), &false.into()));
    assert_eq!(counts(a), [25, 60, 15]);
    let table = usage(&lab, "--sample 20").expect(0).stdout;
    for words in [
        "own/a",
        "~60",
        "100 keys not used",
        "--sample",
        "since the run ended 1h",
        "a lower `limit`",
    ] {
        assert!(table.contains(words), "{words} in\n{table}");
    }
    let can_hide = lab.redis.cli(&["CLIENT", "NO-TOUCH", "ON"]) == "OK";
    let is_warned = table.contains("verify, dry-run and `keys list --cached` count as use");
    assert_ne!(can_hide, is_warned, "{table}");
    for form in ["ndjson", "csv", "markdown"] {
        let text = usage(&lab, &format!("-o {form}")).expect(0).stdout;
        assert!(text.contains("own/b") && text.lines().count() >= 2, "{text}");
    }
    let unknown = usage(&lab, "nobody").expect(2).stderr;
    assert!(unknown.contains("no run `nobody`"), "{unknown}");

    // Under its former name, too.
    let former = calm(lab.command("effect -o json").run()).expect(0).json();
    assert_eq!(former["totals"], report["totals"]);

    // A later run makes the earlier one's keys look used.
    calm(lab.warm(&definitions())).expect(0);
    let before = usage(&lab, "last~1 -o json").expect(0).json();
    assert_eq!(line(&before, "own/a")["run_id"], run.as_str());
    let now = usage(&lab, "last").expect(0).stdout;
    assert!(now.contains("too early to tell"), "{now}");
    let earlier = usage(&lab, &run).expect(0).stdout;
    assert!(earlier.contains("a later run rewrote"), "{earlier}");
}

#[test]
fn a_server_that_counts_uses_gives_an_estimate() {
    let lab = lab();
    lab.redis.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    warm_an_hour_ago(&lab, "'FREQ', 5");
    // Often enough that chance, by which it counts, does not matter.
    let often = "for i = 1, 200 do redis.call('GET', KEYS[1]) end";
    for id in 1..=10 {
        lab.redis.cli(&["EVAL", often, "1", &format!("B:{id}")]);
    }
    let run = usage(&lab, "-o json").expect(0).json();
    let b = line(&run, "own/b");
    assert_eq!((counts(b), &b["by_frequency"]), ([10, 30, 0], &true.into()));
    let table = usage(&lab, "").expect(0).stdout;
    assert!(table.contains("an estimate"), "{table}");
}

#[test]
fn a_cluster_is_asked_node_by_node_and_the_embedded_cache_says_that_it_cannot() {
    let (database, cluster) = (Sqlite::database(), RedisCluster::start(3, 0));
    database.sql(TABLE);
    let (dir, path) = file("own.toml", &definitions());
    let embedded = format!("sqlite:{}", dir.path().join("cache.db").display());
    let run = |arguments: &str, cache: &str| {
        let command = shopwarm(arguments).database(database.url()).cache(cache);
        calm(command.contexts(&path).run())
    };
    let cluster = cluster.url();
    let none = run("usage", &cluster).expect(2).stderr;
    assert!(none.contains("no run has left a list of keys"), "{none}");
    for cache in [&cluster, &embedded] {
        run("warmup context own", cache).expect(0);
    }
    let report = run("usage -o json", &cluster).expect(0).json();
    // Written a moment ago, and not used.
    assert_eq!(counts(&report["totals"]), [0, 140, 0]);
    let refused = run("usage", &embedded).expect(4).stderr;
    assert!(refused.contains("does not record which keys are used"), "{refused}");
}

#[test]
fn a_user_who_may_not_ask_is_told_what_is_missing() {
    let lab = lab();
    calm(lab.warm(&definitions())).expect(0);
    let permissions = "ACL SETUSER some on >hunter2 ~* +@read -object +hgetall +lrange +ping +info";
    lab.redis.cli(&permissions.split(' ').collect::<Vec<_>>());
    let url = lab.redis.url().replace("//", "//some:hunter2@");
    let refused = calm(shopwarm("usage").cache(url).run()).expect(7);
    assert!(refused.stderr.contains("+object|idletime"), "{}", refused.stderr);
}
