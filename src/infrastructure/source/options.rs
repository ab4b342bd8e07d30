//! How sessions are opened, besides the URL.

use std::time::Duration;

use crate::domain::session_zone::SessionZone;

#[derive(Clone, Debug)]
pub struct SessionOptions {
    pub statement_timeout: Duration,
    pub zone: SessionZone,
}
