//! Hands portions of a run to other processes.

use std::time::Duration;

use async_trait::async_trait;

use super::answer::Answer;

/// A queue of portions in the cache, for all runs and workers that share it.
///
/// Whoever takes a portion owns it for as long as it keeps it. One that is not kept goes to somebody
/// else, and its former owner can neither keep nor answer it any more.
#[async_trait]
pub trait PortionQueue: Send + Sync {
    /// Says what a run asks of its workers, until `ttl` from now.
    async fn announce(&self, run: &QueueOf<'_>, announcement: &[u8], ttl: Duration) -> Answer<()>;

    /// What a run asks of its workers; `None`: it is over.
    async fn announced(&self, run: &QueueOf<'_>) -> Answer<Option<Vec<u8>>>;

    /// Removes what a run asks, and its answers: its portions are void.
    async fn withdraw(&self, run: &QueueOf<'_>) -> Answer<()>;

    /// Appends a portion; its id. When an answer is lost, it may be there twice.
    async fn offer(&self, prefix: &str, portion: &[u8]) -> Answer<String>;

    /// Takes the next portion of any run, or one that was given back or not kept for `lost`; `None`: there is none.
    async fn take(
        &self,
        prefix: &str,
        worker: &str,
        lost: Option<Duration>,
    ) -> Answer<Option<TakenPortion>>;

    /// Keeps a portion; `false`: it is somebody else's, or its run is over.
    async fn keep(&self, run: &QueueOf<'_>, worker: &str, id: &str) -> Answer<bool>;

    /// Answers a portion and gives it up, in one step; `false`: it is somebody else's by now, and
    /// nothing was answered. An empty answer only gives it up.
    async fn answer(
        &self,
        run: &QueueOf<'_>,
        worker: &str,
        id: &str,
        answer: &[u8],
    ) -> Answer<bool>;

    /// Gives a portion back, for somebody else. `is_untouched`: nothing of it was written.
    async fn give_back(
        &self,
        prefix: &str,
        worker: &str,
        id: &str,
        is_untouched: bool,
    ) -> Answer<()>;

    /// Takes the answers of a run: some of them, each once.
    async fn answers(&self, run: &QueueOf<'_>) -> Answer<Vec<Vec<u8>>>;

    /// Whether somebody has kept a portion of any run within the last moments.
    async fn has_active_worker(&self, prefix: &str, within: Duration) -> Answer<bool>;

    /// For each portion, by its id, whether it is in the queue: nobody has answered it.
    async fn are_open(&self, prefix: &str, ids: &[String]) -> Answer<Vec<bool>>;

    /// How many of some portions, by their ids, a worker has.
    async fn held(&self, prefix: &str, ids: &[String]) -> Answer<usize>;

    /// Forgets a worker, if it has given up all its portions.
    async fn leave(&self, prefix: &str, worker: &str) -> Answer<()>;
}

/// The queue of a run.
#[derive(Clone, Copy, Debug)]
pub struct QueueOf<'a> {
    /// What all keys begin with.
    pub prefix: &'a str,
    pub run_id: &'a str,
}

/// A portion that a worker owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPortion {
    pub id: String,
    pub portion: Vec<u8>,
    /// Workers that had it before and may have written some of it.
    pub lost_by: u64,
}
