//! The main job: a real database into a real cache.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::servers::{Dialect, Redis};
use crate::shop;
use crate::shopwarm::{file, shopwarm};

/// Every key of a Redis with its value.
fn contents(redis: &Redis) -> BTreeMap<String, String> {
    let keys = redis.cli(&["KEYS", "*"]);
    keys.lines()
        .map(|key| (key.to_owned(), redis.cli(&["GET", key])))
        .collect()
}

#[test]
fn the_same_shop_gives_the_same_json_from_every_database() {
    let [postgres, mysql, sqlite] = shop::DIALECTS.map(|dialect| {
        let (database, redis) = (shop::database(dialect), Redis::start(&[]));
        let run = shopwarm("warmup all -o json")
            .database(database.url())
            .cache(redis.url())
            .run()
            .expect(0);
        let report = run.json();
        assert_eq!(report["outcome"], "complete");
        let all = contents(&redis);
        assert_eq!(report["totals"]["warmed"], all.len(), "{dialect:?}");
        all
    });
    // Sessions say when a user was last seen, and the three shops were made at three moments.
    let fixed = |all: &BTreeMap<String, String>| {
        let mut all = all.clone();
        all.retain(|key, _| !key.starts_with("User:session:"));
        all
    };
    assert_eq!(fixed(&postgres), fixed(&mysql));
    assert_eq!(fixed(&postgres), fixed(&sqlite));
    let sessions = |all: &BTreeMap<String, String>| {
        all.keys()
            .filter(|key| key.starts_with("User:"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(sessions(&postgres).len(), 3);
    assert_eq!(sessions(&postgres), sessions(&mysql));
    assert_eq!(sessions(&postgres), sessions(&sqlite));
}
