//! A cluster: every key at its node, whatever moves or fails while they are written.

use std::collections::BTreeMap;

use crate::faults::{bulk, warm};
use crate::servers::{RedisCluster, Sqlite};

/// The keys that begin so, and the node that has each; a replica has none of its own.
fn held(cluster: &RedisCluster, prefix: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for node in 0..cluster.nodes.len() {
        if cluster.cli(node, &["ROLE"]).starts_with("master") {
            let keys = cluster.cli(node, &["--scan", "--pattern", &format!("{prefix}*")]);
            for key in keys.lines() {
                let twice = all.insert(key.to_owned(), node);
                assert_eq!(twice, None, "{key} is at two nodes");
            }
        }
    }
    all
}

#[test]
fn every_key_goes_to_its_node() {
    let cluster = RedisCluster::start(3, 0);
    let (_dir, contexts) = bulk(&[5000]);
    let database = Sqlite::database();
    let run = warm(&contexts, database.url(), cluster.url())
        .run()
        .expect(0);
    assert_eq!(run.json()["totals"]["warmed"], 5000);
    let held = held(&cluster, "first:");
    assert_eq!(held.len(), 5000);
}
