//! A server that warms portions for the runs of other processes.

use std::sync::Arc;
use std::time::Duration;

use tokio::pin;
use tokio::time::timeout;

use super::coordinators::coordinator;
use super::shop::CurrentShop;
use crate::application::run_state::stop::StopSignal;
use crate::application::workers::worker::Worker;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::report::Stop;
use crate::domain::selection::Selection;

/// Between two attempts, after a failure.
const AGAIN: Duration = Duration::from_secs(10);

/// Works whenever the configuration says so, and by the current one, until it is stopped.
pub(super) async fn help(shop: Arc<CurrentShop>, stop: StopSignal) {
    let mut changes = shop.changes();
    while stop.reason().is_none() {
        let config = shop.get().config.clone();
        let pausing = StopSignal::default();
        let working = async {
            match config.serve.worker() {
                true => work(&config, &pausing).await,
                false => {
                    pausing.stopped().await;
                    Ok(())
                }
            }
        };
        pin!(working);
        let ended = tokio::select! {
            ended = &mut working => ended,
            _ = changes.changed() => {
                pausing.stop(Stop::Interrupted);
                working.await
            }
            () = stop.stopped() => {
                pausing.stop(Stop::Interrupted);
                working.await
            }
        };
        if let Err(failure) = ended {
            let hint = failure.hint.clone().unwrap_or_default();
            tracing::warn!(%failure, hint, "cannot warm portions of other runs");
            let _ = timeout(AGAIN, stop.stopped()).await;
        }
    }
}

async fn work(config: &Config, stop: &StopSignal) -> Result<(), Failure> {
    worker(config).await?.work(None, stop).await
}

/// A worker for all strategies: which of them are warmed is the run's choice.
///
/// # Errors
/// As [`coordinator`], or its cache has no queue.
pub async fn worker(config: &Config) -> Result<Worker, Failure> {
    let mut config = config.clone();
    (config.run.tags, config.run.exclude) = (None, None);
    Worker::new(coordinator(&config, &Selection::All).await?).await
}
