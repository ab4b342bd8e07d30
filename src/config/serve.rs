//! What `serve` alone needs: where it listens, who may ask, when it is ready.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};
use serde::{Deserialize, Serialize};

use crate::application::settings::group::settings;
use crate::application::settings::values::choice;
use crate::application::settings::{Names, Span};

settings! {
    /// What `serve` is told.
    #[derive(Args)]
    #[command(next_help_heading = "Serving")]
    pub struct ServeSettings {
        /// Where to listen; beyond this machine only with a token
        #[arg(long, value_name = "ADDRESS", env = "SHOPWARM_LISTEN")]
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787),
        /// A file that holds the token which clients must have [env: SHOPWARM_TOKEN: the token itself]
        #[arg(long, value_name = "FILE", env = "SHOPWARM_TOKEN_FILE", value_hint = ValueHint::FilePath)]
        token_file: PathBuf,
        /// A name that clients may call this server by, next to localhost and addresses; `*`: any
        #[arg(long, value_name = "HOST", env = "SHOPWARM_ALLOWED_HOST", value_delimiter = ',')]
        allowed_host: Vec<String> = Vec::new(),
        /// When /readyz says so
        #[arg(long, value_name = "WHEN", env = "SHOPWARM_READY_AFTER")]
        ready_after: ReadyAfter = ReadyAfter::Start,
        /// Warm this when it starts: all, or names of contexts and CONTEXT/NAME
        #[arg(long, value_name = "WHAT", env = "SHOPWARM_ON_START", action = ArgAction::Append)]
        on_start: Names = Names(Vec::new()),
        /// How long runs may take to finish when it is told to end
        #[arg(long, value_name = "DURATION", env = "SHOPWARM_GRACE")]
        grace: Span = Span(Duration::from_secs(25)),
    }
}

/// When a server counts as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyAfter {
    /// As soon as it listens
    Start,
    /// After its first complete run
    FirstRun,
}

choice!(ReadyAfter);

impl ServeSettings {
    /// Whether others than this machine can ask.
    pub fn is_public(&self) -> bool {
        !self.listen().ip().is_loopback()
    }
}
