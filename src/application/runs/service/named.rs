//! Requests that name themselves: the same request again leads to the same run, also on another
//! server.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::connect::Store;
use crate::application::runs::live::LiveRun;
use crate::domain::failure::Failure;
use crate::domain::namespace;

/// How long a request stays the same one.
const SAME_REQUEST: Duration = Duration::from_hours(24);

/// How often the name is renewed while its run goes on, and how long it lasts: where the process
/// dies the same request may start again.
const RENEW_EVERY: Duration = Duration::from_secs(20);
const RENEW_FOR: Duration = Duration::from_mins(1);

/// What a request that names itself leads to.
pub enum Started {
    /// A new run.
    New(Arc<LiveRun>),
    /// The run that the same request led to before.
    Before(String),
    /// Another request used the name.
    Other,
}

/// A request's name, taken in the cache.
pub(super) struct NamedRequest {
    store: Store,
    key: String,
    request: Request,
}

#[derive(Serialize, Deserialize)]
struct Request {
    run_id: String,
    /// A digest of what was asked.
    asked: String,
}

impl NamedRequest {
    /// Takes the name; where it is taken, what it leads to.
    pub(super) async fn take(
        store: Store,
        name: &str,
        run_id: String,
        asked: String,
    ) -> Result<Result<Self, Started>, Failure> {
        let named = Self {
            key: namespace::request(&store.prefix, name),
            request: Request { run_id, asked },
            store,
        };
        let (key, value) = ([named.key.as_bytes()], named.value());
        let claim = named.store.cache.meta().claim(&key, value.as_bytes(), RENEW_FOR);
        Ok(match claim.await? {
            None => Ok(named),
            Some(taken) => Err(match serde_json::from_slice::<Request>(&taken.value) {
                Ok(before) if before.asked == named.request.asked => Started::Before(before.run_id),
                _ => Started::Other,
            }),
        })
    }

    fn value(&self) -> String {
        serde_json::to_string(&self.request).unwrap_or_default()
    }

    /// It led to nothing: asked again, it is a new one. What fails here ends by itself.
    pub(super) async fn release(&self) {
        let (key, value) = (self.key.as_bytes(), self.value());
        let _ = self.store.cache.meta().release(&[key], value.as_bytes()).await;
    }

    /// Renews the name while the run goes on, and once for [`SAME_REQUEST`] after it.
    pub(super) async fn renew(self, run: Arc<LiveRun>) {
        let (key, value) = ([self.key.as_bytes()], self.value());
        let renew = |time| self.store.cache.meta().renew(&key, value.as_bytes(), time);
        while timeout(RENEW_EVERY, run.end()).await.is_err() {
            // A renewal that fails is tried again before the name ends.
            let _ = renew(RENEW_FOR).await;
        }
        let _ = renew(SAME_REQUEST).await;
    }
}
