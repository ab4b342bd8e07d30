//! URLs with passwords that change while the tool runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::domain::failure::Failure;
use crate::domain::redaction;

/// How old an answer may be when a connection is opened. Passwords live for minutes at least.
const MAX_AGE: Duration = Duration::from_mins(1);

/// How old an answer must be before another is asked for, however often a server refuses it.
const MIN_AGE: Duration = Duration::from_secs(1);

type Ask = Arc<dyn Fn() -> Result<String, Failure> + Send + Sync>;

/// A URL that a file or a command gives, and may give with another password later.
#[derive(Clone)]
pub struct FreshUrl {
    ask: Ask,
    last: Arc<Mutex<Last>>,
}

struct Last {
    url: String,
    at: Instant,
}

impl FreshUrl {
    /// `url`: what was given now.
    pub fn new(url: String, ask: Ask) -> Self {
        Self { ask, last: Arc::new(Mutex::new(Last { url, at: Instant::now() })) }
    }

    /// The URL to connect with: asked for again if the last answer is old. If that fails, the last one
    /// may still be good.
    pub async fn get(&self) -> String {
        self.asked(|last| last.at.elapsed() >= MAX_AGE).await.unwrap_or_default()
    }

    /// The URL to use instead of one that was refused; `None`: there is no other.
    pub async fn other_than(&self, refused: &str) -> Option<String> {
        let used = refused.to_owned();
        let is_due = move |last: &Last| last.url == used;
        self.asked(is_due).await.filter(|url| url != refused)
    }

    /// In a task, as whoever waits may give up: the answer is of use to the next.
    async fn asked(&self, is_due: impl Fn(&Last) -> bool + Send + 'static) -> Option<String> {
        let Self { ask, last } = self.clone();
        let asking = tokio::spawn(async move {
            let mut last = last.lock().await;
            if is_due(&last) {
                sleep(MIN_AGE.saturating_sub(last.at.elapsed())).await;
                let given = spawn_blocking(move || ask()).await;
                last.at = Instant::now();
                match given {
                    Ok(Ok(url)) if is_same_but_for_user(&last.url, &url) => last.url = url,
                    Ok(Ok(_)) => tracing::warn!(
                        "a URL names another server or database now, and is not used: begin another \
                         run, or reload `serve`"
                    ),
                    Ok(Err(failure)) => tracing::warn!(%failure, "a URL could not be read again"),
                    Err(_) => {}
                }
            }
            last.url.clone()
        });
        asking.await.ok()
    }
}

/// Whether two URLs differ in user and password at most.
fn is_same_but_for_user(one: &str, other: &str) -> bool {
    let without_user = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let hosts = rest[..end].rfind('@').map_or(0, |at| at + 1);
        Some((scheme.to_owned(), rest[hosts..].to_owned()))
    };
    let of_other = without_user(other).filter(|_| !redaction::is_ambiguous(other));
    of_other.is_some() && without_user(one) == of_other
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::failure::FailureKind;

    /// Gives these answers, and then none.
    fn given(answers: &'static [&'static str]) -> (FreshUrl, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        let ask = move || match answers.get(counts.fetch_add(1, Ordering::Relaxed)) {
            Some(url) => Ok((*url).to_owned()),
            None => Err(Failure::new(FailureKind::Config, "no URL", "the command failed")),
        };
        (FreshUrl::new("db://u:1@h/d".to_owned(), Arc::new(ask)), asked)
    }

    async fn age(url: &FreshUrl, by: Duration) {
        url.last.lock().await.at = Instant::now().checked_sub(by).expect("some time ago");
    }

    #[tokio::test]
    async fn a_refused_url_is_asked_for_once() {
        let (url, asked) = given(&["db://u:2@h/d"]);
        for _ in 0..2 {
            // The second time somebody else has asked already.
            assert_eq!(url.other_than("db://u:1@h/d").await.as_deref(), Some("db://u:2@h/d"));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(url.other_than("db://u:2@h/d").await, None, "there is no other");
    }

    #[tokio::test]
    async fn an_old_answer_is_asked_for_again_and_kept_if_there_is_no_other() {
        let (url, _) = given(&["db://u:2@h/d", "db://u:3@other/d", "db://u:12/3@h/d"]);
        for _ in 0..4 {
            age(&url, MAX_AGE).await;
            assert_eq!(url.get().await, "db://u:2@h/d");
        }
    }
}
