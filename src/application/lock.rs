//! One run at a time for each context, over all machines that share a cache.
//!
//! Its purpose is to spare the servers, not to keep values right: writing the same key twice is
//! harmless. So one server's word is enough. What a run claims ends by itself when its process dies,
//! and is renewed while it lives. A run that cannot renew it stops writing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::coordinator::Coordinator;
use super::event::{Event, Reporter};
use super::history::OWN;
use super::ports::Cache;
use super::run::Refused;
use super::stop::StopSignal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Stop;
use crate::domain::run::RunInfo;

/// How long the lock of a dead process stands in the way.
const TTL: Duration = Duration::from_secs(30);

/// Renewed this often: two renewals may fail.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// A lock that ends sooner than this cannot be relied on: the server's clock is not ours, and what
/// is on its way to the cache is still to be written.
const MARGIN: Duration = Duration::from_secs(5);

/// Between two attempts to take a lock that another has.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// The lock ends by itself; nobody waits longer to give it back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a run does about others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// Nothing: it runs beside them.
    Off,
    /// It gives way to them, where it may ask for them at all.
    GiveWay,
    /// It waits this long for them to end.
    Wait(Duration),
}

/// Who has the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Holder {
    pub run_id: String,
    pub command: String,
    pub host: String,
    pub pid: u32,
    /// RFC 3339, in UTC.
    pub since: String,
    /// Tells this claim from any other.
    #[serde(rename = "token", skip_serializing_if = "String::is_empty")]
    #[schema(ignore)]
    token: String,
}

impl Holder {
    fn new(info: &RunInfo) -> Self {
        Self {
            run_id: info.id.clone(),
            command: info.command.clone(),
            host: info.host.clone(),
            pid: std::process::id(),
            since: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            token: format!("{:032x}", fastrand::u128(..)),
        }
    }

    /// The holder without what it proves its claim with.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.token.clear();
        self
    }

    /// How long it has had it, by our clock.
    pub fn age(&self) -> Option<Duration> {
        let since = humantime::parse_rfc3339(&self.since).ok()?;
        SystemTime::now().duration_since(since).ok()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.run_id.is_empty() {
            return f.write_str("a run that does not say who it is");
        }
        let Self {
            run_id,
            command,
            host,
            pid,
            ..
        } = self;
        write!(f, "`{command}` on {host} (process {pid}, run {run_id})")?;
        match self.age() {
            Some(age) => write!(
                f,
                ", for {}",
                humantime::format_duration(Duration::from_secs(age.as_secs()))
            ),
            None => Ok(()),
        }
    }
}

impl From<Holder> for Failure {
    fn from(holder: Holder) -> Self {
        let why = format!("it is held by {holder}");
        Failure::new(FailureKind::Busy, "another run holds the lock", why)
            .hint("wait for it with --lock-wait 5m, or run beside it with --no-lock")
    }
}

/// The lock of a run.
pub struct Lock {
    claims: Claims,
    renewal: JoinHandle<()>,
    lost: Arc<OnceLock<String>>,
}

/// What became of a wish for a lock.
pub enum Taken {
    Held(Lock),
    NotAsked,
    /// The cache lets nobody take one; why.
    NotPossible(String),
}

impl Lock {
    /// Takes the lock of every context that a coordinator's strategies are of: all of them or none.
    ///
    /// # Errors
    /// [`Refused::Busy`] when another run has one of them, also after waiting.
    pub async fn take(
        coordinator: &Coordinator,
        info: &RunInfo,
        locking: Locking,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Result<Taken, Refused> {
        let (Some(cache), true) = (coordinator.cache(), coordinator.writes()) else {
            return Ok(Taken::NotAsked);
        };
        let patience = match locking {
            Locking::Off => return Ok(Taken::NotAsked),
            Locking::GiveWay => Duration::ZERO,
            Locking::Wait(patience) => patience,
        };
        let claims = Claims::new(coordinator, cache, info);
        let until = Instant::now() + patience;
        let mut told = false;
        loop {
            let asked = Instant::now();
            // One that is cut off ends by itself.
            let taken = tokio::select! {
                taken = claims.take() => taken,
                () = stop.stopped() => return Err(stopped(stop)),
            };
            match taken {
                Ok(None) => return Ok(Taken::Held(Self::keep(claims, asked, stop))),
                Ok(Some(holder)) if Instant::now() >= until => return Err(Refused::Busy(holder)),
                Ok(Some(holder)) => {
                    if !std::mem::replace(&mut told, true) {
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

    /// Renews what was claimed at `since` until it is given back; stops the run when it is lost.
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
        Self {
            claims,
            renewal,
            lost,
        }
    }

    /// The contexts that it is of.
    pub fn contexts(&self) -> &[String] {
        &self.claims.contexts
    }

    /// Gives it back; what the operator should know of it, if anything.
    pub async fn release(self) -> Option<String> {
        self.renewal.abort();
        // Where this fails the lock ends by itself.
        let _ = timeout(RELEASE_TIMEOUT, self.claims.release()).await;
        let why = self.lost.get()?;
        Some(format!("the run was stopped: its lock {why}"))
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
    // A guard that was asked for and cannot see must not let everything through.
    let asked = matches!(locking, Locking::Wait(_));
    if asked || failure.kind == FailureKind::CacheUnreachable {
        return Err(failure.into());
    }
    Ok(Taken::NotPossible(format!(
        "no lock could be taken, another run may write at the same time: {}",
        failure.why
    )))
}

/// The keys that stand for a run's right to write.
#[derive(Clone)]
struct Claims {
    cache: Arc<dyn Cache>,
    contexts: Vec<String>,
    /// In one order for everybody: of two runs that want the same, one gets all.
    keys: Vec<String>,
    value: String,
}

impl Claims {
    fn new(coordinator: &Coordinator, cache: &Arc<dyn Cache>, info: &RunInfo) -> Self {
        let contexts: BTreeSet<String> = coordinator
            .strategies()
            .iter()
            .map(|strategy| strategy.spec().id.context.clone())
            .collect();
        let prefix = &coordinator.options().prefix;
        Self {
            cache: Arc::clone(cache),
            keys: contexts
                .iter()
                .map(|context| format!("{prefix}{OWN}lock:{context}"))
                .collect(),
            contexts: contexts.into_iter().collect(),
            value: serde_json::to_string(&Holder::new(info)).unwrap_or_default(),
        }
    }

    /// Claims all keys; `Some`: who has one of them.
    async fn take(&self) -> Result<Option<Holder>, Failure> {
        for (i, key) in self.keys.iter().enumerate() {
            let claimed = self
                .cache
                .claim(key.as_bytes(), self.value.as_bytes(), TTL)
                .await;
            if matches!(claimed, Ok(None)) {
                continue;
            }
            self.give_back(&self.keys[..i]).await;
            let holder = |value: Vec<u8>| serde_json::from_slice(&value).unwrap_or_default();
            return claimed.map(|value| value.map(holder));
        }
        Ok(None)
    }

    /// Renews all keys again and again; returns why that ended.
    async fn renew(&self, since: Instant) -> String {
        let mut ends = since + TTL - MARGIN;
        loop {
            sleep(RENEW_EVERY.min(ends.saturating_duration_since(Instant::now()))).await;
            let asked = Instant::now();
            match timeout_at(ends, self.renew_once()).await {
                Ok(Ok(true)) => ends = asked + TTL - MARGIN,
                Ok(Ok(false)) => return "was taken by another run, or deleted".to_owned(),
                Ok(Err(_)) if Instant::now() < ends => sleep(ASK_EVERY * 4).await,
                Ok(Err(failure)) => return format!("could not be renewed: {}", failure.why),
                Err(_) => return "could not be renewed: no answer in time".to_owned(),
            }
        }
    }

    async fn renew_once(&self) -> Result<bool, Failure> {
        for key in &self.keys {
            let (key, value) = (key.as_bytes(), self.value.as_bytes());
            if !self.cache.renew(key, value, TTL).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn release(&self) {
        self.give_back(&self.keys).await;
    }

    async fn give_back(&self, keys: &[String]) {
        for key in keys {
            let (key, value) = (key.as_bytes(), self.value.as_bytes());
            // Where this fails the claim ends by itself.
            let _ = self.cache.release(key, value).await;
        }
    }
}
