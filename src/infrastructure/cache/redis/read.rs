//! Reads one key completely.

use redis::{Pipeline, Value as Reply};

use super::RedisCache;
use super::reply::{self, number, pairs, text, words};
use crate::application::ports::{Cached, CachedValue};
use crate::domain::failure::Failure;

impl RedisCache {
    pub(super) async fn read_key(&self, key: &[u8]) -> Result<Option<Cached>, Failure> {
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("PTTL").arg(key).cmd("GET").arg(key);
        };
        let mut replies = self.ask_about(key, 2, add).await?.into_iter();
        let ttl = replies.next();
        let value = match replies.next() {
            Some(Ok(Reply::BulkString(text))) => CachedValue::Text(text),
            Some(Ok(_)) => return Ok(None),
            Some(Err(error)) if error.code() == Some("WRONGTYPE") => {
                match self.read_fields(key).await? {
                    Some(value) => value,
                    None => return Ok(None),
                }
            }
            Some(Err(error)) => return Err(self.servers.any().peer.denied(&error)),
            None => return Ok(None),
        };
        // Show the value even if the TTL may not be read.
        let ttl = number(ttl).map(reply::ttl).map_err(|error| words(&error));
        Ok(Some(Cached { value, ttl }))
    }

    async fn read_fields(&self, key: &[u8]) -> Result<Option<CachedValue>, Failure> {
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("HGETALL").arg(key).cmd("TYPE").arg(key);
        };
        let mut replies = self.ask_about(key, 2, add).await?.into_iter();
        let fields = replies.next();
        let kind = replies
            .next()
            .and_then(Result::ok)
            .and_then(text)
            .unwrap_or_default();
        match fields {
            Some(Ok(reply)) => Ok(Some(CachedValue::Hash(pairs(reply)))),
            Some(Err(error)) if error.code() == Some("WRONGTYPE") => {
                Ok(Some(CachedValue::Other(kind)))
            }
            Some(Err(error)) => Err(self.servers.any().peer.denied(&error)),
            None => Ok(None),
        }
    }
}
