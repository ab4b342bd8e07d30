//! URLs with passwords that change while the tool runs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::domain::failure::Failure;

/// How old an answer may be when a connection is opened. Passwords live for minutes at least.
const MAX_AGE: Duration = Duration::from_mins(1);

type Ask = Arc<dyn Fn() -> Result<String, Failure> + Send + Sync>;

/// A URL that a file or a command gives, and may give with another password later.
pub struct FreshUrl {
    ask: Ask,
    last: Mutex<Last>,
}

struct Last {
    url: String,
    at: Instant,
}

impl FreshUrl {
    /// `url`: what was given now.
    pub fn new(url: String, ask: Ask) -> Self {
        Self { ask, last: Mutex::new(Last { url, at: Instant::now() }) }
    }

    /// The URL to connect with: asked for again if the last answer is old. If that fails, the last one
    /// may still be good.
    pub async fn get(&self) -> String {
        let mut last = self.last.lock().await;
        if last.at.elapsed() >= MAX_AGE {
            self.ask_again(&mut last).await;
        }
        last.url.clone()
    }

    /// Another URL than one that was refused; `None`: there is none.
    pub async fn other_than(&self, refused: &str) -> Option<String> {
        let mut last = self.last.lock().await;
        if last.url == refused {
            self.ask_again(&mut last).await;
        }
        (last.url != refused).then(|| last.url.clone())
    }

    async fn ask_again(&self, last: &mut Last) {
        let ask = Arc::clone(&self.ask);
        match spawn_blocking(move || ask()).await {
            Ok(Ok(url)) => last.url = url,
            Ok(Err(failure)) => tracing::warn!(%failure, "a URL could not be read again"),
            Err(_) => {}
        }
        last.at = Instant::now();
    }
}

impl fmt::Debug for FreshUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreshUrl")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::domain::failure::FailureKind;

    #[tokio::test]
    async fn a_refused_url_is_asked_for_once() {
        let asked = Arc::new(AtomicU32::new(0));
        let counts = Arc::clone(&asked);
        let ask = move || Ok(format!("url {}", counts.fetch_add(1, Ordering::Relaxed) / 2));
        let url = FreshUrl::new("url".to_owned(), Arc::new(ask));
        assert_eq!(url.get().await, "url");
        assert_eq!(url.other_than("url").await.as_deref(), Some("url 0"));
        // Somebody else has asked already.
        assert_eq!(url.other_than("url").await.as_deref(), Some("url 0"));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(url.other_than("url 0").await, None, "the same again");
        assert_eq!(url.get().await, "url 0");
    }

    #[tokio::test]
    async fn an_old_answer_is_asked_for_again_and_kept_if_there_is_no_other() {
        let failure = || Failure::new(FailureKind::Config, "no URL", "the command failed");
        let asked = AtomicU32::new(0);
        let ask = move || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Ok("another".to_owned()),
            _ => Err(failure()),
        };
        let url = FreshUrl::new("url".to_owned(), Arc::new(ask));
        for _ in 0..2 {
            let long_ago = Instant::now().checked_sub(MAX_AGE).expect("a minute ago");
            url.last.lock().await.at = long_ago;
            assert_eq!(url.get().await, "another");
        }
    }
}
