//! `verify`, and `warmup --verify`: what is really in the cache.

use serde_json::{Value, json};

use crate::support::cached::{
    self, Counts, Embedded, classes, counted, dump, planned, reported, spread,
};
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, Redis};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, Shopwarm};

/// One strategy of the lab counted, or all of them.
fn sum(counts: &Counts, strategy: &str, classes: &[&str]) -> u64 {
    let is_it = |((id, class), _): &(&(String, String), &u64)| {
        id.contains(strategy) && classes.contains(&class.as_str())
    };
    counts.iter().filter(is_it).map(|(_, count)| count).sum()
}

/// What a verification must say of these counts.
#[track_caller]
fn agrees(verified: &Value, counts: &Counts, strategy: &str) {
    let count = |classes: &[&str]| sum(counts, strategy, classes);
    for (name, expected) in [
        ("planned", count(&cached::CLASSES)),
        ("present", count(&["wrong_type", "different", "expiring", "identical"])),
        ("equal", count(&["expiring", "identical"])),
        ("missing", count(&["missing"])),
        ("stale", count(&["wrong_type", "different"])),
    ] {
        assert_eq!(verified[name], expected, "{strategy} {name}: {verified:#}");
    }
}

fn verify(lab: &Lab, arguments: &str) -> Shopwarm {
    lab.with(&cached::definitions(), "verify context own -o json").args(arguments)
}

#[test]
fn what_stands_in_the_cache_is_counted() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        spread(&lab.redis, "v:");
        let before = dump(&lab.redis);
        let run = verify(&lab, "--prefix v:").run().expect(10);
        let counts = counted(&planned("v:"), &before, 3_600_000);
        assert_eq!(reported(&run), counts, "{dialect:?}");
        let report = run.json();
        agrees(&report["verified"], &counts, "");
        agrees(&report["totals"], &counts, "");
        for strategy in report["strategies"].as_array().expect("strategies") {
            agrees(strategy, &counts, strategy["id"].as_str().expect("an id"));
        }
        // What never expires lives longer than the definition says, and what has two hours left.
        let classes = classes(&planned("v:"), &before, 3_600_000);
        let equal = classes.iter().filter(|(_, class)| ["expiring", "identical"].contains(*class));
        let outside = equal.filter(|(key, _)| !(0..3_601_000).contains(&before[*key].ttl)).count();
        assert_eq!(report["verified"]["ttl_outside"], outside);
    }
}

#[test]
fn the_embedded_cache_is_verified_likewise() {
    let lab = cached::lab(Dialect::Sqlite);
    let embedded = Embedded::new();
    let own = |arguments: &str| embedded.on(lab.with(&cached::definitions(), arguments));
    own("warmup context own -q --default-ttl 2h").run().expect(0);
    own("verify context own -q").run().expect(0);
    embedded.sql(
        "DELETE FROM entries WHERE CAST(key AS TEXT) LIKE '%7'; \
         UPDATE entries SET value = CAST('{\"id\":\"0\"}' AS BLOB) WHERE CAST(key AS TEXT) LIKE '%3'; \
         UPDATE entries SET type = iif(type = 'hash', 'string', 'hash') WHERE CAST(key AS TEXT) LIKE '_:2_'; \
         UPDATE entries SET expires_at = (unixepoch() + 600) * 1000 WHERE CAST(key AS TEXT) LIKE '%1'; \
         UPDATE entries SET expires_at = 1 WHERE CAST(key AS TEXT) LIKE '%15'",
    );
    // A wrong type need not be readable as one: only its name is looked at here.
    embedded
        .sql("UPDATE entries SET value = CAST('{}' AS BLOB) WHERE CAST(key AS TEXT) LIKE '_:2_'");
    let counts = counted(&planned(""), &embedded.dump(), 3_600_000);
    for class in cached::CLASSES {
        assert!(sum(&counts, "", &[class]) > 0, "{class}");
    }
    let run = own("verify context own -o json").run().expect(10);
    assert_eq!(reported(&run), counts);
    agrees(&run.json()["verified"], &counts, "");
    let run = own("dry-run context own -o json").run().expect(0);
    assert_eq!(reported(&run), counts);
    for state in ["missing", "different", "expiring", "wrong-type", "identical"] {
        let list = own("keys list --context own --state").arg(state).run().expect(0);
        assert_eq!(
            list.stdout.lines().count() as u64,
            sum(&counts, "", &[&state.replace('-', "_")]),
            "{state}"
        );
    }
}

/// Of 210 objects two are missing: 208 of 210 are 99.0476… %.
#[test]
fn a_gate_is_met_or_not() {
    let lab = cached::lab(Dialect::Sqlite);
    lab.warm(&cached::definitions()).expect(0);
    let gate = |require: &str, code: i32| -> Finished {
        verify(&lab, "").arg(format!("--require={require}")).run().expect(code)
    };
    gate("100%", 0);
    lab.redis.cli(&["DEL", "O:1", "O:2"]);
    let all = planned("").len();
    for (require, code) in [
        ("100%", 10),
        ("objects=99.04%", 0),
        ("objects=99.05%", 10),
        ("own/objects=99.04,hashes=100%", 0),
        ("hashes=100%,own/objects=99.05", 10),
        ("own=99%", 0),
        ("99%,texts=100%,lists=100", 0),
        ("99.9%,texts=100%", 10),
        ("0", 0),
    ] {
        let report = gate(require, code).json();
        let gates = report["requirements"].as_array().expect("gates").iter();
        let met = gates.clone().all(|gate| gate["met"] == true);
        assert_eq!(met, code == 0, "{require}: {report:#}");
        for gate in gates {
            let of_all = [Value::Null, json!("own")].contains(&gate["name"]);
            if of_all {
                assert_eq!((&gate["planned"], &gate["equal"]), (&json!(all), &json!(all - 2)));
            }
        }
    }
    let table = lab.with(&cached::definitions(), "verify context own").run().expect(10);
    assert!(table.stdout.contains("100% required"), "{}", table.stdout);
}

#[test]
fn a_gate_that_means_nothing_is_refused() {
    let lab = cached::lab(Dialect::Sqlite);
    for (require, words) in [
        ("101%", "'101%' for '--require <PERCENT>': not a percentage"),
        ("objects=x", "`objects=x`: `x` is not a percentage"),
        ("=99", "names nothing"),
        ("99%,", "not a percentage"),
        ("object=99", "did you mean `objects`"),
        ("catalog=99", "no selected context or strategy"),
    ] {
        let run = verify(&lab, "").arg(format!("--require={require}")).run().expect(2);
        assert!(run.stderr.contains(words), "{require}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    for (arguments, words) in
        [("--sample 0", "0"), ("--seed 7", "--sample"), ("--sample many", "many")]
    {
        let run = verify(&lab, arguments).run().expect(2);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn the_same_seed_looks_at_the_same_keys() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        spread(&lab.redis, "");
        let counts = |arguments: &str| {
            let run = verify(&lab, arguments).run().expect(10);
            let report = run.json();
            for strategy in report["strategies"].as_array().expect("strategies") {
                assert_eq!(strategy["planned"], 40, "{strategy:#}");
            }
            assert_eq!(report["sample"], 40);
            (report["seed"].as_u64().expect("a seed"), reported(&run))
        };
        let seven = counts("--sample 40 --seed 7");
        assert_eq!(seven.0, 7);
        assert_eq!(counts("--sample 40 --seed 7"), seven);
        // However the rows come in batches.
        assert_eq!(counts("--sample 40 --seed 7 --batch-size 11"), seven);
        let others: Vec<_> =
            (8..12).map(|seed| counts(&format!("--sample 40 --seed {seed}")).1).collect();
        assert!(others.iter().any(|other| *other != seven.1), "{others:?}");
        // Chosen by itself, the seed is printed, and chooses the same again.
        let (seed, first) = counts("--sample 40");
        assert_eq!(counts(&format!("--sample 40 --seed {seed}")).1, first);
    }
}

#[test]
fn a_run_reads_back_what_it_wrote() {
    let lab = cached::lab(Dialect::Postgres);
    let warm = |arguments: &str| {
        lab.with(&cached::definitions(), "warmup context own -o json").args(arguments)
    };
    let all = planned("").len();
    let report = warm("--verify").run().expect(0).json();
    for name in ["planned", "present", "equal"] {
        assert_eq!(report["verified"][name], all, "{report:#}");
    }
    for name in ["missing", "stale"] {
        assert_eq!(report["verified"][name], 0, "{report:#}");
    }
    assert_eq!(warm("").run().expect(0).json()["verified"], Value::Null);

    // A run that leaves what is there alone leaves it as it is.
    lab.redis.cli(&["SET", "T:1", "mine"]);
    let report = warm("--mode only-missing --verify").run().expect(10).json();
    assert_eq!(
        (&report["verified"]["stale"], &report["verified"]["equal"]),
        (&json!(1), &json!(all - 1))
    );
    warm("--mode only-missing --verify=99%").run().expect(0);
    warm("--mode only-missing --verify=texts=100%").run().expect(10);
    let run = warm("--verify=nobody=100%").run().expect(2);
    assert!(run.stderr.contains("nobody"), "{}", run.stderr);
    let run = warm("--verify=lots").run().expect(2);
    assert!(run.stderr.contains("not a percentage"), "{}", run.stderr);
    let report = warm("--verify --verify-sample 25").run().expect(0).json();
    assert_eq!(report["verified"]["planned"], 100);
}

#[test]
fn a_run_whose_keys_do_not_stay_is_noticed() {
    let lab = cached::lab(Dialect::Sqlite);
    let large = "SELECT id, printf('%.*c', 20000, 'x') AS pad FROM t";
    let large = own(&["t"], &strategy("large", "object", "O:{id}", large));
    // They need some 4 MB.
    let small = Redis::start(&["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-random"]);
    let run = lab
        .with(&large, "warmup context own -o json --verify --concurrency 1")
        .cache(small.url())
        .run()
        .expect(10);
    let report = run.json();
    let there = dump(&small).keys().filter(|key| !key.starts_with("shopwarm:")).count() as u64;
    let present = report["verified"]["present"].as_u64().expect("a number");
    assert!(
        present <= there + 5 && report["verified"]["missing"].as_u64() > Some(0),
        "{there} {report:#}"
    );
    assert_eq!(report["totals"]["failed"], 0);
}

#[test]
fn a_cache_that_is_gone_is_no_difference() {
    let lab = cached::lab(Dialect::Sqlite);
    lab.warm(&cached::definitions()).expect(0);
    lab.redis.stop();
    for command in [
        "verify context own",
        "dry-run context own --exit-code",
        "keys list --context own --cached",
        "keys get O:1",
    ] {
        let run = lab.with(&cached::definitions(), command).run().expect(6);
        assert!(run.stderr.contains("error: "), "{}", run.stderr);
    }
    // Without what it is asked, the list needs no cache.
    lab.with(&cached::definitions(), "keys list --context own").run().expect(0);
}

/// It answers at first, and then is killed between two of its answers.
#[test]
fn a_cache_that_dies_in_the_middle_is_no_difference() {
    let lab = Lab::empty(Dialect::Sqlite);
    let sql = "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < 200000) \
               SELECT id AS _id, 'v' AS v FROM s";
    let definitions = own(&["t"], &strategy("t", "text", "K:{_id}", sql));
    let mut child = lab.with(&definitions, "keys list --context own --cached -o ndjson").start();
    let mut out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("a line");
    lab.redis.kill();
    std::io::copy(&mut out, &mut std::io::sink()).expect("the rest");
    let run = crate::support::shopwarm::finish(child).expect(6);
    assert!(run.stderr.contains("error: "), "{}", run.stderr);
}
