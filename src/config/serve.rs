//! Settings of `serve`: address, access, readiness.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction::{self, SetTrue};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum, ValueHint};
use serde::{Deserialize, Serialize};

use crate::application::settings::group::settings;
use crate::application::settings::values::choice;
use crate::application::settings::{Names, Span};

settings! {
    /// The settings of `serve`.
    #[derive(Args)]
    #[command(next_help_heading = "Serving")]
    pub struct ServeSettings {
        /// Address to listen on; needs a token if other machines can reach it
        #[arg(long, value_name = "ADDRESS", env = "SHOPWARM_LISTEN")]
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787),
        /// File with the token that clients must send
        ///
        /// SHOPWARM_TOKEN is the token itself.
        #[arg(long, value_name = "FILE", env = "SHOPWARM_TOKEN_FILE", value_hint = ValueHint::FilePath)]
        token_file: PathBuf,
        /// A host name that clients may use, besides localhost and IP addresses; `*` allows any
        #[arg(long, value_name = "HOST", env = "SHOPWARM_ALLOWED_HOST", value_delimiter = ',')]
        allowed_host: Vec<String> = Vec::new(),
        /// When /readyz reports ready
        #[arg(long, value_name = "WHEN", env = "SHOPWARM_READY_AFTER")]
        ready_after: ReadyAfter = ReadyAfter::Start,
        /// What to warm at the start: `all`, contexts or CONTEXT/NAME
        #[arg(long, value_name = "NAME", env = "SHOPWARM_ON_START", action = ArgAction::Append)]
        on_start: Names = Names(Vec::new()),
        /// How long runs may take to finish when the server is stopped
        #[arg(long, value_name = "DURATION", env = "SHOPWARM_GRACE")]
        grace: Span = Span(Duration::from_secs(25)),
        /// Also warm portions of runs that other processes started with --workers
        #[arg(long, env = "SHOPWARM_WORKER", action = SetTrue, value_parser = FalseyValueParser::new())]
        worker: bool = false,
    }
}

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
    /// Whether other machines can reach the server.
    pub fn is_public(&self) -> bool {
        !self.listen().ip().is_loopback()
    }
}
