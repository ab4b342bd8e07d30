//! The names of the tool's own keys in a cache.

/// What their names begin with, after the prefix. No strategy's keys may.
pub const OWN: &str = "shopwarm:";

/// A name of our own.
fn own(prefix: &str, name: &str) -> String {
    format!("{prefix}{OWN}{name}")
}

/// What all of them begin with.
pub fn all(prefix: &str) -> String {
    own(prefix, "")
}

/// The list of the last runs, newest first.
pub fn runs(prefix: &str) -> String {
    own(prefix, "runs")
}

/// The hash of the last complete runs, by strategy.
pub fn last_complete(prefix: &str) -> String {
    own(prefix, "last-complete")
}

/// The hash of the last time of each job.
pub fn schedule(prefix: &str) -> String {
    own(prefix, "schedule")
}

/// The hash of all key manifests.
pub fn manifests(prefix: &str) -> String {
    own(prefix, "keys")
}

/// The list of the keys that a run wrote for a strategy.
pub fn manifest(prefix: &str, strategy: &str, run_id: &str) -> String {
    own(prefix, &format!("keys:{strategy}:{run_id}"))
}

/// The hash of what interrupted runs have finished, by strategy.
pub fn unfinished(prefix: &str) -> String {
    own(prefix, "unfinished")
}

/// The stream of portions for workers. It shares a hash slot with the keys of its runs.
pub fn portions(prefix: &str) -> String {
    own(prefix, "{portions}")
}

/// What a run asks of its workers.
pub fn announcement(prefix: &str, run_id: &str) -> String {
    own(prefix, &format!("{{portions}}:{run_id}"))
}

/// The stream of what workers answer to a run.
pub fn answers(prefix: &str, run_id: &str) -> String {
    own(prefix, &format!("{{portions}}:{run_id}:answers"))
}

/// The lock of a context.
pub fn lock(prefix: &str, context: &str) -> String {
    own(prefix, &format!("lock:{context}"))
}

/// A request that has a name.
pub fn request(prefix: &str, name: &str) -> String {
    own(prefix, &format!("request:{name}"))
}
