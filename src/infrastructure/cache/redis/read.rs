//! Reads one key completely.

use redis::{Pipeline, Value as Reply};

use super::RedisCache;
use super::reply::{self, number, text, words};
use super::values::{add_read, parts};
use crate::application::ports::{Cached, CachedValue};
use crate::domain::entry::Collection;
use crate::domain::failure::Failure;
use crate::domain::standing::Kind;

impl RedisCache {
    pub(super) async fn read_key(&self, key: &[u8]) -> Result<Option<Cached>, Failure> {
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("PTTL").arg(key).cmd("GET").arg(key);
        };
        let mut replies = self.ask_about(key, 2, &add).await?.into_iter();
        let ttl = replies.next();
        let value = match replies.next() {
            Some(Ok(Reply::BulkString(text))) => CachedValue::Text(text),
            Some(Ok(_)) => return Ok(None),
            Some(Err(error)) if error.code() == Some("WRONGTYPE") => {
                match self.read_typed(key).await? {
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

    /// A value of another type than text. Most are hashes: asks for one at once.
    async fn read_typed(&self, key: &[u8]) -> Result<Option<CachedValue>, Failure> {
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("HGETALL").arg(key).cmd("TYPE").arg(key);
        };
        let mut replies = self.ask_about(key, 2, &add).await?.into_iter();
        let fields = replies.next();
        let kind = replies.next().and_then(Result::ok).and_then(text);
        let kind = Kind::named(&kind.unwrap_or_default());
        let error = match fields {
            None => return Ok(None),
            Some(Ok(reply)) => {
                let fields = parts(Collection::Hash, reply);
                return Ok(Some(CachedValue::Collection(Collection::Hash, fields)));
            }
            Some(Err(error)) => error,
        };
        match kind {
            Kind::Set | Kind::SortedSet | Kind::Json => self.read_as(key, kind).await,
            _ if error.code() == Some("WRONGTYPE") => {
                Ok(Some(CachedValue::Other(kind.name().to_owned())))
            }
            _ => Err(self.servers.any().peer.denied(&error)),
        }
    }

    async fn read_as(&self, key: &[u8], kind: Kind) -> Result<Option<CachedValue>, Failure> {
        let read = |pipe: &mut Pipeline| {
            add_read(pipe, &kind, key);
        };
        let reply = match self.ask_about(key, 1, &read).await?.pop() {
            None | Some(Ok(Reply::Nil)) => return Ok(None),
            Some(Ok(reply)) => reply,
            Some(Err(error)) => return Err(self.servers.any().peer.denied(&error)),
        };
        let collection = match (&kind, reply) {
            (Kind::Json, Reply::BulkString(text)) => return Ok(Some(CachedValue::Json(text))),
            (Kind::Set, reply) => (Collection::Set, parts(Collection::Set, reply)),
            (_, reply) => (Collection::SortedSet, parts(Collection::SortedSet, reply)),
        };
        // The last part takes the key along.
        let (collection, parts) = collection;
        Ok((!parts.is_empty()).then_some(CachedValue::Collection(collection, parts)))
    }
}
