//! How sessions are opened, besides the URL.

use std::time::Duration;

use crate::application::ports::FreshUrl;
use crate::domain::session_zone::SessionZone;

/// Timeout for connecting to a server.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct SessionOptions {
    pub statement_timeout: Duration,
    pub zone: SessionZone,
    /// Gives the URL again, if its password may change.
    pub fresh_url: Option<FreshUrl>,
}
