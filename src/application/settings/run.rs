//! The settings of a run.

use std::time::Duration;

use clap::ArgAction::{self, SetTrue};
use clap::builder::{FalseyValueParser, TypedValueParser as _};
use clap::{Args, Command};
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};

use super::group::{Group as _, settings};
use super::limits::{Count, RateLimit};
use super::values::{Latency, Span, SpanOrZero};
use super::variables::Variables;
use crate::application::pace::{GentleLimits, PaceLimits};
use crate::application::ports::Mode;
use crate::application::run_state::options::OnEviction;
use crate::application::run_state::options::ShapeGuard;
use crate::application::run_state::options::{ChangedOptions, LAST, Options};
use crate::domain::failure::FailureKind;
use crate::domain::percent::Percent;
use crate::domain::report::Gates;
use crate::domain::selection::Filter;
use crate::domain::strategy::DEFAULT_TTL;

/// Where help lists them.
pub const WARM: &str = "What to warm";
const SPEED: &str = "Speed and load";
pub const SAFETY: &str = "Safety";
const EXPIRY: &str = "Expiry";

settings! {
    /// How a run is done.
    #[derive(Args)]
    pub struct RunSettings {
        /// Only strategies with this tag; repeatable
        #[arg(long = "tag", value_name = "TAG", help_heading = WARM, env = "SHOPWARM_TAG", value_delimiter = ',')]
        tags: Vec<String> = Vec::new(),
        /// Leave out this context or CONTEXT/NAME; repeatable
        ///
        /// A name may have *, such as catalog/*.
        #[arg(long, value_name = "NAME", help_heading = WARM, env = "SHOPWARM_EXCLUDE", value_delimiter = ',')]
        exclude: Vec<String> = Vec::new(),
        /// Value for a variable of the definitions; repeatable
        #[arg(long = "var", value_name = "NAME=VALUE", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_VAR", value_delimiter = ',', action = ArgAction::Append)]
        vars: Variables = Variables::default(),
        /// Max keys per strategy
        #[arg(long, value_name = "N", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_LIMIT")]
        limit: Count<{ i64::MAX as u64 }>,
        /// What to do with keys that are already cached
        #[arg(long, value_name = "ACTION", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_MODE")]
        mode: Mode = Mode::Refresh,
        /// Read only rows changed since the last complete run
        ///
        /// The TTL of all other keys is refreshed.
        #[arg(long, help_heading = WARM, env = "SHOPWARM_CHANGED", action = SetTrue, value_parser = FalseyValueParser::new())]
        changed: bool = false,
        /// With --changed: do a full read at least this often
        // A full read notices rows that were deleted without a trace.
        #[arg(long, value_name = "DURATION", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_FULL_EVERY")]
        full_every: Span = Span(Duration::from_hours(24)),
        /// With --changed: also reread rows that changed up to this long before the last run
        // Longer than any transaction of a shop.
        #[arg(long, value_name = "DURATION", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_CHANGED_OVERLAP")]
        changed_overlap: SpanOrZero = SpanOrZero(Duration::from_mins(5)),
        /// Go on where the last run, or run RUN, was interrupted
        ///
        /// What it has finished counts as already there.
        #[arg(long, value_name = "RUN", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_RESUME", num_args = 0..=1, require_equals = true, default_missing_value = LAST)]
        resume: String,
        /// Refresh only the TTL of values that are already cached, if comparing digests is cheaper than sending them
        #[arg(long, help_heading = WARM, hide_short_help = true, env = "SHOPWARM_SKIP_IDENTICAL", action = SetTrue, value_parser = FalseyValueParser::new())]
        skip_identical: bool = false,
        /// Max keys per second, spread evenly, such as 500 or 20k
        #[arg(long, value_name = "KEYS/S", help_heading = SPEED, env = "SHOPWARM_RATE")]
        rate: RateLimit,
        /// Max bytes per second, such as 5MiB
        #[arg(long, value_name = "BYTES/S", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_MAX_BYTES_RATE")]
        max_bytes_rate: RateLimit,
        /// Slow down while the database or cache gets slower
        ///
        /// It speeds up again when they recover.
        #[arg(long, help_heading = SPEED, env = "SHOPWARM_GENTLE", action = SetTrue, value_parser = FalseyValueParser::new())]
        gentle: bool = false,
        /// With --gentle: max latency of the cache [default: its latency before the run plus 1ms, or twice that latency if that is more]
        #[arg(long, value_name = "DURATION", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_MAX_CACHE_LATENCY")]
        max_cache_latency: Latency,
        /// With --gentle: max latency of the database [default: its latency before the run plus 10ms, or three times that latency if that is more]
        #[arg(long, value_name = "DURATION", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_MAX_DB_LATENCY")]
        max_db_latency: Latency,
        /// Batches in flight
        #[arg(long, value_name = "N", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_CONCURRENCY")]
        concurrency: Count<1000> = Count::new(20),
        /// Keys per batch
        #[arg(long, value_name = "KEYS", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_BATCH_SIZE")]
        batch_size: Count<10_000> = Count::new(500),
        /// Strategies to read from the database at the same time, 1 to 16
        #[arg(long, value_name = "N", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_DB_CONCURRENCY")]
        db_concurrency: Count<16> = Count::new(1),
        /// Portions of a table to read at the same time, 1 to 4
        ///
        /// Only plain queries are read in portions. [default: 1; on PostgreSQL up to 4 while writing waits for reading]
        #[arg(long, value_name = "N", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_READERS")]
        readers: Count<4>,
        /// Leave reading and writing to about this many `shopwarm worker` processes, which you start
        ///
        /// They may run on other machines. --rate and --gentle hold for all of them together. A strategy fails if
        /// no worker takes a portion for a minute, or for --wait.
        #[arg(long, value_name = "N", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_WORKERS")]
        workers: Count<1000>,
        /// How long to wait for the database's next answer
        #[arg(long, value_name = "DURATION", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_STATEMENT_TIMEOUT")]
        statement_timeout: Span = Span(Duration::from_mins(5)),
        /// Wait up to this long for servers that are still starting
        #[arg(long, value_name = "DURATION", help_heading = SPEED, hide_short_help = true, env = "SHOPWARM_WAIT")]
        wait: Span,
        /// Stop the run after this time and exit 9
        #[arg(long, value_name = "DURATION", help_heading = SAFETY, env = "SHOPWARM_DEADLINE")]
        deadline: Span,
        /// Exit 0 if at least this share of keys succeeded
        ///
        /// A failed strategy still fails the run.
        #[arg(long, value_name = "PERCENT", help_heading = SAFETY, env = "SHOPWARM_FAIL_UNDER")]
        fail_under: Percent,
        /// Fail a strategy that shrinks by more than this
        ///
        /// Its number of keys is compared with that of its last complete run.
        #[arg(long, value_name = "PERCENT", help_heading = SAFETY, env = "SHOPWARM_MAX_SHRINK")]
        max_shrink: Percent,
        /// Exit 0 when there is nothing to warm
        #[arg(long, help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_ALLOW_EMPTY", action = SetTrue, value_parser = FalseyValueParser::new())]
        allow_empty: bool = false,
        /// Warm nothing if any definition is invalid or does not fit the database; without it only that strategy fails
        #[arg(long, help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_STRICT", action = SetTrue, value_parser = FalseyValueParser::new())]
        strict: bool = false,
        /// Stop the run when a strategy fails
        #[arg(long, help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_STOP_ON_ERROR", action = SetTrue, value_parser = FalseyValueParser::new())]
        stop_on_error: bool = false,
        /// What to do when a run would change the fields or types that readers of the cache see
        #[arg(long, value_name = "ACTION", help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_SHAPE")]
        shape: ShapeGuard = ShapeGuard::Warn,
        /// What to do when the cache evicts keys during the run
        #[arg(long, value_name = "ACTION", help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_ON_EVICTION")]
        on_eviction: OnEviction = OnEviction::Warn,
        /// Do not check row versions after writing; rows that change during the run may stay stale
        #[arg(long = "no-verify-writes", help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_NO_VERIFY_WRITES", action = SetTrue,
            value_parser = FalseyValueParser::new().map(|no| !no))]
        verify_writes: bool = true,
        /// TTL for definitions that do not set one
        #[arg(long, value_name = "DURATION", help_heading = EXPIRY, hide_short_help = true, env = "SHOPWARM_DEFAULT_TTL")]
        default_ttl: Span = Span(DEFAULT_TTL),
        /// Shorten each TTL by a random share of up to this much, so that keys do not expire together; 0 turns it off
        #[arg(long, value_name = "PERCENT", help_heading = EXPIRY, hide_short_help = true, env = "SHOPWARM_TTL_JITTER")]
        ttl_jitter: Percent = Percent::whole(10),
    }
}

/// The settings of commands that only read: what changes which rows are read, or what is expected of them.
pub const READING: [&str; 15] = [
    "tags",
    "exclude",
    "vars",
    "limit",
    "concurrency",
    "batch_size",
    "db_concurrency",
    "readers",
    "statement_timeout",
    "wait",
    "deadline",
    "allow_empty",
    "strict",
    "default_ttl",
    "ttl_jitter",
];

/// The settings of a worker.
pub const WORKING: [&str; 6] =
    ["vars", "rate", "max_bytes_rate", "concurrency", "statement_timeout", "wait"];

impl RunSettings {
    /// A latency threshold implies `gentle`.
    #[must_use]
    pub fn gentle_by_latency(mut self) -> Self {
        let has_limit = self.max_cache_latency.or(self.max_db_latency).is_some();
        self.gentle = self.gentle.or(has_limit.then_some(true));
        self
    }

    pub fn limit(&self) -> Option<u64> {
        self.limit.map(Count::get)
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.0)
    }

    /// How long to wait for servers that do not answer yet.
    pub fn wait(&self) -> Option<Duration> {
        self.wait.map(|wait| wait.0)
    }

    /// The engine's options.
    pub fn options(&self, prefix: &str) -> Options {
        let limit = |rate: Option<RateLimit>| rate.and_then(|rate| rate.0);
        Options {
            prefix: prefix.to_owned(),
            concurrency: self.concurrency().as_usize(),
            batch_size: self.batch_size().as_usize(),
            db_concurrency: self.db_concurrency().as_usize(),
            readers: self.readers.map(Count::as_usize),
            workers: self.workers.map(Count::get),
            wait: self.wait(),
            default_ttl: self.default_ttl().0,
            ttl_jitter: self.ttl_jitter().fraction(),
            mode: self.mode(),
            skip_identical: self.skip_identical(),
            limit: self.limit(),
            values: true,
            sample: None,
            lists_keys: false,
            verify_writes: self.verify_writes(),
            stop_on_error: self.stop_on_error(),
            gates: Gates { fail_under: self.fail_under, allow_empty: self.allow_empty() },
            max_shrink: self.max_shrink,
            shape: self.shape(),
            changed: ChangedOptions {
                on: self.changed(),
                full_every: self.full_every().0,
                overlap: self.changed_overlap().0,
            },
            resume: self.resume.clone().filter(|run| !run.is_empty()),
            on_eviction: self.on_eviction(),
            pace: PaceLimits {
                rate: limit(self.rate),
                bytes_rate: limit(self.max_bytes_rate),
                gentle: self.gentle(),
                gentle_limits: GentleLimits {
                    cache_latency: self.max_cache_latency.map(|latency| latency.0),
                    db_latency: self.max_db_latency.map(|latency| latency.0),
                },
            },
        }
    }

    /// The selected strategies. `exclude_kind`: the failure for an unknown name in `exclude`.
    pub fn filter(&self, exclude_kind: FailureKind) -> Filter {
        Filter { tags: self.tags(), exclude: self.exclude(), exclude_kind }
    }

    /// Adds them to the schema of an object, with the descriptions from `--help`.
    pub fn describe(object: ObjectBuilder) -> ObjectBuilder {
        let command = Self::augment_args(Command::new("run"));
        let help = |name: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == name);
            let help = arg.map(whole_help);
            match name {
                // The flag means the opposite.
                "verify_writes" => "Check row versions after writing".to_owned(),
                _ => help.unwrap_or_default(),
            }
        };
        Self::properties(object, help)
    }
}

/// The help of an option in one line, with what only `--help` says.
pub fn whole_help(arg: &clap::Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    help.replace("\n\n", ". ").replace('\n', " ")
}

impl Default for Options {
    fn default() -> Self {
        RunSettings::default().options("")
    }
}

impl PartialSchema for RunSettings {
    fn schema() -> RefOr<Schema> {
        Schema::from(Self::describe(ObjectBuilder::new())).into()
    }
}

impl utoipa::ToSchema for RunSettings {}
