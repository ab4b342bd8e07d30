//! Caches that follow each other.

use crate::support::faults::until;
use crate::support::servers::Redis;

/// The value of a line of INFO.
pub fn info(redis: &Redis, name: &str) -> String {
    let info = redis.cli(&["INFO"]);
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(said, _)| *said == name);
    found.expect("a line of INFO").1.trim().to_owned()
}

/// Makes one a replica of another and waits until it has everything.
pub fn follow(replica: &Redis, primary: &Redis) {
    replica.cli(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    until("the replica has everything", || {
        info(replica, "role") == "slave" && info(replica, "master_link_status") == "up"
    });
}
