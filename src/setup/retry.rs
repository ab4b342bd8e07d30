//! Retries while servers are starting.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::application::ports::Cache;
use crate::domain::backoff::Backoff;
use crate::domain::failure::Failure;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A key to read, to see whether the cache answers.
const ANY_KEY: &[u8] = b"shopwarm:is-there-anybody";

/// For who does not wait: it may be asleep, or not up yet.
const ASLEEP: &str = "use --wait 30s if it is still starting or asleep";

/// Retries for up to `wait` while a server does not answer or is still starting; `tell` gets each
/// new reason. A refusal is not retried, since that could lock the user out.
///
/// # Errors
/// The last attempt's error.
pub async fn with_retries<T, F>(
    wait: Option<Duration>,
    mut tell: impl FnMut(&Failure),
    mut attempt: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let until = Instant::now() + wait.unwrap_or_default();
    let mut backoff = Backoff::new(FIRST_PAUSE, MAX_PAUSE);
    let mut told = None;
    loop {
        let failure = match attempt().await {
            Err(failure) if failure.may_pass() => failure,
            done => return done,
        };
        if wait.is_none() {
            return Err(may_be_asleep(failure));
        }
        let left = until.saturating_duration_since(Instant::now());
        let Some(wait) = wait.filter(|_| !left.is_zero()) else {
            return Err(failure);
        };
        if told.as_ref() != Some(&failure.to_string()) {
            tell(&failure);
            told = Some(failure.to_string());
        }
        sleep(backoff.pause().min(wait).min(left)).await;
    }
}

fn may_be_asleep(failure: Failure) -> Failure {
    let hint = match &failure.hint {
        Some(hint) => format!("{hint}; {ASLEEP}"),
        None => ASLEEP.to_owned(),
    };
    failure.hint(hint)
}

/// A cache that accepts connections may still be loading its data.
///
/// # Errors
/// It does not answer commands yet.
pub(super) async fn answers(cache: &dyn Cache) -> Result<(), Failure> {
    match cache.read(ANY_KEY).await {
        Err(failure) if failure.may_pass() => Err(failure),
        // A user who may not read this key may still write others.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::domain::failure::FailureKind;

    /// Number of attempts, and the result.
    async fn tried(wait: Option<u64>, kind: FailureKind) -> (u32, Result<(), Failure>) {
        let attempts = Cell::new(0);
        let done = with_retries(
            wait.map(Duration::from_secs),
            |_| {},
            async || {
                attempts.set(attempts.get() + 1);
                match attempts.get() {
                    3 => Ok(()),
                    _ => Err(Failure::new(kind, "it does not work", "")),
                }
            },
        );
        let done = done.await;
        (attempts.get(), done)
    }

    #[tokio::test]
    async fn only_silence_is_waited_for_and_only_where_that_is_asked_for() {
        let (attempts, done) = tried(Some(60), FailureKind::CacheUnreachable).await;
        assert_eq!((attempts, done), (3, Ok(())));
        for (wait, kind) in [
            (None, FailureKind::CacheUnreachable),
            (Some(60), FailureKind::CacheDenied),
            (Some(60), FailureKind::SourceDenied),
            (Some(60), FailureKind::Config),
        ] {
            let (attempts, done) = tried(wait, kind).await;
            assert_eq!(attempts, 1, "{kind:?}");
            let hint = done.expect_err("a failure").hint;
            assert_eq!(hint.is_some_and(|hint| hint.contains("--wait")), wait.is_none());
        }
    }
}
