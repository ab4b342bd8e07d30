//! What a service needs from outside: connections, and an observer of its runs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::request::RunRequest;
use crate::application::engine::coordinator::Coordinator;
use crate::application::ports::Cache;
use crate::application::runs::live::Ended;
use crate::application::runs::run::Begun;
use crate::domain::failure::Failure;
use crate::domain::run::RunInfo;

type Connecting<T> = BoxFuture<'static, Result<T, Failure>>;

/// Connects and prepares what a request asks for.
pub type Prepare = dyn Fn(RunRequest) -> Connecting<Prepared> + Send + Sync;

/// Opens a connection of its own to the cache.
pub type Open = dyn Fn(Use) -> Connecting<Store> + Send + Sync;

/// Observes each run. Of one that does not begin only the end.
pub type Observe = dyn Fn(&RunInfo, Milestone<'_>) + Send + Sync;

pub struct Prepared {
    pub coordinator: Coordinator,
    /// It is ended after this time.
    pub deadline: Option<Duration>,
}

/// What a connection is for: whoever writes does not hold up those who read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Read,
    Write,
}

/// The cache, and the prefix of every key in it.
pub struct Store {
    pub cache: Arc<dyn Cache>,
    pub prefix: String,
}

pub enum Milestone<'a> {
    /// It has its locks and is about to warm.
    Begun(&'a Begun),
    Ended {
        dry_run: bool,
        end: &'a Ended,
    },
}
