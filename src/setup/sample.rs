//! The sample shops of `--demo`: a cache that was warmed once, and what happened since.

use std::time::Instant;

use super::coordinators::coordinator;
use crate::application::run_state::event::Silent;
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::lock::Locking;
use crate::application::runs::refused::Refused;
use crate::application::runs::run::Run;
use crate::application::settings::RunSettings;
use crate::config::{Config, Demo};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::percent::Percent;
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::selection::Selection;
use crate::infrastructure::demo;

/// Makes the sample shop that is wanted, unless it is there. `true`: it is new.
///
/// # Errors
/// It cannot be made.
pub async fn make_sample(config: &Config) -> Result<bool, Failure> {
    let Some(sample) = &config.demo else {
        return Ok(false);
    };
    let dir = sample.folder.as_path();
    let _lock = demo::lock(dir)?;
    let (file, sql) = match sample.demo {
        Demo::None | Demo::Shop => {
            let is_new = !demo::exists(dir);
            return demo::make(dir).await.map(|()| is_new);
        }
        _ if demo::is_fresh(dir) => return Ok(false),
        Demo::Stale => (demo::SHOP, demo::STALE),
        Demo::Expiring => (demo::CACHE, demo::EXPIRING),
        Demo::Failing => (demo::SHOP, demo::FAILING),
    };
    demo::remove(dir);
    demo::make(dir).await?;
    warm(config).await?;
    demo::change(&dir.join(file), sql).await?;
    demo::finish(dir).map(|()| true)
}

/// Warms everything as shipped, whatever else is configured.
async fn warm(config: &Config) -> Result<(), Failure> {
    let sample = config.demo.as_ref();
    let url = |file| sample.map(|sample| sample.url(file));
    let config = Config {
        database_url: url(demo::SHOP),
        primary_url: None,
        cache_url: url(demo::CACHE),
        prefix: String::new(),
        contexts: Vec::new(),
        run: RunSettings { ttl_jitter: Some(Percent::whole(0)), ..RunSettings::default() },
        ..config.clone()
    };
    let coordinator = coordinator(&config, &Selection::All).await?;
    let info = RunInfo::new("warmup all".to_owned(), Trigger::Cli);
    let (now, stop) = (Instant::now(), StopSignal::default());
    let begun = Run::begin(&coordinator, &info, now, Locking::Off, &Silent, &stop).await;
    let run = begun.map_err(|refused| match refused {
        Refused::Failed(failure) => failure,
        other => Failure::new(FailureKind::Internal, other.to_string(), ""),
    })?;
    let finished = run.warm_all(&Silent, &stop).await;
    let why = finished.record.verdict().filter(|_| !finished.report.passes());
    why.map_or(Ok(()), |why| {
        let what = "cannot warm the sample shop";
        Err(Failure::new(FailureKind::Internal, what, why.text))
    })
}
