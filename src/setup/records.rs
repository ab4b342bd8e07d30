//! Records of a run: its metrics file, and why it could not start.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::connections::{Access, cache};
use super::definitions::all_definitions;
use crate::application::record::history;
use crate::application::runs::refused::Refused;
use crate::config::Config;
use crate::domain::run::RunInfo;
use crate::domain::strategy::{Definition, StrategyId};
use crate::infrastructure::metrics;
pub use crate::infrastructure::metrics::file::LastRun;

/// Timeout for recording a run that could not start.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes the metrics of a single run to a file.
///
/// # Errors
/// The file cannot be written.
pub fn write_metrics(path: &Path, config: Option<&Config>, run: &LastRun<'_>) -> io::Result<()> {
    let definitions = config.and_then(|config| all_definitions(config).ok());
    let ids = |all: Vec<Definition>| all.into_iter().map(|d| d.spec.id).collect();
    let known: Option<Vec<StrategyId>> = definitions.map(ids);
    metrics::file::write(path, run, known.as_deref())
}

/// Records a run that could not start, if the cache answers soon. The caller reports the reason.
pub async fn record_refusal(config: &Config, info: &RunInfo, refused: &Refused) {
    let is_news = match refused {
        Refused::Failed(failure) => failure.is_worth_recording(),
        Refused::Busy(_) | Refused::Stopped(_) => true,
        Refused::RunBefore => false,
    };
    if config.cache_url.is_none() || !is_news {
        return;
    }
    let record = refused.record(info);
    let recording = async {
        let cache = cache(config, Access::Write).await?;
        history::push(cache.as_ref(), &config.prefix, &record).await
    };
    let _ = tokio::time::timeout(RECORD_TIMEOUT, recording).await;
}
