//! Who we are at the servers: user and password of the cache URL, which may change.

use std::sync::{Arc, Mutex as StdMutex};

use redis::{ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError};

use super::address::Address;
use crate::application::ports::FreshUrl;
use crate::domain::sync::lock;
use crate::infrastructure::cache::url::ConnectOptions;

/// Shared by all servers with the same credentials.
#[derive(Clone, Default)]
pub(super) struct SignIn(Option<Arc<Shared>>);

struct Shared {
    url: FreshUrl,
    last: StdMutex<Last>,
}

/// A URL, and what it says about us; `None`: nothing new.
#[derive(Default)]
struct Last {
    url: String,
    settings: Option<RedisConnectionInfo>,
}

impl SignIn {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        let shared = |url| Arc::new(Shared { url, last: StdMutex::default() });
        Self(options.fresh_url.clone().map(shared))
    }

    /// How to connect with a server now, and the URL that says so.
    pub(super) async fn current(&self, info: &ConnectionInfo) -> (ConnectionInfo, String) {
        match &self.0 {
            None => (info.clone(), String::new()),
            Some(shared) => {
                let url = shared.url.get().await;
                (shared.signed_in(info, &url), url)
            }
        }
    }

    /// The same after what this URL says was refused; `None`: there is no other password.
    pub(super) async fn after(
        &self,
        refusal: &RedisError,
        info: &ConnectionInfo,
        used: &str,
    ) -> Option<ConnectionInfo> {
        let shared = self.0.as_ref()?;
        let is_denied = refusal.kind() == ErrorKind::AuthenticationFailed
            || matches!(refusal.code(), Some("WRONGPASS" | "NOAUTH"));
        if !is_denied {
            return None;
        }
        let other = shared.url.other_than(used).await?;
        Some(shared.signed_in(info, &other))
    }
}

impl Shared {
    fn signed_in(&self, info: &ConnectionInfo, url: &str) -> ConnectionInfo {
        let mut last = lock(&self.last);
        if last.url != url {
            match Address::parse(url, &ConnectOptions::default()) {
                Ok(address) => last.settings = Some(address.settings().clone()),
                Err(failure) => tracing::warn!(%failure, "the new cache URL cannot be used"),
            }
            url.clone_into(&mut last.url);
        }
        let (user, password) = match &last.settings {
            Some(new) => (new.username(), new.password()),
            None => return info.clone(),
        };
        let mut settings = info.redis_settings().clone();
        if let Some(user) = user {
            settings = settings.set_username(user);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        info.clone().set_redis_settings(settings)
    }
}
