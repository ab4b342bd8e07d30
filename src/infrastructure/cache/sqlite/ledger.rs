//! What the tool keeps for itself in the embedded cache: claims with a time, a hash and a list.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::{Connection as _, SqliteConnection};

use super::SqliteCache;
use super::file::now_millis;
use super::rows::{ITEM, STORE, fields, item_key, place};
use crate::application::ports::{Claimed, Ledger};
use crate::domain::failure::Failure;

const CLAIM: &str = "claim";
const LIST: &str = "list";

const RENEW: &str =
    "UPDATE entries SET expires_at = ? WHERE key = ? AND value = ? AND expires_at > ?";

impl SqliteCache {
    async fn claim_keys(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Claimed>, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for (i, key) in keys.iter().enumerate() {
            if let Some(found) = value_of(&mut transaction, key).await? {
                return Ok(Some(Claimed {
                    key: i,
                    value: found,
                }));
            }
        }
        for key in keys {
            put(&mut transaction, key, CLAIM, value, until(ttl)).await?;
        }
        transaction.commit().await?;
        Ok(None)
    }

    async fn renew_keys(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for key in keys {
            let renewed = sqlx::query(RENEW)
                .bind(until(ttl))
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
    }

    async fn release_keys(&self, keys: &[&[u8]], value: &[u8]) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.lock().await;
        for key in keys {
            sqlx::query("DELETE FROM entries WHERE key = ? AND value = ?")
                .bind(key)
                .bind(value)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    async fn append_items(
        &self,
        key: &[u8],
        items: &[Vec<u8>],
        ttl: Duration,
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let last: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT max(key) FROM entries
             WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ?",
        )
        .bind(item_key(key, 0))
        .bind(item_key(key, u64::MAX))
        .bind(now_millis())
        .fetch_one(&mut *transaction)
        .await?;
        let next = last.and_then(|last| place(&last)).map_or(0, |at| at + 1);
        let until = until(ttl);
        for (place, item) in (next..).zip(items) {
            put(&mut transaction, &item_key(key, place), ITEM, item, until).await?;
        }
        // They end together, as a list does.
        sqlx::query(
            "UPDATE entries SET expires_at = ?
             WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ?",
        )
        .bind(until)
        .bind(item_key(key, 0))
        .bind(item_key(key, u64::MAX))
        .bind(now_millis())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    async fn items_from(
        &self,
        key: &[u8],
        first: usize,
        count: usize,
    ) -> Result<Vec<Vec<u8>>, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        sqlx::query_scalar(
            "SELECT value FROM entries
             WHERE key >= ? AND key <= ? AND type = 'item' AND expires_at > ?
             ORDER BY key LIMIT ?",
        )
        .bind(item_key(key, first as u64))
        .bind(item_key(key, u64::MAX))
        .bind(now_millis())
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await
    }

    /// Makes a new value of what is at a key, while nobody else does.
    async fn rewrite(
        &self,
        key: &[u8],
        kind: &'static str,
        until: i64,
        change: impl FnOnce(Vec<u8>) -> String + Send,
    ) -> Result<(), Failure> {
        let mut connection = self.connection.lock().await;
        let rewriting = async {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let old = value_of(&mut transaction, key).await?.unwrap_or_default();
            let new = change(old);
            put(&mut transaction, key, kind, new.as_bytes(), until).await?;
            transaction.commit().await
        };
        rewriting.await.map_err(|error| self.unreadable(&error))
    }
}

/// Stores an entry in place of what is there.
async fn put(
    connection: &mut SqliteConnection,
    key: &[u8],
    kind: &'static str,
    value: &[u8],
    until: i64,
) -> Result<(), sqlx::Error> {
    let storing = sqlx::query(STORE)
        .bind(key)
        .bind(kind)
        .bind(value)
        .bind(until)
        .bind(true)
        .bind(now_millis());
    storing.execute(connection).await.map(drop)
}

async fn value_of(
    connection: &mut SqliteConnection,
    key: &[u8],
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM entries WHERE key = ? AND expires_at > ?")
        .bind(key)
        .bind(now_millis())
        .fetch_optional(connection)
        .await
}

fn until(ttl: Duration) -> i64 {
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    now_millis().saturating_add(ttl)
}

fn list(value: &[u8]) -> Vec<String> {
    serde_json::from_slice(value).unwrap_or_default()
}

impl Ledger for SqliteCache {
    fn claim<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Claimed>, Failure>> {
        async move {
            let claimed = self.claim_keys(keys, value, ttl).await;
            claimed.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn renew<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        async move {
            let renewed = self.renew_keys(keys, value, ttl).await;
            renewed.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn release<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let released = self.release_keys(keys, value).await;
            released.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn remember<'a>(
        &'a self,
        key: &'a [u8],
        new: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        let change = |old: Vec<u8>| {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let known = fields(&old).into_iter();
            let mut object: serde_json::Map<String, serde_json::Value> = known
                .map(|(name, value)| (text(name), text(value).into()))
                .collect();
            object.extend(new.iter().map(|(n, v)| (n.clone(), v.clone().into())));
            serde_json::Value::Object(object).to_string()
        };
        self.rewrite(key, "hash", i64::MAX, change).boxed()
    }

    fn push<'a>(
        &'a self,
        key: &'a [u8],
        item: &'a [u8],
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        let change = move |old: Vec<u8>| {
            let mut items = list(&old);
            items.insert(0, String::from_utf8_lossy(item).into_owned());
            items.truncate(keep);
            serde_json::json!(items).to_string()
        };
        self.rewrite(key, LIST, until(ttl), change).boxed()
    }

    fn items<'a>(
        &'a self,
        key: &'a [u8],
        first: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, Failure>> {
        async move {
            let row = self.row(key).await?;
            let items = row.map(|row| list(&row.value)).unwrap_or_default();
            Ok(items
                .into_iter()
                .take(first)
                .map(String::into_bytes)
                .collect())
        }
        .boxed()
    }

    fn append<'a>(
        &'a self,
        key: &'a [u8],
        items: &'a [Vec<u8>],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let appended = self.append_items(key, items, ttl).await;
            appended.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn range<'a>(
        &'a self,
        key: &'a [u8],
        first: usize,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, Failure>> {
        async move {
            let items = self.items_from(key, first, count).await;
            items.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn forget<'a>(
        &'a self,
        key: &'a [u8],
        gone: &'a [String],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        let change = |old: Vec<u8>| {
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(&old).unwrap_or_default();
            object.retain(|name, _| !gone.contains(name));
            serde_json::Value::Object(object).to_string()
        };
        self.rewrite(key, "hash", i64::MAX, change).boxed()
    }
}
