//! The embedded cache: a SQLite file with key, type, value and expiry.
//!
//! ```sql
//! SELECT value FROM entries WHERE key = CAST('Product:id:1' AS BLOB) AND expires_at > unixepoch() * 1000
//! ```

mod checkup;
mod entries;
mod file;
mod meta;
mod rows;
mod url;

use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, MutexGuard};

use crate::application::ports::{
    Answer, Cache, Cached, Deletion, Extended, Headroom, MetaStore, Misses, PermissionProbe, Usage,
    WriteOptions, WriteOutcome, Written,
};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::form::Form;
use crate::domain::standing::Standing;
use crate::domain::sync::lock;
use crate::domain::ttl::Ttl;
use crate::infrastructure::cache::url::Access;
use file::{CacheFile, words};
use rows::{cached, stored_form};

pub(super) use url::not_there_yet;

pub struct SqliteCache {
    /// SQLite allows one writer.
    connection: Mutex<SqliteConnection>,
    file: CacheFile,
    /// When another program's lock last kept a batch from being written, and the failure.
    locked: StdMutex<Option<(Instant, Failure)>>,
}

impl SqliteCache {
    /// Opens or creates the file, and drops expired entries.
    ///
    /// # Errors
    /// The file cannot be used as a cache.
    pub async fn open(url: &str, access: Access) -> Result<Self, Failure> {
        let (file, connection) = CacheFile::open(url, access).await?;
        let (connection, locked) = (Mutex::new(connection), StdMutex::default());
        Ok(Self { connection, file, locked })
    }

    async fn lock(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }

    fn answer<T>(&self, done: Result<T, sqlx::Error>) -> Result<T, Failure> {
        done.map_err(|error| self.failure("use", &error))
    }

    fn failure(&self, verb: &str, error: &sqlx::Error) -> Failure {
        let what = format!("cannot {verb} the cache file {}", self.file);
        if is_locked(error) {
            return Failure::new(FailureKind::CacheUnreachable, what, words(error))
                .hint("another program holds its lock: find it (fuser, lsof), then run again");
        }
        Failure::new(FailureKind::CacheRefused, what, words(error))
            .hint("check the disk's free space and the file's permissions")
    }

    async fn write_batch(
        &self,
        batch: &EntryBatch,
        how: &WriteOptions,
    ) -> Result<Vec<WriteOutcome>, Failure> {
        let asked = Instant::now();
        let mut connection = self.lock().await;
        // Batches that wait behind each other do not wait for the same lock one after the other.
        if let Some((_, failure)) = lock(&self.locked).clone().filter(|(at, _)| *at > asked) {
            return Err(failure);
        }
        self.file.follow(&mut connection).await?;
        let stored = entries::store(&mut connection, batch, how).await;
        stored.map_err(|error| {
            let failure = self.failure("write to", &error);
            if is_locked(&error) {
                *lock(&self.locked) = Some((Instant::now(), failure.clone()));
            }
            failure
        })
    }
}

/// SQLITE_BUSY or SQLITE_LOCKED, with any extension.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

#[async_trait]
impl Cache for SqliteCache {
    async fn write(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        match self.write_batch(batch, how).await {
            Ok(outcomes) => Written::new(outcomes),
            // The transaction is rolled back: nothing is stored.
            Err(failure) => Written {
                fatal: Some(failure.clone()),
                ..Written::new(vec![WriteOutcome::Failed(failure.why); batch.len()])
            },
        }
    }

    async fn inspect(&self, batch: &EntryBatch, form: Form) -> Answer<Vec<Standing>> {
        let mut connection = self.lock().await;
        let mut standings = Vec::with_capacity(batch.len());
        for entry in batch.iter() {
            let row = self.answer(entries::read(&mut connection, entry.key).await)?;
            standings.push(row.map_or(Standing::Nothing, |row| row.compare(entry, form)));
        }
        Ok(standings)
    }

    async fn read(&self, key: &[u8]) -> Answer<Option<Cached>> {
        let row = self.answer(entries::read(&mut *self.lock().await, key).await)?;
        Ok(row.map(|row| Cached { ttl: Ok(row.ttl()), value: cached(&row.kind, row.value) }))
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        stream::try_unfold(Some(Vec::new()), move |after| async move {
            let Some(after): Option<Vec<u8>> = after else {
                return Ok(None);
            };
            let found = entries::scan(&mut *self.lock().await, &after, prefix).await;
            let keys = self.answer(found)?;
            let next = keys.last().cloned();
            Ok(Some((keys, next)))
        })
        .boxed()
    }

    // Committed data is safe, but the file may be replaced.
    async fn epoch(&self) -> Answer<u64> {
        self.file.follow(&mut *self.lock().await).await?;
        Ok(self.file.epoch())
    }

    fn meta(&self) -> &dyn MetaStore {
        self
    }

    async fn extend_if_equal(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Answer<Extended> {
        let entries = picks.iter().filter_map(|i| batch.get(*i));
        let entries = entries.map(|entry| (entry.key, Some(stored_form(entry))));
        let refreshed = entries::refresh(&mut *self.lock().await, entries, ttl).await;
        // Nothing is sent: the values are compared in place.
        let (equal, sent) = (self.answer(refreshed)?, 0);
        Ok(Extended { equal, sent })
    }

    async fn delete_if_equal(&self, batch: &EntryBatch, picks: &[usize]) -> Answer<Vec<Deletion>> {
        let mut connection = self.lock().await;
        self.answer(entries::delete_if_equal(&mut connection, batch, picks).await)
    }

    async fn refresh_ttl(&self, keys: &[&[u8]], ttl: Ttl) -> Answer<Vec<bool>> {
        let keys = keys.iter().map(|key| (*key, None));
        self.answer(entries::refresh(&mut *self.lock().await, keys, &ttl).await)
    }

    async fn remove(&self, keys: &[&[u8]]) -> Answer<Vec<bool>> {
        self.answer(entries::remove(&mut *self.lock().await, keys).await)
    }

    async fn headroom(&self) -> Headroom {
        let size = |file: &Path| match std::fs::metadata(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            size => size.map(|file| file.len()).map_err(|e| e.to_string()),
        };
        // The write-ahead log is a file next to it.
        let log = size(&self.file.log());
        Headroom {
            full_first: None,
            used: size(self.file.path()).and_then(|file| Ok(file + log?)),
            max: Ok(None),
            policy: Err("the embedded cache is limited by the disk only".to_owned()),
        }
    }

    async fn usage(&self, _: &[&[u8]]) -> Answer<Vec<Usage>> {
        let what = "the embedded cache does not record which keys are used";
        let why = "it keeps no access times";
        let failure = Failure::new(FailureKind::Config, what, why);
        Err(failure.hint("Redis and Valkey record them: give the server's URL with --cache-url"))
    }

    async fn misses(&self, _: bool) -> Answer<Misses> {
        let what = "the embedded cache does not report misses";
        let failure = Failure::new(FailureKind::Config, what, "it does not see who reads it");
        Err(failure.hint("give the shop's own log with --access-log"))
    }

    async fn checkup(&self, _: &[PermissionProbe]) -> Vec<Finding> {
        self.check().await
    }
}

/// # Errors
/// The URL is not valid.
pub(super) fn check_url(url: &str) -> Result<(), Failure> {
    url::parsed(url).map(drop)
}
