//! The embedded cache: one SQLite file that keeps key, type, value and expiry.
//!
//! ```sql
//! SELECT value FROM entries WHERE key = CAST('Product:id:1' AS BLOB) AND expires_at > unixepoch() * 1000
//! ```

mod file;
mod ledger;
mod rows;

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::sync::Mutex;

use super::url::Access;
use crate::application::ports::{
    Cache, Cached, CachedValue, Checked, Headroom, Kept, Misses, Mode, Probe, Usage, Withdrawn,
    WriteOptions, WriteOutcome, Written,
};
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::meaning;
use crate::domain::standing::{Held, Kind, Standing};
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;
use crate::domain::version::is_newer;
use file::{CacheFile, now_millis, words};
use rows::{ITEM, STORE, fields, item_key};

pub struct SqliteCache {
    /// SQLite has one writer; so have we.
    connection: Mutex<SqliteConnection>,
    file: CacheFile,
}

impl SqliteCache {
    /// Opens the file, or makes it, and drops what has expired.
    ///
    /// # Errors
    /// When the file cannot be used as a cache.
    pub async fn open(url: &str, access: Access) -> Result<Self, Failure> {
        let (file, connection) = CacheFile::open(url, access).await?;
        Ok(Self {
            connection: Mutex::new(connection),
            file,
        })
    }

    async fn write_batch(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        let mut connection = self.connection.lock().await;
        let stored = match self.file.follow(&mut connection).await {
            Ok(()) => store(&mut connection, batch, how).await.map_err(|error| {
                let what = format!("cannot write to the cache file {}", self.file);
                Failure::new(FailureKind::CacheRefused, what, words(&error))
                    .hint("check the disk's free space and the file's permissions")
            }),
            Err(failure) => Err(failure),
        };
        match stored {
            Ok(outcomes) => Written {
                outcomes,
                fatal: None,
                checked: Checked::default(),
            },
            // The transaction is rolled back: none of it is stored.
            Err(failure) => Written {
                outcomes: vec![WriteOutcome::Failed(failure.why.clone()); batch.len()],
                fatal: Some(failure),
                checked: Checked::default(),
            },
        }
    }
}

impl Cache for SqliteCache {
    fn write<'a>(&'a self, batch: &'a EntryBatch, how: &'a WriteOptions) -> BoxFuture<'a, Written> {
        self.write_batch(batch, how).boxed()
    }

    fn withdraw<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
    ) -> BoxFuture<'a, Result<Vec<Withdrawn>, Failure>> {
        async move {
            let mut connection = self.connection.lock().await;
            let withdrawn = withdraw(&mut connection, batch, picks).await;
            withdrawn.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn keep<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
        ttl: &'a Ttl,
    ) -> BoxFuture<'a, Result<Kept, Failure>> {
        async move {
            let kept = self.keep_entries(batch, picks, ttl).await;
            kept.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn touch<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        ttl: Ttl,
    ) -> BoxFuture<'a, Result<Vec<bool>, Failure>> {
        async move {
            let touched = self.touch_keys(keys, ttl).await;
            touched.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn remove<'a>(&'a self, keys: &'a [&'a [u8]]) -> BoxFuture<'a, Result<Vec<bool>, Failure>> {
        async move {
            let removed = self.remove_keys(keys).await;
            removed.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    // What a transaction wrote to a file stays there. The file may go.
    fn epoch(&self) -> BoxFuture<'_, Result<u64, Failure>> {
        async {
            let mut connection = self.connection.lock().await;
            self.file.follow(&mut connection).await?;
            Ok(self.file.epoch())
        }
        .boxed()
    }

    fn inspect<'a>(
        &'a self,
        batch: &'a EntryBatch,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        async move {
            let mut standings = Vec::with_capacity(batch.len());
            for entry in batch.iter() {
                let row = self.row(entry.key).await?;
                standings.push(row.map_or(Standing::Nothing, |row| row.beside(entry, shape)));
            }
            Ok(standings)
        }
        .boxed()
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Cached>, Failure>> {
        async move {
            let row = self.row(key).await?;
            Ok(row.map(|row| Cached {
                ttl: Ok(row.ttl()),
                value: match row.kind.as_str() {
                    "hash" => CachedValue::Hash(fields(&row.value)),
                    "list" | "claim" | ITEM => CachedValue::Other(row.kind),
                    _ => CachedValue::Text(row.value),
                },
            }))
        }
        .boxed()
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        stream::try_unfold(Some(Vec::new()), move |after| async move {
            let Some(after): Option<Vec<u8>> = after else {
                return Ok(None);
            };
            let keys = self.keys_after(&after, prefix).await?;
            let next = keys.last().cloned();
            Ok(Some((keys, next)))
        })
        .boxed()
    }

    fn headroom(&self) -> BoxFuture<'_, Headroom> {
        async {
            let size = |file: &Path| match std::fs::metadata(file) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
                size => size
                    .map(|file| file.len())
                    .map_err(|error| error.to_string()),
            };
            // What was written last stands beside the file.
            let beside = size(&self.file.log());
            Headroom {
                used: size(self.file.path()).and_then(|file| Ok(file + beside?)),
                max: Ok(None),
                policy: Err("the embedded cache has what the disk has".to_owned()),
            }
        }
        .boxed()
    }

    fn usage<'a>(&'a self, _: &'a [&'a [u8]]) -> BoxFuture<'a, Result<Vec<Usage>, Failure>> {
        async {
            let what = "the embedded cache does not know which keys are used";
            let why = "it keeps no time or count of reads";
            let failure = Failure::new(FailureKind::Config, what, why);
            Err(failure.hint("a Redis or Valkey keeps them: give its URL with --cache-url"))
        }
        .boxed()
    }

    fn misses(&self, _: bool) -> BoxFuture<'_, Result<Misses, Failure>> {
        async {
            let what = "the embedded cache does not tell of misses";
            let failure = Failure::new(FailureKind::Config, what, "nobody hears who asks it");
            Err(failure.hint("give the shop's own log with --access-log"))
        }
        .boxed()
    }

    fn checkup<'a>(&'a self, _: &'a [Probe]) -> BoxFuture<'a, Vec<Finding>> {
        async {
            let mut connection = self.connection.lock().await;
            let asked = sqlx::query_as::<_, (i64, String)>(
                "SELECT (SELECT count(*) FROM entries), sqlite_version()",
            )
            .fetch_one(&mut *connection)
            .await;
            let (keys, version) = match asked {
                Ok(answer) => answer,
                Err(error) => return vec![Finding::of("cache", &self.unreadable(&error))],
            };
            let text = format!("{}, an embedded cache (SQLite {version})", self.file);
            let mut findings = vec![Finding::ok("cache", text)];
            // The lock of a writer, given back at once: nothing is written.
            if let Err(error) = connection.execute("BEGIN IMMEDIATE; ROLLBACK").await {
                findings.push(Finding::of("cache writes", &self.unreadable(&error)));
            }
            let size = std::fs::metadata(self.file.path()).map_or(0, |file| file.len() / 1024);
            let text = format!("{keys} keys, {size} KiB; it may have what the disk has");
            findings.push(Finding::ok("cache memory", text));
            findings
        }
        .boxed()
    }
}

/// # Errors
/// The URL cannot be read.
pub(super) fn check_url(url: &str) -> Result<(), Failure> {
    file::parsed(url).map(drop)
}

/// The finding that a cache file is, which the first run will make.
pub(super) fn not_there_yet(url: &str) -> Option<Finding> {
    let options = url
        .starts_with("sqlite:")
        .then(|| SqliteConnectOptions::from_str(url).ok())??;
    let file = options.get_filename();
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => std::path::Path::new("."),
    };
    let is_in_memory = file.to_string_lossy().contains(":memory:") || url.contains("mode=memory");
    if file.exists() || is_in_memory {
        return None;
    }
    let text = format!("{}, an embedded cache", file.display());
    Some(if folder.is_dir() {
        Finding::ok("cache", format!("{text} that the first run will make"))
    } else {
        let why = format!("{text}: there is no folder {}", folder.display());
        Finding::failed("cache", FailureKind::CacheUnreachable, why)
            .hint("make the folder, or name another file in the cache URL")
    })
}

/// An entry as it lies in the file.
struct Stored {
    kind: String,
    value: Vec<u8>,
    expires_at: i64,
}

impl Stored {
    fn ttl(&self) -> Option<Duration> {
        let left = self.expires_at.saturating_sub(now_millis());
        (self.expires_at < i64::MAX).then(|| Duration::from_millis(left.max(0).unsigned_abs()))
    }

    fn beside(self, entry: Entry<'_>, shape: Shape) -> Standing {
        let (kind, value) = stored_form(entry);
        let equal = self.kind == kind
            && match shape {
                Shape::Text => self.value == value,
                _ => meaning::same(&self.value, &value),
            };
        Standing::Held(Held {
            kind: Kind::named(&self.kind),
            bytes: Some(self.value.len() as u64),
            ttl: self.ttl(),
            equal,
        })
    }
}

impl SqliteCache {
    async fn row(&self, key: &[u8]) -> Result<Option<Stored>, Failure> {
        let mut connection = self.connection.lock().await;
        let row = sqlx::query_as::<_, (String, Vec<u8>, i64)>(
            "SELECT type, value, expires_at FROM entries WHERE key = ? AND expires_at > ?",
        )
        .bind(key)
        .bind(now_millis())
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| self.unreadable(&error))?;
        Ok(row.map(|(kind, value, expires_at)| Stored {
            kind,
            value,
            expires_at,
        }))
    }

    /// Nothing is sent: the comparison is made where the values are.
    async fn keep_entries(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Result<Kept, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let now = now_millis();
        let mut kept = Kept::default();
        for entry in picks.iter().filter_map(|i| batch.get(*i)) {
            let ttl = i64::try_from(ttl.millis_for(entry.key)).unwrap_or(i64::MAX);
            let (kind, value) = stored_form(entry);
            let done = sqlx::query(
                "UPDATE entries SET expires_at = ? \
                 WHERE key = ? AND expires_at > ? AND type = ? AND value = ?",
            )
            .bind(now.saturating_add(ttl))
            .bind(entry.key)
            .bind(now)
            .bind(kind)
            .bind(value)
            .execute(&mut *transaction)
            .await?;
            kept.same.push(done.rows_affected() > 0);
        }
        transaction.commit().await?;
        Ok(kept)
    }

    async fn touch_keys(&self, keys: &[&[u8]], ttl: Ttl) -> Result<Vec<bool>, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await?;
        let now = now_millis();
        let mut touched = Vec::with_capacity(keys.len());
        for key in keys {
            let ttl = i64::try_from(ttl.millis_for(key)).unwrap_or(i64::MAX);
            let done =
                sqlx::query("UPDATE entries SET expires_at = ? WHERE key = ? AND expires_at > ?")
                    .bind(now.saturating_add(ttl))
                    .bind(key)
                    .bind(now)
                    .execute(&mut *transaction)
                    .await?;
            touched.push(done.rows_affected() > 0);
        }
        transaction.commit().await?;
        Ok(touched)
    }

    async fn remove_keys(&self, keys: &[&[u8]]) -> Result<Vec<bool>, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await?;
        let now = now_millis();
        let mut removed = Vec::with_capacity(keys.len());
        for key in keys {
            let expiry: Option<i64> =
                sqlx::query_scalar("DELETE FROM entries WHERE key = ? RETURNING expires_at")
                    .bind(key)
                    .fetch_optional(&mut *transaction)
                    .await?;
            // What a list holds goes with it.
            let items =
                sqlx::query("DELETE FROM entries WHERE key >= ? AND key <= ? AND type = 'item'")
                    .bind(item_key(key, 0))
                    .bind(item_key(key, u64::MAX))
                    .execute(&mut *transaction)
                    .await?;
            removed.push(expiry.is_some_and(|at| at > now) || items.rows_affected() > 0);
        }
        transaction.commit().await?;
        Ok(removed)
    }

    /// The next keys with a prefix, in order.
    async fn keys_after(&self, after: &[u8], prefix: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut connection = self.connection.lock().await;
        sqlx::query_scalar(
            "SELECT key FROM entries WHERE key > ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2
             AND type <> 'item' AND expires_at > ?3 ORDER BY key LIMIT 1000",
        )
        .bind(after)
        .bind(prefix)
        .bind(now_millis())
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &sqlx::Error) -> Failure {
        let what = format!("cannot use the cache file {}", self.file);
        Failure::new(FailureKind::CacheRefused, what, words(error))
            .hint("check the disk's free space and the file's permissions")
    }
}

async fn store(
    connection: &mut SqliteConnection,
    batch: &EntryBatch,
    how: &WriteOptions,
) -> Result<Vec<WriteOutcome>, sqlx::Error> {
    let now = now_millis();
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for entry in batch.iter() {
        let ttl = i64::try_from(how.ttl.millis_for(entry.key)).unwrap_or(i64::MAX);
        let (kind, value) = stored_form(entry);
        if let Some(field) = how.version_field.as_deref()
            && newer_stands(&mut transaction, entry.key, &value, field, now).await?
        {
            outcomes.push(WriteOutcome::AlreadyPresent);
            continue;
        }
        let done = sqlx::query(STORE)
            .bind(entry.key)
            .bind(kind)
            .bind(value)
            .bind(now.saturating_add(ttl))
            .bind(how.mode == Mode::Refresh)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        outcomes.push(match done.rows_affected() {
            0 => WriteOutcome::AlreadyPresent,
            _ => WriteOutcome::Stored,
        });
    }
    transaction.commit().await?;
    Ok(outcomes)
}

/// Whether a value stands at a key that says in a field that it is newer than another.
async fn newer_stands(
    connection: &mut SqliteConnection,
    key: &[u8],
    value: &[u8],
    field: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let old: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM entries WHERE key = ? AND expires_at > ?")
            .bind(key)
            .bind(now)
            .fetch_optional(connection)
            .await?;
    let says = |value: &[u8]| {
        let mut value: serde_json::Value = serde_json::from_slice(value).ok()?;
        Some(value.get_mut(field)?.take())
    };
    let old = old.and_then(|old| says(&old));
    Ok(old
        .zip(says(value))
        .is_some_and(|(old, new)| is_newer(&old, &new)))
}

async fn withdraw(
    connection: &mut SqliteConnection,
    batch: &EntryBatch,
    picks: &[usize],
) -> Result<Vec<Withdrawn>, sqlx::Error> {
    let mut withdrawn = Vec::with_capacity(picks.len());
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for entry in picks.iter().filter_map(|i| batch.get(*i)) {
        let (kind, value) = stored_form(entry);
        let done = sqlx::query("DELETE FROM entries WHERE key = ? AND type = ? AND value = ?")
            .bind(entry.key)
            .bind(kind)
            .bind(value)
            .execute(&mut *transaction)
            .await?;
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM entries WHERE key = ?")
            .bind(entry.key)
            .fetch_one(&mut *transaction)
            .await?;
        withdrawn.push(match (done.rows_affected(), left) {
            (1.., _) => Withdrawn::Deleted,
            (0, 0) => Withdrawn::Gone,
            _ => Withdrawn::NotOurs,
        });
    }
    transaction.commit().await?;
    Ok(withdrawn)
}

fn stored_form(entry: Entry<'_>) -> (&'static str, Vec<u8>) {
    match entry.value {
        Value::Text(text) => ("string", text.to_vec()),
        Value::Hash(fields) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let pairs = fields
                .iter()
                .map(|(name, value)| (text(name), text(value).into()));
            let object: serde_json::Map<String, serde_json::Value> = pairs.collect();
            (
                "hash",
                serde_json::Value::Object(object).to_string().into_bytes(),
            )
        }
    }
}
