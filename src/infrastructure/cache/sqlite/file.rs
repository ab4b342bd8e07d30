//! The file of an embedded cache: its owner, opening it, and detecting its replacement.

use std::ffi::OsString;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::url::parsed;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::lock;
use crate::infrastructure::cache::url::Access;

/// Keys are bytes, as Redis' are. `expires_at` is in milliseconds since 1970; an entry past it
/// does not exist. A hash is stored as a JSON object of its fields, a sorted set as
/// one of its scores, a set as the list of its members.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS entries (
    key        BLOB PRIMARY KEY,
    type       TEXT NOT NULL,
    value      BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID";

/// Timeout for a file that another process has locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The application id in the file's header: "show" as a number.
const APPLICATION_ID: i64 = 1_936_225_392;

pub(super) struct CacheFile {
    path: PathBuf,
    options: SqliteConnectOptions,
    access: Access,
    opened: Mutex<Opened>,
}

/// The identity of the open file.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Opened {
    /// Device and inode; `None`: in memory.
    identity: Option<(u64, u64)>,
    /// How often the file was reopened: a new file may reuse an inode.
    times: u32,
}

impl CacheFile {
    /// Opens or creates the file, and drops expired entries.
    ///
    /// # Errors
    /// It cannot be used as a cache.
    pub(super) async fn open(
        url: &str,
        access: Access,
    ) -> Result<(Self, SqliteConnection), Failure> {
        let options = parsed(url)?
            .create_if_missing(true)
            // Losing the cache in a power cut is acceptable.
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let file = Self {
            path: options.get_filename().to_owned(),
            options,
            access,
            opened: Mutex::default(),
        };
        let connection = file.connect().await?;
        file.note(0);
        Ok((file, connection))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The write-ahead log.
    pub(super) fn log(&self) -> PathBuf {
        let mut log = OsString::from(&self.path);
        log.push("-wal");
        log.into()
    }

    /// Changes when another file was opened.
    pub(super) fn epoch(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.opened().hash(&mut hasher);
        hasher.finish()
    }

    /// Reopens the file if it was deleted, moved or replaced: otherwise later writes would be lost.
    ///
    /// # Errors
    /// It cannot be used as a cache. Until it can, the cache is empty.
    pub(super) async fn follow(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let opened = self.opened();
        if self.access == Access::Read || opened.identity == self.identity() {
            return Ok(());
        }
        tracing::warn!(file = %self, "the cache file was deleted, moved or replaced");
        self.open_again(connection).await.map_err(|failure| Failure {
            kind: FailureKind::CacheRefused,
            what: format!("lost the cache file {self} in the middle of the run"),
            ..failure
        })?;
        self.note(opened.times + 1);
        Ok(())
    }

    async fn open_again(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let empty = nothing().await.map_err(|error| self.unusable(&error))?;
        let former = std::mem::replace(connection, empty);
        // Closing deletes the log at the path, so close it before the next one creates its own.
        let closed = former.close().await;
        closed.map_err(|error| self.unusable(&error))?;
        *connection = self.connect().await?;
        Ok(())
    }

    async fn connect(&self) -> Result<SqliteConnection, Failure> {
        let connected = match self.access {
            Access::Write => self.wait_to_write().await,
            Access::Read => self.connect_read_only().await,
        };
        let connection = connected.map_err(|error| self.unusable(&error))?;
        connection.ok_or_else(|| {
            let what = format!("{self} is not a shopwarm cache");
            let why = "it is another SQLite database, and was not changed";
            Failure::new(FailureKind::Config, what, why).hint("name another file in the cache URL")
        })
    }

    /// SQLite waits for locks, but not for the one that enables the log: of two processes that
    /// create the file at the same moment, one fails as busy.
    async fn wait_to_write(&self) -> Result<Option<SqliteConnection>, sqlx::Error> {
        let since = Instant::now();
        loop {
            match self.connect_to_write().await {
                Err(error) if is_busy(&error) && since.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                connected => return connected,
            }
        }
    }

    /// `None`: the file is not ours.
    async fn connect_to_write(&self) -> Result<Option<SqliteConnection>, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        if owner(&mut connection).await? == Owner::Other {
            return Ok(None);
        }
        // The number of APPLICATION_ID; a PRAGMA takes no parameters.
        connection.execute("PRAGMA application_id = 1936225392").await?;
        // Readers are not blocked by writers. Set only now, since it changes the file.
        connection.execute("PRAGMA journal_mode = WAL").await?;
        connection.execute(SCHEMA).await?;
        sqlx::query("DELETE FROM entries WHERE expires_at <= ?")
            .bind(now_millis())
            .execute(&mut connection)
            .await?;
        Ok(Some(connection))
    }

    /// The same, read-only; without a file, an empty cache.
    async fn connect_read_only(&self) -> Result<Option<SqliteConnection>, sqlx::Error> {
        if !self.path.exists() {
            return nothing().await.map(Some);
        }
        // A file in use has a log next to it. Without one, even a read-only folder can be read.
        let options = self.options.clone().create_if_missing(false);
        let options = options.read_only(true).immutable(!self.log().exists());
        let mut connection = options.connect().await?;
        match owner(&mut connection).await? {
            Owner::Ours => Ok(Some(connection)),
            Owner::Nobody => nothing().await.map(Some),
            Owner::Other => Ok(None),
        }
    }

    fn identity(&self) -> Option<(u64, u64)> {
        let file = std::fs::metadata(&self.path).ok()?;
        Some((file.dev(), file.ino()))
    }

    fn opened(&self) -> Opened {
        *lock(&self.opened)
    }

    fn note(&self, times: u32) {
        *lock(&self.opened) = Opened { identity: self.identity(), times };
    }

    fn unusable(&self, error: &sqlx::Error) -> Failure {
        let what = format!("cannot use the cache file {self}");
        Failure::new(FailureKind::CacheUnreachable, what, words(error))
            .hint("check the path, its permissions, and that the file is a shopwarm cache")
    }
}

impl fmt::Display for CacheFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Whether the file is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Ours,
    Nobody,
    Other,
}

async fn owner(connection: &mut SqliteConnection) -> Result<Owner, sqlx::Error> {
    // In this order, as another process that creates the file sets its id first.
    let things: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    Ok(match (id, things) {
        (0, 0) => Owner::Nobody,
        (APPLICATION_ID, 1..) => Owner::Ours,
        (APPLICATION_ID, _) => Owner::Nobody,
        _ => Owner::Other,
    })
}

/// An empty cache.
async fn nothing() -> Result<SqliteConnection, sqlx::Error> {
    let mut connection =
        SqliteConnectOptions::new().in_memory(true).disable_statement_logging().connect().await?;
    connection.execute(SCHEMA).await?;
    Ok(connection)
}

/// Whether another process has locked the file. Extended codes have SQLITE_BUSY, 5, in their low
/// byte.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.parse::<u32>().is_ok_and(|code| code & 0xff == 5))
}

pub(super) fn now_millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        _ => "the file cannot be read or written".to_owned(),
    }
}
