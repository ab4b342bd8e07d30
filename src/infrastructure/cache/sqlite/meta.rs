//! The tool's own data in the embedded cache.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use sqlx::{Connection as _, SqliteConnection, query, query_scalar};

use super::SqliteCache;
use super::entries::{BEGIN, Done, read};
use super::file::now_millis;
use super::rows::{ITEM, STORE, item_key, item_number, object};
use crate::application::ports::{Answer, Claimed, MetaStore};

const CLAIM: &str = "claim";

const FIRST_ITEM: &str = "SELECT key FROM entries
    WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ? ORDER BY key LIMIT 1";
const LAST_ITEM: &str = "SELECT key FROM entries
    WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ? ORDER BY key DESC LIMIT 1";

const RANGE: &str = "SELECT value FROM entries
    WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ? ORDER BY key LIMIT ? OFFSET ?";
const RENEW: &str =
    "UPDATE entries SET expires_at = ? WHERE key = ? AND value = ? AND expires_at > ?";

/// The number of a list's first item, so that it can grow at both ends.
const MIDDLE: u64 = 1 << 63;

#[async_trait]
impl MetaStore for SqliteCache {
    async fn claim(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<Option<Claimed>> {
        let mut connection = self.lock().await;
        let claim = async {
            let mut transaction = connection.begin_with(BEGIN).await?;
            for (key, name) in keys.iter().enumerate() {
                if let Some(row) = read(&mut transaction, name).await? {
                    let value = row.value;
                    return Ok(Some(Claimed { key, value }));
                }
            }
            for key in keys {
                put(&mut transaction, key, CLAIM, value, expiry(ttl)).await?;
            }
            transaction.commit().await?;
            Ok(None)
        };
        self.answer(claim.await)
    }

    async fn renew(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<bool> {
        let mut connection = self.lock().await;
        let renew = async {
            let mut transaction = connection.begin_with(BEGIN).await?;
            for key in keys {
                let renewed = query(RENEW)
                    .bind(expiry(ttl))
                    .bind(key)
                    .bind(value)
                    .bind(now_millis())
                    .execute(&mut *transaction)
                    .await?;
                if renewed.rows_affected() == 0 {
                    return Ok(false);
                }
            }
            transaction.commit().await?;
            Ok(true)
        };
        self.answer(renew.await)
    }

    async fn release(&self, keys: &[&[u8]], value: &[u8]) -> Answer<()> {
        let mut connection = self.lock().await;
        for key in keys {
            let release = query("DELETE FROM entries WHERE key = ? AND value = ?");
            let release = release.bind(key).bind(value);
            self.answer(release.execute(&mut *connection).await)?;
        }
        Ok(())
    }

    async fn set_fields(&self, key: &[u8], new: &[(String, String)]) -> Answer<()> {
        let set = |fields: &mut Map<String, Json>| {
            fields.extend(new.iter().map(|(n, v)| (n.clone(), v.clone().into())));
        };
        self.answer(change_fields(&mut *self.lock().await, key, set).await)
    }

    async fn delete_fields(&self, key: &[u8], gone: &[String]) -> Answer<()> {
        let delete = |fields: &mut Map<String, Json>| fields.retain(|name, _| !gone.contains(name));
        self.answer(change_fields(&mut *self.lock().await, key, delete).await)
    }

    async fn prepend(&self, list: &[u8], item: &[u8], max: usize, ttl: Duration) -> Answer<()> {
        let mut connection = self.lock().await;
        let prepend = async {
            let mut transaction = connection.begin_with(BEGIN).await?;
            let first = edge(&mut transaction, FIRST_ITEM, list).await?;
            let number = first.map_or(MIDDLE, |first| first.saturating_sub(1));
            let end = expiry(ttl);
            put(&mut transaction, &item_key(list, number), ITEM, item, end).await?;
            query("DELETE FROM entries WHERE key >= ? AND key <= ? AND type = 'item'")
                .bind(item_key(list, number.saturating_add(max as u64)))
                .bind(item_key(list, u64::MAX))
                .execute(&mut *transaction)
                .await?;
            refresh_items(&mut transaction, list, end).await?;
            transaction.commit().await
        };
        self.answer(prepend.await)
    }

    async fn append(&self, list: &[u8], items: &[Vec<u8>], ttl: Duration) -> Answer<()> {
        let mut connection = self.lock().await;
        let append = async {
            let mut transaction = connection.begin_with(BEGIN).await?;
            let last = edge(&mut transaction, LAST_ITEM, list).await?;
            let next = last.map_or(MIDDLE, |last| last + 1);
            let end = expiry(ttl);
            for (number, item) in (next..).zip(items) {
                put(&mut transaction, &item_key(list, number), ITEM, item, end).await?;
            }
            refresh_items(&mut transaction, list, end).await?;
            transaction.commit().await
        };
        self.answer(append.await)
    }

    async fn range(&self, list: &[u8], first: usize, count: usize) -> Answer<Vec<Vec<u8>>> {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let range = query_scalar(RANGE)
            .bind(item_key(list, 0))
            .bind(item_key(list, u64::MAX))
            .bind(now_millis())
            .bind(number(count))
            .bind(number(first))
            .fetch_all(&mut *self.lock().await)
            .await;
        self.answer(range)
    }
}

/// Changes fields of a hash atomically.
async fn change_fields(
    connection: &mut SqliteConnection,
    key: &[u8],
    change: impl FnOnce(&mut Map<String, Json>) + Send,
) -> Done<()> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    let old = read(&mut transaction, key).await?;
    let mut fields = old.map(|row| object(&row.value)).unwrap_or_default();
    change(&mut fields);
    let value = Json::Object(fields).to_string();
    put(&mut transaction, key, "hash", value.as_bytes(), i64::MAX).await?;
    transaction.commit().await
}

/// The number of a list's first or last item.
async fn edge(
    connection: &mut SqliteConnection,
    sql: &'static str,
    list: &[u8],
) -> Done<Option<u64>> {
    let key: Option<Vec<u8>> = query_scalar(sql)
        .bind(item_key(list, 0))
        .bind(item_key(list, u64::MAX))
        .bind(now_millis())
        .fetch_optional(connection)
        .await?;
    Ok(key.and_then(|key| item_number(&key)))
}

/// The items of a list expire together.
async fn refresh_items(connection: &mut SqliteConnection, list: &[u8], end: i64) -> Done<()> {
    let refreshing = query(
        "UPDATE entries SET expires_at = ?
         WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ?",
    );
    let refreshing = refreshing
        .bind(end)
        .bind(item_key(list, 0))
        .bind(item_key(list, u64::MAX))
        .bind(now_millis());
    refreshing.execute(connection).await.map(drop)
}

/// Stores or replaces a row.
async fn put(
    connection: &mut SqliteConnection,
    key: &[u8],
    kind: &'static str,
    value: &[u8],
    end: i64,
) -> Done<()> {
    let storing = query(STORE).bind(key).bind(kind).bind(value);
    let storing = storing.bind(end).bind(true).bind(now_millis());
    storing.execute(connection).await.map(drop)
}

fn expiry(ttl: Duration) -> i64 {
    now_millis().saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}
