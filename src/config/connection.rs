//! The database and the cache; on every command.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::sample::Demo;
use super::secret::Secret;
use crate::application::settings::Span;
use crate::application::settings::group::settings;
use crate::domain::session_zone::SessionZone;

settings! {
    /// The database and the cache.
    #[derive(Args)]
    #[command(next_help_heading = "Connections and files")]
    pub struct ConnectionSettings {
        /// The database: postgres://, mysql:// or sqlite:FILE
        ///
        /// mariadb:// is the same as mysql://.
        #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", value_hint = ValueHint::Url)]
        database_url: Secret,
        /// File with the database URL
        #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_DATABASE_URL_FILE", value_hint = ValueHint::FilePath)]
        database_url_file: PathBuf,
        /// Shell command that prints the database URL within 10 s
        #[arg(long, global = true, hide_short_help = true, value_name = "COMMAND", env = "SHOPWARM_DATABASE_URL_COMMAND", value_hint = ValueHint::CommandString)]
        database_url_command: Secret,
        /// The primary, if --database-url is a replica; row versions are checked there after writing
        #[arg(long, global = true, hide_short_help = true, value_name = "URL", env = "SHOPWARM_PRIMARY_URL", value_hint = ValueHint::Url)]
        primary_url: Secret,
        /// File with the primary's URL
        #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_PRIMARY_URL_FILE", value_hint = ValueHint::FilePath)]
        primary_url_file: PathBuf,
        /// Shell command that prints the primary's URL within 10 s
        #[arg(long, global = true, hide_short_help = true, value_name = "COMMAND", env = "SHOPWARM_PRIMARY_URL_COMMAND", value_hint = ValueHint::CommandString)]
        primary_url_command: Secret,
        /// The cache: redis://, rediss:// or sqlite:FILE
        ///
        /// Also redis+cluster://, redis+sentinel:// and redis+unix://. --redis-url and REDIS_URL mean the same.
        #[arg(long, alias = "redis-url", global = true, value_name = "URL", env = "CACHE_URL", value_hint = ValueHint::Url)]
        cache_url: Secret,
        /// File with the cache URL
        #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_CACHE_URL_FILE", value_hint = ValueHint::FilePath)]
        cache_url_file: PathBuf,
        /// Shell command that prints the cache URL within 10 s
        #[arg(long, global = true, hide_short_help = true, value_name = "COMMAND", env = "SHOPWARM_CACHE_URL_COMMAND", value_hint = ValueHint::CommandString)]
        cache_url_command: Secret,
        /// CA certificate (PEM) to verify the Redis server with [default: the system's]
        #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_CACHE_CA", value_hint = ValueHint::FilePath)]
        cache_ca: PathBuf,
        /// Client certificate (PEM), for a Redis server that requires one
        #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_CACHE_CERT", value_hint = ValueHint::FilePath)]
        cache_cert: PathBuf,
        /// Private key (PEM) of the client certificate
        #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_CACHE_KEY", value_hint = ValueHint::FilePath)]
        cache_key: PathBuf,
        /// Where a node is reached that a cluster or sentinels announce elsewhere; repeatable
        #[arg(long, global = true, hide_short_help = true, value_name = "ANNOUNCED=REACHABLE", env = "SHOPWARM_CACHE_NODE", value_delimiter = ',')]
        cache_node: Vec<String> = Vec::new(),
        /// How long to wait while the cache fails over [default: 60s if the server has become a replica, 15s if it does not answer]
        #[arg(long, global = true, hide_short_help = true, value_name = "DURATION", env = "SHOPWARM_FAILOVER_TIMEOUT")]
        failover_timeout: Span,
        /// Time zone of database sessions (for NOW(), CURDATE() in definitions)
        #[arg(long, global = true, hide_short_help = true, allow_hyphen_values = true, value_name = "ZONE", env = "SHOPWARM_SESSION_TIMEZONE")]
        session_timezone: SessionZone = SessionZone::default(),
        /// Prefix for every key
        #[arg(long, global = true, hide_short_help = true, value_name = "TEXT", env = "SHOPWARM_PREFIX")]
        prefix: String = String::new(),
        /// Your own definitions, a file or a folder; repeatable
        #[arg(long, global = true, hide_short_help = true, value_name = "PATH", env = "SHOPWARM_CONTEXTS", value_delimiter = ',', value_hint = ValueHint::AnyPath)]
        contexts: Vec<PathBuf> = Vec::new(),
    }
}

/// Settings that no file can contain.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections and files")]
pub struct PlaceArgs {
    /// Configuration file [default: ./shopwarm.toml]
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", env = "SHOPWARM_CONFIG", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Use a sample shop and cache; needs no server
    ///
    /// Both are made on first use. With a value: a shop with known problems, recreated after 10 minutes.
    /// ./shopwarm.toml is not read, unless --config names it.
    #[arg(long, global = true, hide_short_help = true, value_name = "SHOP", env = "SHOPWARM_DEMO", num_args = 0..=1, require_equals = true, default_missing_value = "shop", ignore_case = true)]
    demo: Option<Demo>,
    /// Folder of the sample shop [default: your cache directory]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR", env = "SHOPWARM_DEMO_DIR", value_hint = ValueHint::DirPath)]
    demo_dir: Option<PathBuf>,
}
