//! `shopwarm probe`: what a shop misses, as its cache or its log tells.

use std::process::Child;

use serde_json::Value;

use crate::support::faults::{calm, until};
use crate::support::lab::{own, strategy};
use crate::support::servers::{Redis, RedisCluster};
use crate::support::shopwarm::{Finished, Shopwarm, file, finish, send, shopwarm};

const SETTING: &str = "notify-keyspace-events";

/// Two strategies, with `A:{id}` and `B:{id}:x`.
fn definitions() -> String {
    let a = strategy("a", "object", "A:{id}", "SELECT id, name FROM t");
    let b = strategy("b", "object", "B:{id}:x", "SELECT id, name FROM t");
    own(&["t"], &(a + &b))
}

fn probe(arguments: &str, cache: &str) -> Shopwarm {
    let (dir, path) = file("own.toml", &definitions());
    // As long as the test runs.
    std::mem::forget(dir);
    shopwarm(&format!("probe {arguments}")).cache(cache).contexts(&path)
}

fn setting(redis: &Redis) -> String {
    let answer = redis.cli(&["CONFIG", "GET", SETTING]);
    answer.lines().nth(1).unwrap_or_default().to_owned()
}

/// A probe that listens at these servers.
fn listening(probe: Shopwarm, servers: &[Redis]) -> Child {
    let child = probe.start();
    for server in servers {
        let channel = "__keyevent@0__:keymiss";
        until("it listens", || {
            let heard = server.cli(&["PUBSUB", "NUMSUB", channel]).ends_with("\n1");
            heard && setting(server).contains('m')
        });
    }
    child
}

/// What it heard until it was interrupted.
fn interrupted(child: Child) -> Finished {
    send(&child, "INT");
    calm(finish(child)).expect(130)
}

fn counts(report: &Value, list: &str, name: &str) -> Vec<(String, u64)> {
    let all = report[list].as_array().expect("a list").iter();
    let text = |line: &Value| line[name].as_str().expect("a text").to_owned();
    all.map(|line| (text(line), line["misses"].as_u64().expect("a count"))).collect()
}

fn pair(name: &str, count: u64) -> (String, u64) {
    (name.to_owned(), count)
}

#[test]
fn misses_are_heard_and_sorted_into_strategies_and_patterns() {
    let servers = [Redis::start(&["--notify-keyspace-events", "Em"])];
    let [redis] = &servers;
    for url in [redis.url(), format!("{}?protocol=resp3", redis.url())] {
        let child = listening(probe("--for 10m --prefix p: -o json", &url), &servers);
        redis.cli(&["SET", "p:A:1", "x"]);
        for key in ["p:A:1", "p:A:2", "p:A:3", "p:B:7:x", "p:cart:12", "p:cart:13", "A:9"] {
            redis.cli(&["GET", key]);
        }
        redis.cli(&["LRANGE", "p:shopwarm:runs", "0", "1"]);
        redis.cli(&["HGETALL", "p:session:550e8400-e29b-41d4-a716-446655440000"]);
        let report = interrupted(child).json();
        assert_eq!((&report["misses"], &report["covered"]), (&7.into(), &3.into()));
        assert_eq!(counts(&report, "strategies", "id"), [pair("own/a", 2), pair("own/b", 1)]);
        assert_eq!(
            counts(&report, "patterns", "pattern"),
            [pair("p:cart:*", 2), pair("A:*", 1), pair("p:session:*", 1)]
        );
        assert_eq!(report["doubt"], Value::Null);
        assert_eq!(setting(redis), "Em");
    }
    let none = calm(probe("--for 1s", &redis.url()).run()).expect(0).stdout;
    assert!(none.contains("no misses in 1s"), "{none}");
    // Its server dies: no half an answer.
    let child = listening(probe("--for 10m", &redis.url()), &servers);
    redis.kill();
    let lost = calm(finish(child)).expect(6).stderr;
    assert!(lost.contains("connection was lost while"), "{lost}");
}

#[test]
fn events_that_are_off_are_turned_on_for_the_time_and_only_where_it_is_wished_for() {
    let cluster = RedisCluster::start(3, 0);
    let nodes = &cluster.nodes;
    nodes[1].cli(&["CONFIG", "SET", SETTING, "Kg"]);
    let before: Vec<String> = nodes.iter().map(setting).collect();
    assert_eq!(before, ["", "gK", ""]);
    let all_as_before = || {
        let now: Vec<String> = nodes.iter().map(setting).collect();
        assert_eq!(now, before);
    };
    let refused = calm(probe("--for 1s", &cluster.url()).run()).expect(4).stderr;
    for words in ["does not report misses", "--set-events", "--access-log FILE"] {
        assert!(refused.contains(words), "{words} in\n{refused}");
    }
    all_as_before();
    // To its end, interrupted, and with an error at one of the nodes.
    calm(probe("--for 1s --set-events", &cluster.url()).run()).expect(0);
    all_as_before();
    let child = listening(probe("--for 10m --set-events -o json", &cluster.url()), nodes);
    for id in 0..30 {
        // Two of the nodes name the third, which has the slot.
        (0..3).for_each(|node| drop(cluster.cli(node, &["GET", &format!("A:{id}")])));
    }
    let run = interrupted(child);
    assert_eq!(counts(&run.json(), "strategies", "id"), [pair("own/a", 30)]);
    let said = format!(": set {SETTING} to \"gKEm\" while listening; it was \"gK\"");
    assert!(run.stderr.contains(&said), "{}", run.stderr);
    all_as_before();
    nodes[2].cli(&["ACL", "SETUSER", "default", "-config|set"]);
    let denied = calm(probe("--for 1s --set-events", &cluster.url()).run()).expect(7).stderr;
    assert!(denied.contains("+config|set"), "{denied}");
    all_as_before();
    nodes[2].cli(&["ACL", "SETUSER", "default", "+config|set"]);

    // What somebody else has set meanwhile stays.
    let child = listening(probe("--for 10m --set-events", &cluster.url()), nodes);
    nodes[0].cli(&["CONFIG", "SET", SETTING, "AKE"]);
    interrupted(child);
    assert_eq!(setting(&nodes[0]), "AKE");
    assert_eq!(setting(&nodes[1]), before[1]);
}

#[test]
fn where_the_setting_is_not_told_it_listens_and_says_so() {
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "default", "-config"]);
    let run = calm(probe("--for 1s", &redis.url()).run()).expect(0).stdout;
    assert!(run.contains("misses may not have been reported"), "{run}");
    let permissions = "ACL SETUSER some on >hunter2 ~* +@all resetchannels";
    redis.cli(&permissions.split(' ').collect::<Vec<_>>());
    let url = redis.url().replace("//", "//some:hunter2@");
    let refused = calm(probe("--for 1s", &url).run()).expect(7).stderr;
    assert!(refused.contains("&__keyevent@0__:keymiss"), "{refused}");
}

#[test]
fn an_access_log_is_read_without_a_cache() {
    let log = "A:1\nA:2\r\n\nB:3:x\nstock:7\nstock:8\n{\"key\":\"A:9\"}\n\
        {\"key\":\"A:1\",\"hit\":true}\n{\"key\":\"\\u001b[31m:1\",\"hit\":false}\n{odd\n";
    let (_dir, path) = file("access.log", log);
    let nobody = "redis://127.0.0.1:1";
    let from_file = probe(&format!("--access-log {} -o json", path.display()), nobody);
    let from_stdin = probe("--access-log - -o json", nobody).stdin(log);
    for command in [from_file, from_stdin] {
        let report = calm(command.run()).expect(0).json();
        let numbers = ["misses", "covered", "hits", "unreadable"].map(|name| report[name].clone());
        assert_eq!(numbers, [7, 4, 1, 1].map(Value::from), "{report:#}");
        assert_eq!(counts(&report, "strategies", "id"), [pair("own/a", 3), pair("own/b", 1)]);
        assert_eq!(counts(&report, "patterns", "pattern")[0], pair("stock:*", 2));
    }
    for form in ["table", "ndjson", "csv", "markdown"] {
        let arguments = format!("--access-log {} -o {form}", path.display());
        let text = calm(probe(&arguments, nobody).run()).expect(0).stdout;
        assert!(text.contains("stock:*") && text.contains("own/b"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    let (_dir, odd) = file("odd.log", "{odd\n{\"no\":\"key\"}\n");
    let odd = probe(&format!("--access-log {}", odd.display()), nobody);
    assert!(calm(odd.run()).expect(2).stderr.contains("one key per line"));
    let missing = calm(probe("--access-log nowhere.log", nobody).run()).expect(2);
    assert!(missing.stderr.contains("nowhere.log"), "{}", missing.stderr);
}
