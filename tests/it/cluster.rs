//! A cluster: every key at its node, whatever moves or fails while they are written.

use std::collections::BTreeMap;
use std::process::Child;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::faults::{bulk, calm, count, until, warm};
use crate::support::servers::{Dialect, Redis, RedisCluster, Sqlite};
use crate::support::shop;
use crate::support::shopwarm::{Finished, Shopwarm, file, finish, send, shopwarm};

/// The keys that begin so, and the node that has each; a replica has none of its own.
fn held(cluster: &RedisCluster, alive: &[usize], prefix: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for node in alive {
        if cluster.cli(*node, &["ROLE"]).starts_with("master") {
            let keys = cluster.cli(*node, &["--scan", "--pattern", &format!("{prefix}*")]);
            for key in keys.lines() {
                let twice = all.insert(key.to_owned(), *node);
                assert_eq!(twice, None, "{key} is at two nodes");
            }
        }
    }
    all
}

fn everywhere(cluster: &RedisCluster) -> Vec<usize> {
    (0..cluster.nodes.len()).collect()
}

/// How many keys are there, whole and for a time, of the strategy `first` of [`bulk`].
fn whole(cluster: &RedisCluster, alive: &[usize]) -> u64 {
    // A step at a time: a node that counts for long is taken for dead by the others.
    const STEP: &str = "local step = redis.call('SCAN', ARGV[1], 'MATCH', 'first:*', 'COUNT', 1000)
        local whole = 0
        for _, key in ipairs(step[2]) do
          local value = '{\"id\":' .. key:match('%d+') .. ',\"pad\":\"' .. ('x'):rep(400) .. '\"}'
          if redis.call('GET', key) == value and redis.call('PTTL', key) > 0 then whole = whole + 1 end
        end
        return {step[1], whole}";
    let count = |node: &usize| {
        let (mut cursor, mut whole) = ("0".to_owned(), 0);
        loop {
            let step = cluster.cli(*node, &["EVAL", STEP, "0", &cursor]);
            let (next, found) = step.split_once('\n').expect("a cursor and a count");
            whole += found.parse::<u64>().expect("a count");
            if next == "0" {
                return whole;
            }
            next.clone_into(&mut cursor);
        }
    };
    let primaries =
        alive.iter().filter(|node| cluster.cli(**node, &["ROLE"]).starts_with("master"));
    primaries.map(count).sum()
}

/// The counts of the strategy `first`, which agree with their sum and with what is in the cluster.
#[track_caller]
fn true_counts(run: &Finished, cluster: &RedisCluster, alive: &[usize]) -> Value {
    let first = run.strategy("bulk/first");
    let classes = ["warmed", "skipped", "failed", "unknown"];
    let sum: u64 = classes.iter().map(|class| count(&first, class)).sum();
    assert_eq!(count(&first, "total"), sum, "{first:#}");
    let there = whole(cluster, alive);
    let [warmed, unknown] = ["warmed", "unknown"].map(|class| count(&first, class));
    assert!((warmed..=warmed + unknown).contains(&there), "{there} keys, but {first:#}");
    assert_eq!(held(cluster, alive, "first:").len() as u64, there);
    first
}

/// A run into a cluster that is in the middle of it.
fn under_way(run: Shopwarm, cluster: &RedisCluster) -> Child {
    // So that it is still under way when that is seen, on a busy machine too.
    let child = run.args("--rate 10k").start();
    until("the run is under way", || {
        let keys: u64 = cluster.cli(0, &["DBSIZE"]).parse().unwrap();
        keys > 500
    });
    child
}

#[test]
fn every_key_goes_to_its_node_however_the_cluster_is_named() {
    let cluster = RedisCluster::start(3, 0);
    let (_dir, contexts) = bulk(&[3000]);
    let database = Sqlite::database();
    let at = format!("127.0.0.1:{}", cluster.nodes[1].port());
    let socket = cluster.nodes[2].socket();
    for url in [
        cluster.url(),
        format!("{}/0?protocol=resp3", cluster.url()),
        // One node is enough, and need not be called a cluster.
        format!("redis+cluster://{at}"),
        format!("redis://{at}"),
        format!("redis://{at}?protocol=resp3"),
        format!("redis+unix://{}", socket.display()),
    ] {
        for node in &cluster.nodes {
            node.cli(&["FLUSHALL"]);
        }
        let run = calm(warm(&contexts, database.url(), &url).run()).expect(0);
        let first = true_counts(&run, &cluster, &everywhere(&cluster));
        assert_eq!(count(&first, "warmed"), 3000, "{url}");
        let held = held(&cluster, &everywhere(&cluster), "first:");
        let at = |node| held.values().filter(|at| **at == node).count();
        assert!((0..3).all(|node| at(node) > 700), "{held:?}");
    }
    let again = warm(&contexts, database.url(), cluster.url()).args("--mode only-missing");
    let again = calm(again.run()).expect(0).strategy("bulk/first");
    assert_eq!(count(&again, "skipped"), 3000);
}

#[test]
fn hashes_and_every_command_work_on_a_cluster() {
    let cluster = RedisCluster::start(2, 0);
    let (_dir, contexts) = file(
        "own.toml",
        "[context]\nname = \"own\"\nowns = [\"t\"]\n[strategies.things]\nkey = \"Thing:{id}\"\n\
         value = \"hash\"\nsql.any = \"SELECT id, name FROM t\"\n",
    );
    let database = Sqlite::database();
    database.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    database.sql("INSERT INTO t WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 400) SELECT i, 'n' || i FROM s");
    let run = |arguments: &str, code: i32| {
        let run = shopwarm(arguments).contexts(&contexts);
        calm(run.database(database.url()).cache(cluster.url()).run()).expect(code)
    };
    let warmed = run("warmup context own -o json", 0);
    assert_eq!(count(&warmed.strategy("own/things"), "warmed"), 400);
    assert_eq!(cluster.ask(&["HGET", "Thing:7", "name"]), "n7");
    assert_eq!(held(&cluster, &[0, 1], "Thing:").len(), 400);
    cluster.ask(&["DEL", "Thing:7"]);
    cluster.ask(&["HSET", "Thing:8", "name", "other"]);
    cluster.ask(&["SET", "Thing:500", "an orphan"]);

    let dry = run("dry-run context own --orphans -o json", 0).json();
    let totals = &dry["totals"];
    assert_eq!((&totals["missing"], &totals["orphans"]), (&1.into(), &1.into()), "{dry:#}");
    assert!(dry["memory"]["used_bytes"].as_u64().unwrap() > 1_000_000, "{dry:#}");
    let verified = run("verify context own -o json", 10);
    let totals = &verified.json()["totals"];
    assert_eq!((&totals["missing"], &totals["stale"]), (&1.into(), &1.into()), "{totals:#}");
    let got = run("keys get Thing:9 -o json", 0);
    assert!(got.stdout.contains("n9"), "{}", got.stdout);

    let missing = run("warmup context own --mode only-missing -o json", 0).strategy("own/things");
    assert_eq!((count(&missing, "warmed"), count(&missing, "skipped")), (1, 399));
    assert_eq!(cluster.ask(&["HGET", "Thing:8", "name"]), "other");
    let refreshed = run("warmup context own -o json", 0).strategy("own/things");
    assert_eq!(count(&refreshed, "warmed"), 400);
    assert_eq!(cluster.ask(&["HGET", "Thing:8", "name"]), "n8");

    let history = run("runs -o json", 0).json();
    assert_eq!(history["runs"].as_array().unwrap().len(), 3, "{history:#}");
    let doctor = run("doctor -o json", 0);
    for words in ["2 primaries and 0 replicas", "all commands allowed"] {
        assert!(doctor.stdout.contains(words), "no {words:?} in {}", doctor.stdout);
    }
}

#[test]
fn a_reshard_during_a_run_loses_nothing() {
    let cluster = RedisCluster::start(3, 0);
    let (_dir, contexts) = bulk(&[120_000]);
    let database = Sqlite::database();
    let mut child = under_way(warm(&contexts, database.url(), cluster.url()), &cluster);
    let slots: Vec<u16> = (0..200).collect();
    let (from, to) = (cluster.id(0), cluster.id(1));
    let each = |node: usize, command: &dyn Fn(u16) -> String| {
        let lines: Vec<String> = slots.iter().map(|slot| command(*slot)).collect();
        cluster.pipe(node, &lines)
    };
    // Now new keys of these slots go to the one, and those that are there stay at the other.
    each(1, &|slot| format!("CLUSTER SETSLOT {slot} IMPORTING {from}"));
    each(0, &|slot| format!("CLUSTER SETSLOT {slot} MIGRATING {to}"));
    until("keys go to the new node", || {
        let counts = each(1, &|slot| format!("CLUSTER COUNTKEYSINSLOT {slot}"));
        counts.lines().any(|count| count != "0")
    });
    assert!(child.try_wait().unwrap().is_none(), "the run was over too soon");
    let port = cluster.nodes[1].port().to_string();
    // A slot at a time: a command has keys of one slot.
    for slot in &slots {
        let slot = slot.to_string();
        let keys = cluster.cli(0, &["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
        let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
        if !keys.is_empty() {
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            migrate.extend(keys);
            assert_eq!(cluster.cli(0, &migrate), "OK");
        }
    }
    for node in [1, 0, 2] {
        each(node, &|slot| format!("CLUSTER SETSLOT {slot} NODE {to}"));
    }
    let run = calm(finish(child)).expect(0);
    let first = true_counts(&run, &cluster, &everywhere(&cluster));
    assert_eq!(count(&first, "warmed"), 120_000);
}

#[test]
fn a_primary_that_is_gone_costs_its_keys_and_no_others() {
    let cluster = RedisCluster::start_with(3, 0, &["--cluster-require-full-coverage", "no"], None);
    let (_dir, contexts) = bulk(&[60_000]);
    let database = Sqlite::database();
    let child = under_way(warm(&contexts, database.url(), cluster.url()), &cluster);
    cluster.nodes[0].kill();
    let run = calm(finish(child)).expect(3);
    let alive = [1, 2];
    let first = run.strategy("bulk/first");
    let there = whole(&cluster, &alive);
    // A third of the keys was the dead one's.
    assert!((39_000..41_000).contains(&there), "{there} keys");
    assert_eq!(count(&first, "total"), 60_000);
    let lost = count(&first, "failed") + count(&first, "unknown");
    assert!(lost > 0, "{first:#}");
    let place = format!("127.0.0.1:{}", cluster.nodes[0].port());
    assert!(first["errors"].to_string().contains(&place), "{first:#}");
    for error in first["errors"].as_array().unwrap() {
        let slot = cluster.cli(1, &["CLUSTER", "KEYSLOT", error["key"].as_str().unwrap()]);
        assert!(slot.parse::<u32>().unwrap() < 16_384 / 3 + 1, "{error}");
    }
}

#[test]
fn a_replica_takes_the_place_of_a_primary_that_is_gone() {
    let cluster = RedisCluster::start(3, 1);
    let (_dir, contexts) = bulk(&[60_000]);
    let database = Sqlite::database();
    let child = under_way(warm(&contexts, database.url(), cluster.url()), &cluster);
    cluster.nodes[0].kill();
    let run = calm(finish(child)).expect(0);
    let first = true_counts(&run, &cluster, &[1, 2, 3, 4, 5]);
    assert_eq!(count(&first, "warmed"), 60_000);
}

#[test]
fn a_primary_that_is_frozen_for_a_while_is_waited_for() {
    let cluster = RedisCluster::start(3, 0);
    let (_dir, contexts) = bulk(&[60_000]);
    let database = Sqlite::database();
    let child = under_way(warm(&contexts, database.url(), cluster.url()), &cluster);
    cluster.nodes[0].pause();
    // Longer than the others need to call it failed.
    thread::sleep(Duration::from_secs(3));
    cluster.nodes[0].resume();
    let run = calm(finish(child)).expect(0);
    let first = true_counts(&run, &cluster, &everywhere(&cluster));
    assert_eq!(count(&first, "warmed"), 60_000);
}

#[test]
fn a_cluster_that_is_down_ends_the_run() {
    let cluster = RedisCluster::start(2, 0);
    let (_dir, contexts) = bulk(&[40_000]);
    let database = Sqlite::database();
    let child = under_way(warm(&contexts, database.url(), cluster.url()), &cluster);
    // Two primaries: without the one, the other takes nothing either.
    cluster.nodes[1].kill();
    let run = calm(finish(child)).expect(6);
    let text = format!("{}{}", run.stdout, run.stderr);
    assert!(text.contains("CLUSTERDOWN") || text.contains("lost the cache"), "{text}");
    // With the other, which is empty now, it answers again.
    cluster.nodes[1].restart();
    until("it answers", || cluster.cli(0, &["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let first = run.strategy("bulk/first");
    let there = whole(&cluster, &[0]);
    // What is not there was the other's.
    let [warmed, unknown] = ["warmed", "unknown"].map(|class| count(&first, class));
    assert!(there > 0 && there <= warmed + unknown, "{there} keys, but {first:#}");
}

/// The keys of a node that was restarted are gone.
#[test]
fn a_run_goes_on_only_if_no_node_was_restarted() {
    let cluster = RedisCluster::start(3, 0);
    let (_dir, contexts) = bulk(&[2_000, 60_000]);
    let database = Sqlite::database();
    let run = || warm(&contexts, database.url(), cluster.url());
    let resume_after_a_kill = |restart: bool| {
        let child = run().args("--no-lock --rate 5k").start();
        // The first strategy is finished.
        until("the run is under way", || !held(&cluster, &[0, 1, 2], "second:9").is_empty());
        send(&child, "KILL");
        finish(child);
        if restart {
            // Not one that holds the notes.
            let notes = held(&cluster, &[0, 1, 2], "shopwarm:unfinished");
            let other = (0..3).find(|node| !notes.values().any(|at| at == node));
            cluster.nodes[other.expect("one of three")].restart();
            until("it answers", || cluster.cli(0, &["CLUSTER", "INFO"]).contains("state:ok"));
        }
        let run = calm(run().args("--no-lock --resume").run()).expect(0);
        assert_eq!(whole(&cluster, &everywhere(&cluster)), 2_000);
        run.strategy("bulk/first")
    };
    assert_eq!(resume_after_a_kill(false)["resumed"], 2_000);
    for node in everywhere(&cluster) {
        cluster.cli(node, &["FLUSHALL"]);
    }
    let first = resume_after_a_kill(true);
    assert_eq!(first["warmed"], 2_000);
    assert!(first["warnings"].to_string().contains("restarted or replaced"), "{first:#}");
}

#[test]
fn of_runs_that_start_at_one_instant_one_runs_on_a_cluster_too() {
    let cluster = RedisCluster::start(3, 0);
    let database = shop::database(Dialect::Sqlite);
    for round in 0..3 {
        let runs: Vec<Child> = (0..4)
            .map(|_| {
                let run = shopwarm("warmup all -o json").database(database.url());
                run.cache(cluster.url()).start()
            })
            .collect();
        let runs: Vec<Finished> = runs.into_iter().map(finish).collect();
        let codes: Vec<i32> = runs.iter().map(|run| run.code).collect();
        assert!(codes.iter().all(|code| [0, 8].contains(code)), "{round}: {runs:#?}");
        assert!(codes.contains(&0), "{round}: nobody ran: {runs:#?}");
        let locks = held(&cluster, &[0, 1, 2], "shopwarm:lock:");
        assert!(locks.is_empty(), "{round}: {locks:?}");
    }
}

/// A hash tag puts all keys of a strategy on one node, and that one is too small.
#[test]
fn a_plan_knows_which_node_is_full_first() {
    let memory = ["--maxmemory", "12mb", "--maxmemory-policy", "noeviction"];
    let cluster = RedisCluster::start_with(3, 0, &memory, None);
    let (_dir, contexts) = bulk(&[30_000]);
    let database = Sqlite::database();
    let shortage = || {
        let plan = shopwarm("dry-run all -o json").contexts(&contexts).database(database.url());
        plan.cache(cluster.url()).run().expect(0).json()["memory"]["shortage"].clone()
    };
    assert_eq!(shortage(), Value::Null, "10 MB fit on three nodes");
    let text = std::fs::read_to_string(&contexts).unwrap();
    std::fs::write(&contexts, text.replace("first:{id}", "{{shop}}:{id}")).unwrap();
    let said = shortage();
    let said = said.as_str().expect("a shortage");
    let node = (cluster.nodes.iter())
        .find(|node| said.contains(&format!(" at 127.0.0.1:{}, which gets 100.0%", node.port())));
    assert!(node.is_some(), "{said}");
}

/// Valkey 9 has numbered databases in a cluster too.
#[test]
fn a_cluster_of_valkey_has_numbered_databases() {
    let cluster = RedisCluster::start_valkey(3, &["--cluster-databases", "4"]);
    let (_dir, contexts) = bulk(&[3000]);
    let database = Sqlite::database();
    for (url, db) in [
        (cluster.url() + "/3", "3"),
        (format!("redis://127.0.0.1:{}/2", cluster.nodes[1].port()), "2"),
        (cluster.url(), "0"),
    ] {
        let run = calm(warm(&contexts, database.url(), &url).run()).expect(0);
        assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 3000);
        let of = |node| cluster.cli(node, &["-n", db, "--scan", "--pattern", "first:*"]);
        let found: usize = (0..3).map(|node| of(node).lines().count()).sum();
        assert_eq!(found, 3000, "in database {db}");
        let verify = shopwarm("verify context bulk").contexts(&contexts);
        verify.database(database.url()).cache(&url).run().expect(0);
    }
}

#[test]
fn what_does_not_fit_a_cluster_is_said() {
    let cluster = RedisCluster::start_with(1, 0, &[], Some("shop-secret"));
    let alone = Redis::start(&[]);
    let empty = Redis::start(&["--cluster-enabled", "yes"]);
    let (_dir, contexts) = bulk(&[10]);
    let database = Sqlite::database();
    let at = format!("127.0.0.1:{}", cluster.nodes[0].port());
    let refused = |url: String, code: i32, words: &[&str]| {
        let run = calm(warm(&contexts, database.url(), url).run()).expect(code);
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
        }
    };
    refused(format!("redis+cluster://{at}"), 7, &["requires a password"]);
    refused(format!("redis+cluster://:hunter2@{at}"), 7, &["refuses the password"]);
    refused(format!("redis://:shop-secret@{at}/3"), 4, &["cluster mode", "only database 0"]);
    refused(format!("redis+cluster://:shop-secret@{at}/3"), 4, &["only database 0"]);
    refused(
        format!("redis+cluster://127.0.0.1:{}", alone.port()),
        4,
        &["it is not a cluster", "redis://"],
    );
    refused(empty.url(), 3, &["serves no keys", "--cluster create"]);
    refused("redis+cluster://:hunter2@".into(), 4, &["a host is missing"]);

    // The permissions that a run on a cluster needs, and no more.
    let acl = "ACL SETUSER warm on >hunter2 ~first:* +ping +set +cluster|slots";
    cluster.cli(0, &acl.split(' ').collect::<Vec<_>>());
    let url = format!("redis+cluster://warm:hunter2@{at}");
    calm(warm(&contexts, database.url(), &url).run()).expect(0);
    cluster.cli(0, &["ACL", "SETUSER", "warm", "-cluster|slots"]);
    refused(url, 7, &["+cluster|slots"]);
}

/// As behind NAT, or in containers, seen from outside.
#[test]
fn nodes_are_reached_where_the_operator_says() {
    let announced = ["--cluster-announce-hostname", "node.invalid"];
    let preferred = ["--cluster-preferred-endpoint-type", "hostname"];
    let cluster = RedisCluster::start_with(3, 0, &[announced, preferred].concat(), None);
    until("all know the names", || {
        (0..3).all(|node| {
            cluster.cli(node, &["CLUSTER", "SLOTS"]).matches("node.invalid").count() >= 3
        })
    });
    let (_dir, contexts) = bulk(&[3000]);
    let database = Sqlite::database();
    let run =
        |arguments: &str| warm(&contexts, database.url(), cluster.url()).args(arguments).run();
    let lost = calm(run("")).expect(6);
    let said = format!("{}{}", lost.stdout, lost.stderr);
    assert!(said.contains("its cluster announces node.invalid:"), "{said}");
    assert!(said.contains("--cache-node node.invalid:"), "{said}");
    let found = calm(run("--cache-node node.invalid=127.0.0.1")).expect(0);
    assert_eq!(found.json()["outcome"], "complete");
    let wrong = calm(run("--cache-node 10.0.0.1")).expect(4).stderr;
    assert!(wrong.contains("it looks like ANNOUNCED=REACHABLE"), "{wrong}");
}
