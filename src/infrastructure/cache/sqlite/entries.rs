//! SQL statements on entries. A batch is a transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, query, query_as, query_scalar};

use super::file::now_millis;
use super::rows::{Row, STORE, StoredForm, expiry, item_key, stored_form};
use crate::application::ports::{Deletion, Mode, WriteOptions, WriteOutcome};
use crate::domain::entry::EntryBatch;
use crate::domain::ttl::Ttl;
use crate::domain::version::is_newer;

pub(super) type Done<T> = Result<T, sqlx::Error>;

pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

const REFRESH: &str = "UPDATE entries SET expires_at = ?1
    WHERE key = ?2 AND expires_at > ?3 AND (?4 IS NULL OR type = ?4 AND value = ?5)";

/// Keys per step of a scan.
const SCAN: &str = "SELECT key FROM entries
    WHERE key > ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2
    AND type <> 'item' AND expires_at > ?3 ORDER BY key LIMIT 1000";

pub(super) async fn read(connection: &mut SqliteConnection, key: &[u8]) -> Done<Option<Row>> {
    let row: Option<(String, Vec<u8>, i64)> =
        query_as("SELECT type, value, expires_at FROM entries WHERE key = ? AND expires_at > ?")
            .bind(key)
            .bind(now_millis())
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|(kind, value, expires_at)| Row { kind, value, expires_at }))
}

/// The next keys with a prefix, in order.
pub(super) async fn scan(
    connection: &mut SqliteConnection,
    after: &[u8],
    prefix: &[u8],
) -> Done<Vec<Vec<u8>>> {
    query_scalar(SCAN).bind(after).bind(prefix).bind(now_millis()).fetch_all(connection).await
}

pub(super) async fn store(
    connection: &mut SqliteConnection,
    batch: &EntryBatch,
    how: &WriteOptions,
) -> Done<Vec<WriteOutcome>> {
    let now = now_millis();
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut transaction = connection.begin_with(BEGIN).await?;
    for entry in batch.iter() {
        let (kind, value) = stored_form(entry);
        if let Some(field) = how.version_field.as_deref()
            && has_newer(&mut transaction, entry.key, &value, field).await?
        {
            outcomes.push(WriteOutcome::AlreadyPresent);
            continue;
        }
        let done = query(STORE)
            .bind(entry.key)
            .bind(kind)
            .bind(value)
            .bind(expiry(&how.ttl, entry.key, now))
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

/// Whether the stored value has a higher version, by a field of both.
async fn has_newer(
    connection: &mut SqliteConnection,
    key: &[u8],
    value: &[u8],
    field: &str,
) -> Done<bool> {
    let version = |value: &[u8]| {
        let mut value: serde_json::Value = serde_json::from_slice(value).ok()?;
        Some(value.get_mut(field)?.take())
    };
    let old = read(connection, key).await?;
    let old = old.and_then(|old| version(&old.value));
    let versions = old.zip(version(value));
    Ok(versions.is_some_and(|(old, new)| is_newer(&old, &new)))
}

/// Refreshes the TTL of keys; with a stored form, only if it is unchanged.
pub(super) async fn refresh<'k>(
    connection: &mut SqliteConnection,
    keys: impl Iterator<Item = (&'k [u8], Option<StoredForm>)> + Send,
    ttl: &Ttl,
) -> Done<Vec<bool>> {
    let now = now_millis();
    let mut refreshed = Vec::new();
    let mut transaction = connection.begin_with(BEGIN).await?;
    for (key, form) in keys {
        let (kind, value) = form.unzip();
        let done = query(REFRESH)
            .bind(expiry(ttl, key, now))
            .bind(key)
            .bind(now)
            .bind(kind)
            .bind(value)
            .execute(&mut *transaction)
            .await?;
        refreshed.push(done.rows_affected() > 0);
    }
    transaction.commit().await?;
    Ok(refreshed)
}

/// Deletes keys, and with a list its items.
pub(super) async fn remove(connection: &mut SqliteConnection, keys: &[&[u8]]) -> Done<Vec<bool>> {
    let mut removed = Vec::with_capacity(keys.len());
    let mut transaction = connection.begin_with(BEGIN).await?;
    for key in keys {
        let exists = read(&mut transaction, key).await?.is_some();
        let deleted = query(
            "DELETE FROM entries WHERE key = ?1 OR key >= ?2 AND key <= ?3 AND type = 'item'",
        )
        .bind(key)
        .bind(item_key(key, 0))
        .bind(item_key(key, u64::MAX))
        .execute(&mut *transaction)
        .await?;
        removed.push(exists || deleted.rows_affected() > 1);
    }
    transaction.commit().await?;
    Ok(removed)
}

pub(super) async fn delete_if_equal(
    connection: &mut SqliteConnection,
    batch: &EntryBatch,
    picks: &[usize],
) -> Done<Vec<Deletion>> {
    let mut deletions = Vec::with_capacity(picks.len());
    let mut transaction = connection.begin_with(BEGIN).await?;
    for entry in picks.iter().filter_map(|i| batch.get(*i)) {
        let (kind, value) = stored_form(entry);
        let deletion = match read(&mut transaction, entry.key).await? {
            None => Deletion::Absent,
            Some(row) if row.kind != kind || row.value != value => Deletion::NotEqual,
            Some(_) => {
                query("DELETE FROM entries WHERE key = ?")
                    .bind(entry.key)
                    .execute(&mut *transaction)
                    .await?;
                Deletion::Deleted
            }
        };
        deletions.push(deletion);
    }
    transaction.commit().await?;
    Ok(deletions)
}
