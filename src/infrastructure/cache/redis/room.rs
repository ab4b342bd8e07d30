//! What memory the server has, and what a key costs there.

use redis::Value as Reply;

use super::look::number;
use super::{RedisCache, words};
use crate::application::ports::{Known, Overhead, Room};

/// Keys that a cost is measured on where none of ours is there.
const ANY_KEYS: usize = 50;

/// A key's slot in the server's table of keys, which MEMORY USAGE leaves out: 8 bytes in a table
/// that is from half to all full.
const SLOT_BYTES: f64 = 12.0;

impl RedisCache {
    pub(super) async fn measure_room(&self, keys: &[Vec<u8>]) -> Room {
        let info = self.info("memory").await;
        let figure = |name: &str| {
            let info = info.as_ref().map_err(Clone::clone)?;
            let value = info.iter().find(|(field, _)| field == name);
            value
                .map(|(_, value)| value.clone())
                .ok_or_else(|| format!("INFO has no {name}"))
        };
        let bytes = |name: &str| {
            let value = figure(name)?;
            value
                .parse::<u64>()
                .map_err(|_| format!("{name} is no number"))
        };
        Room {
            used: bytes("used_memory"),
            max: bytes("maxmemory").map(|max| (max > 0).then_some(max)),
            policy: figure("maxmemory_policy"),
            overhead: self.measure_overhead(keys).await,
        }
    }

    /// A section of INFO.
    pub(super) async fn info(&self, section: &str) -> Known<Vec<(String, String)>> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors().cmd("INFO").arg(section);
        let reply = self.ask(&pipe).await.map_err(|failure| failure.why)?.pop();
        let text = match reply {
            Some(Ok(reply)) => redis::from_redis_value::<String>(reply)
                .map_err(|_| "INFO answers in another form".to_owned())?,
            Some(Err(error)) => return Err(words(&error)),
            None => return Err("no answer".to_owned()),
        };
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Ok(lines
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect())
    }

    /// What keys cost beside their own bytes: on some of ours, else on some that are there.
    async fn measure_overhead(&self, keys: &[Vec<u8>]) -> Known<Overhead> {
        let any = if keys.is_empty() {
            self.any_keys().await?
        } else {
            Vec::new()
        };
        let keys = if keys.is_empty() { &any } else { keys };
        let nothing = || Err("the cache holds no string to measure it on".to_owned());
        // A pipeline without commands is an error.
        if keys.is_empty() {
            return nothing();
        }
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        for key in keys {
            // The length of a text; other types have no such length and are left out.
            pipe.cmd("STRLEN").arg(key);
            pipe.cmd("MEMORY")
                .arg("USAGE")
                .arg(key)
                .arg("SAMPLES")
                .arg(0);
        }
        let mut replies = self
            .ask(&pipe)
            .await
            .map_err(|failure| failure.why)?
            .into_iter();
        let (mut cost, mut measured) = (0.0, 0_usize);
        for key in keys {
            let (length, usage) = (number(replies.next()), number(replies.next()));
            match (length, usage) {
                (Ok(length), Ok(usage)) if usage > 0 && length > 0 => {
                    cost += usage as f64 - length as f64 - key.len() as f64;
                    measured += 1;
                }
                (_, Err(error)) if error.code() == Some("NOPERM") => return Err(words(&error)),
                (_, Err(error)) if error.code() == Some("ERR") => return Err(words(&error)),
                _ => {}
            }
        }
        if measured == 0 {
            return nothing();
        }
        Ok(Overhead {
            per_key: cost / measured as f64 + SLOT_BYTES + self.expiry_cost().await?,
            keys: measured,
        })
    }

    /// What the table of expiry times costs a key; MEMORY USAGE leaves it out.
    async fn expiry_cost(&self) -> Known<f64> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors().cmd("MEMORY").arg("STATS");
        let reply = self.ask(&pipe).await.map_err(|failure| failure.why)?.pop();
        let stats = match reply {
            Some(Ok(stats)) => stats,
            Some(Err(error)) => return Err(words(&error)),
            None => return Err("no answer".to_owned()),
        };
        let figure = |reply: &Reply| match reply {
            Reply::Int(figure) => Some(*figure as f64),
            _ => None,
        };
        let db = self.client.get_connection_info().redis_settings().db();
        let table = member(&stats, &format!("db.{db}"))
            .and_then(|db| member(db, "overhead.hashtable.expires"))
            .and_then(figure);
        // Where INFO does not tell how many keys expire, all are taken to.
        let expiring = match self.info("keyspace").await {
            Ok(keyspace) => keyspace
                .iter()
                .find(|(name, _)| *name == format!("db{db}"))
                .and_then(|(_, counts)| counts.split(',').find_map(|c| c.strip_prefix("expires=")))
                .and_then(|count| count.parse().ok()),
            Err(_) => member(&stats, "keys.count").and_then(figure),
        };
        // Where no key expires there is no such table to measure.
        Ok(match (table, expiring) {
            (Some(table), Some(keys)) if keys > 0.0 => table / keys,
            _ => 0.0,
        })
    }

    /// Some keys of the cache, whosever they are.
    async fn any_keys(&self) -> Known<Vec<Vec<u8>>> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        for _ in 0..ANY_KEYS {
            pipe.cmd("RANDOMKEY");
        }
        let replies = self.ask(&pipe).await.map_err(|failure| failure.why)?;
        let mut keys = Vec::new();
        for reply in replies {
            match reply {
                Ok(Reply::BulkString(key)) => keys.push(key),
                Ok(_) => {}
                Err(error) => return Err(words(&error)),
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}

/// A member of a map, in either protocol's form.
fn member<'r>(map: &'r Reply, name: &str) -> Option<&'r Reply> {
    let is_it = |key: &Reply| matches!(key, Reply::BulkString(key) if key == name.as_bytes());
    match map {
        Reply::Array(items) => {
            let mut pairs = items.chunks_exact(2);
            pairs.find(|pair| is_it(&pair[0])).map(|pair| &pair[1])
        }
        Reply::Map(items) => items.iter().find(|(key, _)| is_it(key)).map(|(_, v)| v),
        _ => None,
    }
}
