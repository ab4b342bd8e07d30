//! One run at a time for each context, across all machines that share a cache.
//!
//! The lock spares the servers; correctness does not depend on it, as writing a key twice is
//! harmless. So one server's word is enough. A run renews its lock, which expires if the process
//! dies. A run that cannot renew its lock stops writing.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::application::ports::Cache;
use crate::application::run_state::event::{Event, Reporter};
use crate::application::run_state::plan::RunPlan;
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::refused::Refused;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::holder::Holder;
use crate::domain::namespace;
use crate::domain::report::Stop;
use crate::domain::run::RunInfo;

/// How long the lock of a dead process lasts.
const TTL: Duration = Duration::from_secs(30);

/// How often it is renewed: if a cache falls silent, the run should end for that reason and not
/// because its lock expired.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// The same after a failed renewal.
const RENEW_AGAIN: Duration = Duration::from_secs(1);

/// Timeout for asking the cache for its epoch after the lock has expired: sentinels that are down are asked
/// too.
const EPOCH_TIMEOUT: Duration = Duration::from_secs(6);
const EPOCH_ATTEMPTS: u32 = 60;

/// A lock that expires sooner than this is not safe: clocks differ, and writes are in flight.
const MARGIN: Duration = Duration::from_secs(5);

/// Between two attempts to take a lock.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// The lock expires anyway: nobody waits longer to release it.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a run does about others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// Nothing: it runs next to them.
    Off,
    /// It gives way to them, if it may ask for locks.
    GiveWay,
    /// It waits this long for them to end.
    Wait(Duration),
}

/// The lock of a run.
pub struct Lock {
    claims: Claims,
    renewal: JoinHandle<()>,
    lost: Arc<OnceLock<String>>,
}

/// The result of taking a lock.
pub enum Taken {
    Held(Lock),
    NotAsked,
    /// The cache refuses; why.
    NotPossible(String),
}

impl Lock {
    /// Takes the locks of all contexts of the run, or none.
    ///
    /// # Errors
    /// [`Refused::Busy`] when another run has one of them, also after waiting.
    pub async fn take(
        plan: &RunPlan,
        info: &RunInfo,
        locking: Locking,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Result<Taken, Refused> {
        let Some(cache) = plan.written_cache() else {
            return Ok(Taken::NotAsked);
        };
        let patience = match locking {
            Locking::Off => return Ok(Taken::NotAsked),
            Locking::GiveWay => Duration::ZERO,
            Locking::Wait(patience) => patience,
        };
        let claims = Claims::new(plan, cache, info);
        let until = Instant::now() + patience;
        let mut reported = false;
        loop {
            let asked = Instant::now();
            let taken = tokio::select! {
                taken = claims.take() => taken,
                () = stop.stopped() => {
                    // It may have been taken anyway.
                    claims.release().await;
                    return Err(stopped(stop));
                }
            };
            match taken {
                Ok(None) => return Ok(Taken::Held(Self::keep(claims, asked, stop))),
                Ok(Some(holder)) if patience.is_zero() || reported && Instant::now() >= until => {
                    return Err(Refused::Busy(Box::new(holder)));
                }
                Ok(Some(holder)) => {
                    if !std::mem::replace(&mut reported, true) {
                        reporter.report(&Event::Waiting { holder: &holder });
                    }
                }
                Err(failure) => return not_possible(failure, locking),
            }
            tokio::select! {
                () = sleep(ASK_EVERY) => {}
                () = stop.stopped() => return Err(stopped(stop)),
            }
        }
    }

    /// Renews the lock until it is released; stops the run if it is lost.
    fn keep(claims: Claims, since: Instant, stop: &StopSignal) -> Self {
        let lost = Arc::new(OnceLock::new());
        let renewal = {
            let (claims, lost, stop) = (claims.clone(), Arc::clone(&lost), stop.clone());
            tokio::spawn(async move {
                let why = claims.renew(since).await;
                let _ = lost.set(why);
                stop.stop(Stop::LockLost);
            })
        };
        Self { claims, renewal, lost }
    }

    /// The locked contexts.
    pub fn contexts(&self) -> &[String] {
        &self.claims.contexts
    }

    /// A warning for the operator.
    pub fn warning(&self) -> Option<String> {
        let why = self.lost.get()?;
        Some(format!("the run was stopped: its lock {why}"))
    }

    pub async fn release(self) {
        self.renewal.abort();
        self.claims.release().await;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

fn stopped(stop: &StopSignal) -> Refused {
    Refused::Stopped(stop.reason().unwrap_or(Stop::Interrupted))
}

fn not_possible(failure: Failure, locking: Locking) -> Result<Taken, Refused> {
    let denied = failure.kind == FailureKind::CacheDenied;
    match locking {
        // A guard that cannot see must not let everything through.
        Locking::Wait(_) if denied => Err(failure
            .hint("a lock needs +eval +get +set +del +pexpire for its keys; without --lock-wait the run continues without a lock")
            .into()),
        Locking::Wait(_) => Err(failure.into()),
        _ if failure.kind == FailureKind::CacheUnreachable => Err(failure.into()),
        _ => Ok(Taken::NotPossible(format!(
            "cannot take the lock, so another run may write at the same time: {}",
            failure.why
        ))),
    }
}

/// The keys of a run's locks.
#[derive(Clone)]
struct Claims {
    cache: Arc<dyn Cache>,
    contexts: Vec<String>,
    keys: Vec<String>,
    value: String,
}

impl Claims {
    fn new(plan: &RunPlan, cache: &Arc<dyn Cache>, info: &RunInfo) -> Self {
        let contexts: BTreeSet<String> =
            plan.strategies.iter().map(|strategy| strategy.spec().id.context.clone()).collect();
        let prefix = &plan.options.prefix;
        Self {
            cache: Arc::clone(cache),
            keys: contexts.iter().map(|context| namespace::lock(prefix, context)).collect(),
            contexts: contexts.into_iter().collect(),
            value: serde_json::to_string(&Holder::new(info)).unwrap_or_default(),
        }
    }

    fn keys(&self) -> Vec<&[u8]> {
        self.keys.iter().map(String::as_bytes).collect()
    }

    /// Claims all keys; `Some`: who holds one of them.
    async fn take(&self) -> Result<Option<Holder>, Failure> {
        let value = self.value.as_bytes();
        let claimed = self.cache.meta().claim(&self.keys(), value, TTL).await?;
        Ok(claimed.map(|claimed| Holder::found(&self.keys[claimed.key], &claimed.value)))
    }

    /// Renews all keys until that fails; returns why.
    async fn renew(&self, since: Instant) -> String {
        let keys = self.keys();
        let asked = timeout(RENEW_EVERY, self.cache.epoch()).await;
        let mut epoch = asked.ok().and_then(Result::ok);
        let mut ends = since + TTL - MARGIN;
        let mut pause = RENEW_EVERY;
        loop {
            sleep(pause.min(ends.saturating_duration_since(Instant::now()))).await;
            let asked = Instant::now();
            let renewing = self.cache.meta().renew(&keys, self.value.as_bytes(), TTL);
            let why = match timeout_at(ends, renewing).await {
                Ok(Ok(true)) => {
                    (ends, pause) = (asked + TTL - MARGIN, RENEW_EVERY);
                    continue;
                }
                Ok(Ok(false)) if self.taken_again(&mut epoch).await => {
                    (ends, pause) = (asked + TTL - MARGIN, RENEW_EVERY);
                    continue;
                }
                Ok(Ok(false)) => return "was taken by another run, or deleted".to_owned(),
                Ok(Err(_)) if Instant::now() < ends => {
                    pause = RENEW_AGAIN;
                    continue;
                }
                Ok(Err(failure)) => failure.why,
                Err(_) => "no answer in time".to_owned(),
            };
            if !self.taken_after_outage(&mut epoch, ends).await {
                return format!("could not be renewed: {why}");
            }
            (ends, pause) = (Instant::now() + TTL - MARGIN, RENEW_EVERY);
        }
    }

    /// A failover may take longer than the lock lasts. Meanwhile nobody can write; if another cache answers
    /// in the end, this takes the claims again, unless this process itself was suspended.
    async fn taken_after_outage(&self, epoch: &mut Option<u64>, ended: Instant) -> bool {
        let mut last = ended;
        for _ in 0..EPOCH_ATTEMPTS {
            if last.elapsed() > EPOCH_TIMEOUT + RENEW_EVERY {
                return false;
            }
            last = Instant::now();
            if let Ok(Ok(_)) = timeout(EPOCH_TIMEOUT, self.cache.epoch()).await {
                return self.taken_again(epoch).await;
            }
            sleep(RENEW_AGAIN).await;
        }
        false
    }

    /// A restarted cache has lost the claims: takes them again, unless another run was quicker.
    async fn taken_again(&self, epoch: &mut Option<u64>) -> bool {
        let Ok(now) = self.cache.epoch().await else {
            return false;
        };
        epoch.replace(now) != Some(now) && matches!(self.take().await, Ok(None))
    }

    async fn release(&self) {
        let (keys, value) = (self.keys(), self.value.as_bytes());
        // If this fails, the claims expire.
        let _ = timeout(RELEASE_TIMEOUT, self.cache.meta().release(&keys, value)).await;
    }
}
