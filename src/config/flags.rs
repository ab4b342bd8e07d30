//! The flags that commands share, each with its environment variable.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::application::schedule::parse_zone;
use crate::domain::amount::Amount;
use crate::domain::report::Percent;
use crate::domain::settings_text::parse_ttl;

/// Where rows come from and entries go; on every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connections and files")]
pub struct ConnectionFlags {
    /// The shop's database: postgres://, mysql://, mariadb:// or sqlite:FILE
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub database_url: Option<String>,
    /// A file that holds the database URL
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_DATABASE_URL_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub database_url_file: Option<PathBuf>,
    /// A command that prints the database URL; run by sh, within 10 s
    #[arg(long, global = true, value_name = "COMMAND", env = "SHOPWARM_DATABASE_URL_COMMAND", hide_env_values = true, value_hint = ValueHint::CommandString)]
    pub database_url_command: Option<String>,
    /// The database's primary, where --database-url is a copy of it: what was written is compared with this one
    #[arg(long, global = true, value_name = "URL", env = "SHOPWARM_PRIMARY_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub primary_url: Option<String>,
    /// A file that holds the primary's URL
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_PRIMARY_URL_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub primary_url_file: Option<PathBuf>,
    /// A command that prints the primary's URL; run by sh, within 10 s
    #[arg(long, global = true, value_name = "COMMAND", env = "SHOPWARM_PRIMARY_URL_COMMAND", hide_env_values = true, value_hint = ValueHint::CommandString)]
    pub primary_url_command: Option<String>,
    /// The cache: redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:FILE [env: REDIS_URL too]
    #[arg(long, visible_alias = "redis-url", global = true, value_name = "URL", env = "CACHE_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub cache_url: Option<String>,
    /// A file that holds the cache URL
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_CACHE_URL_FILE", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub cache_url_file: Option<PathBuf>,
    /// A command that prints the cache URL; run by sh, within 10 s
    #[arg(long, global = true, value_name = "COMMAND", env = "SHOPWARM_CACHE_URL_COMMAND", hide_env_values = true, value_hint = ValueHint::CommandString)]
    pub cache_url_command: Option<String>,
    /// The authority that a Redis with TLS is trusted by, in PEM form [default: the system's]
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_CACHE_CA", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub cache_ca: Option<PathBuf>,
    /// Your certificate, for a Redis that wants one, in PEM form
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_CACHE_CERT", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub cache_cert: Option<PathBuf>,
    /// The key to that certificate, in PEM form
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_CACHE_KEY", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub cache_key: Option<PathBuf>,
    /// Stands before every key
    #[arg(
        long,
        global = true,
        value_name = "TEXT",
        env = "SHOPWARM_PREFIX",
        hide_env_values = true
    )]
    pub prefix: Option<String>,
    /// Definitions of your own, a file or a folder of them; can be given several times
    #[arg(long, global = true, value_name = "PATH", env = "SHOPWARM_CONTEXTS", hide_env_values = true, value_delimiter = ',', value_hint = ValueHint::AnyPath)]
    pub contexts: Vec<PathBuf>,
    /// The configuration file [default: ./shopwarm.toml where it exists]
    #[arg(long, global = true, value_name = "FILE", env = "SHOPWARM_CONFIG", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Use a sample shop and an embedded cache, both made on first use; needs no server
    #[arg(long, global = true, env = "SHOPWARM_DEMO", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub demo: bool,
    /// Where the sample shop is kept [default: your cache directory]
    #[arg(long, global = true, value_name = "DIR", env = "SHOPWARM_DEMO_DIR", hide_env_values = true, value_hint = ValueHint::DirPath)]
    pub demo_dir: Option<PathBuf>,
}

/// What is read of the shop, and how.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The run")]
pub struct ReadFlags {
    /// Batches in flight [default: 20]
    #[arg(long, value_name = "N", env = "SHOPWARM_CONCURRENCY", hide_env_values = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub concurrency: Option<u32>,
    /// Keys a batch [default: 500]
    #[arg(long, value_name = "KEYS", env = "SHOPWARM_BATCH_SIZE", hide_env_values = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch_size: Option<u32>,
    /// Strategies read from the database at the same time, 1 to 16 [default: 1]
    #[arg(long, value_name = "N", env = "SHOPWARM_DB_CONCURRENCY", hide_env_values = true, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub db_concurrency: Option<u32>,
    /// The time to live where a definition has none [default: 1h]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_DEFAULT_TTL", hide_env_values = true, value_parser = parse_ttl)]
    pub default_ttl: Option<Duration>,
    /// Spread times to live over the last part of this size; 0 is off [default: 10%]
    #[arg(
        long,
        value_name = "PERCENT",
        env = "SHOPWARM_TTL_JITTER",
        hide_env_values = true
    )]
    pub ttl_jitter: Option<Percent>,
    /// Only strategies with this tag; can be given several times
    #[arg(
        long,
        value_name = "TAG",
        env = "SHOPWARM_TAG",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub tag: Vec<String>,
    /// Leave this context or strategy out; can be given several times
    #[arg(
        long,
        value_name = "NAME",
        env = "SHOPWARM_EXCLUDE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub exclude: Vec<String>,
    /// At most so many keys of each strategy
    #[arg(long, value_name = "N", env = "SHOPWARM_LIMIT", hide_env_values = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Warm nothing where one definition is invalid or does not fit the database; else that costs its strategy
    #[arg(long, env = "SHOPWARM_STRICT", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub strict: bool,
    /// Nothing to warm is no failure
    #[arg(long, env = "SHOPWARM_ALLOW_EMPTY", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub allow_empty: bool,
    /// End the run after this time, and exit 9
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_DEADLINE", hide_env_values = true, value_parser = parse_ttl)]
    pub deadline: Option<Duration>,
    /// Wait this long for servers that do not answer yet, such as ones that are still starting
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_WAIT", hide_env_values = true, value_parser = parse_ttl)]
    pub wait: Option<Duration>,
    /// The longest to wait for the database, for an answer or its next rows [default: 5m]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_STATEMENT_TIMEOUT", hide_env_values = true, value_parser = parse_ttl)]
    pub statement_timeout: Option<Duration>,
}

/// How a run is done.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The run")]
pub struct RunFlags {
    #[command(flatten)]
    pub read: ReadFlags,
    /// What happens to keys that are there already [default: refresh]
    #[arg(long, env = "SHOPWARM_MODE", hide_env_values = true)]
    pub mode: Option<ModeName>,
    /// Send no value again that is there already, where comparing digests is cheaper; its time begins anew
    #[arg(long, env = "SHOPWARM_SKIP_IDENTICAL", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub skip_identical: bool,
    /// Read only what changed since the last complete run, and keep alive what has not
    #[arg(long, env = "SHOPWARM_CHANGED", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub changed: bool,
    /// With --changed: read everything where that was so long ago [default: 24h]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_FULL_EVERY", hide_env_values = true, value_parser = parse_ttl)]
    pub full_every: Option<Duration>,
    /// With --changed: read again what changed so long before the last run [default: 5m]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_CHANGED_OVERLAP", hide_env_values = true, value_parser = parse_overlap)]
    pub changed_overlap: Option<Duration>,
    /// End the run when a strategy fails
    #[arg(long, env = "SHOPWARM_STOP_ON_ERROR", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub stop_on_error: bool,
    /// Exit 0 where at least this share of the keys did not fail; a failed strategy still fails
    #[arg(
        long,
        value_name = "PERCENT",
        env = "SHOPWARM_FAIL_UNDER",
        hide_env_values = true
    )]
    pub fail_under: Option<Percent>,
    /// Fail a strategy that has shrunk by more than this since its last complete run
    #[arg(
        long,
        value_name = "PERCENT",
        env = "SHOPWARM_MAX_SHRINK",
        hide_env_values = true
    )]
    pub max_shrink: Option<Percent>,
    /// Do not read versions again after writing: what changes meanwhile may stay stale
    #[arg(long, env = "SHOPWARM_NO_VERIFY_WRITES", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub no_verify_writes: bool,
    /// What to do when the cache evicts keys while it is written [default: warn]
    #[arg(long, env = "SHOPWARM_ON_EVICTION", hide_env_values = true)]
    pub on_eviction: Option<OnEvictionName>,
    /// Write so many keys a second at most, evenly, such as 500 or 20k
    #[arg(
        long,
        value_name = "KEYS/S",
        env = "SHOPWARM_RATE",
        hide_env_values = true
    )]
    pub rate: Option<Amount>,
    /// Write so many bytes a second at most, such as 5MiB
    #[arg(
        long,
        value_name = "BYTES/S",
        env = "SHOPWARM_MAX_BYTES_RATE",
        hide_env_values = true
    )]
    pub max_bytes_rate: Option<Amount>,
    /// Write no faster than database and cache bear: watch both, slow down and recover
    #[arg(long, env = "SHOPWARM_GENTLE", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub gentle: bool,
    /// Gentle: how long the cache's clients may wait [default: 1ms more than before the run, or twice that]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_MAX_CACHE_LATENCY", hide_env_values = true, value_parser = parse_latency)]
    pub max_cache_latency: Option<Duration>,
    /// Gentle: how long the database's clients may wait [default: 10ms more than before the run, or thrice that]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_MAX_DB_LATENCY", hide_env_values = true, value_parser = parse_latency)]
    pub max_db_latency: Option<Duration>,
    /// What to do when readers of the cache would see other fields or types [default: warn]
    #[arg(long, env = "SHOPWARM_SHAPE", hide_env_values = true)]
    pub shape: Option<ShapeName>,
}

/// A duration that may be none.
pub(super) fn parse_overlap(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(overlap) if overlap.is_zero() => Ok(overlap),
        _ => parse_ttl(text),
    }
}

/// How long somebody may wait.
pub(super) fn parse_latency(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time from 10us to 1min, such as 2ms or 500us");
    let latency = humantime::parse_duration(text).map_err(|_| wrong())?;
    let range = Duration::from_micros(10)..=Duration::from_secs(60);
    range
        .contains(&latency)
        .then_some(latency)
        .ok_or_else(wrong)
}

/// When jobs run.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The schedule")]
pub struct ScheduleFlags {
    /// The time zone of jobs that name none, such as Europe/Berlin [default: the system's, else UTC]
    #[arg(long, value_name = "NAME", env = "SHOPWARM_TIMEZONE", hide_env_values = true, value_parser = parse_zone)]
    pub timezone: Option<TimeZone>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeName {
    /// Write over them
    Refresh,
    /// Leave them as they are
    OnlyMissing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnEvictionName {
    /// End the run
    Stop,
    /// Say it and go on
    Warn,
    /// Do not look at evictions
    Ignore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShapeName {
    /// Say it and go on
    Warn,
    /// Fail the strategy before it writes
    Fail,
    /// Do not look
    Off,
}
