//! What the tool keeps for itself in the embedded cache: claims with a time, a hash and a list.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::{Connection as _, SqliteConnection};

use super::{STORE, SqliteCache, fields, now_millis};
use crate::application::ports::Ledger;
use crate::domain::failure::Failure;

const CLAIM: &str = "claim";
const LIST: &str = "list";

const RENEW: &str =
    "UPDATE entries SET expires_at = ? WHERE key = ? AND value = ? AND expires_at > ?";

impl SqliteCache {
    async fn claim_key(
        &self,
        key: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let until = until(ttl);
        let taken = put(&mut transaction, key, CLAIM, value, until, false).await? > 0;
        let found = match taken {
            true => None,
            false => value_of(&mut transaction, key).await?,
        };
        transaction.commit().await?;
        Ok(found)
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
            put(&mut transaction, key, kind, new.as_bytes(), until, true).await?;
            transaction.commit().await
        };
        rewriting.await.map_err(|error| self.unreadable(&error))
    }
}

/// Stores an entry; the number of rows that changed.
async fn put(
    connection: &mut SqliteConnection,
    key: &[u8],
    kind: &'static str,
    value: &[u8],
    until: i64,
    over: bool,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(STORE)
        .bind(key)
        .bind(kind)
        .bind(value)
        .bind(until)
        .bind(over)
        .bind(now_millis())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
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
        key: &'a [u8],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Failure>> {
        async move {
            let claimed = self.claim_key(key, value, ttl).await;
            claimed.map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn renew<'a>(
        &'a self,
        key: &'a [u8],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        async move {
            let mut connection = self.connection.lock().await;
            let done = sqlx::query(RENEW)
                .bind(until(ttl))
                .bind(key)
                .bind(value)
                .bind(now_millis())
                .execute(&mut *connection)
                .await;
            done.map(|done| done.rows_affected() > 0)
                .map_err(|error| self.unreadable(&error))
        }
        .boxed()
    }

    fn release<'a>(&'a self, key: &'a [u8], value: &'a [u8]) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let mut connection = self.connection.lock().await;
            let done = sqlx::query("DELETE FROM entries WHERE key = ? AND value = ?")
                .bind(key)
                .bind(value)
                .execute(&mut *connection)
                .await;
            done.map(drop).map_err(|error| self.unreadable(&error))
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
}
