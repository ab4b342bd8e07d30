//! What memory the server has, and what a key costs there.

use futures_util::future::join_all;
use redis::{Pipeline, Value as Reply};

use super::look::number;
use super::node::Node;
use super::questions::Questions;
use super::{RedisCache, pipe, words};
use crate::application::ports::{Known, Overhead, Room};

/// Keys that a cost is measured on where none of ours is there.
const ANY_KEYS: usize = 50;

/// A key's slot in the server's table of keys, which MEMORY USAGE leaves out: 8 bytes in a table
/// that is from half to all full.
const SLOT_BYTES: f64 = 12.0;

/// One server's memory.
struct Memory {
    used: Known<u64>,
    max: Known<Option<u64>>,
    policy: Known<String>,
}

impl RedisCache {
    pub(super) async fn measure_room(&self, keys: &[Vec<u8>]) -> Room {
        let nodes = self.servers.primaries();
        let all = join_all(nodes.iter().map(|node| memory(node))).await;
        let shares = nodes.iter().map(|node| self.servers.share(node));
        let Memory { used, max, policy } = together(all, &shares.collect::<Vec<_>>());
        Room {
            used,
            max,
            policy,
            overhead: self.measure_overhead(keys).await,
        }
    }

    /// What keys cost beside their own bytes: on some of ours, else on some that are there.
    async fn measure_overhead(&self, keys: &[Vec<u8>]) -> Known<Overhead> {
        let node = self.any_node();
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
        let add = |pipe: &mut Pipeline, i: usize| {
            // The length of a text; other types have no such length and are left out.
            pipe.cmd("STRLEN").arg(&keys[i]);
            pipe.cmd("MEMORY").arg("USAGE").arg(&keys[i]);
            pipe.arg("SAMPLES").arg(0);
        };
        let questions = Questions {
            keys: keys.iter().map(Vec::as_slice).collect(),
            commands: 2,
            add,
        };
        let mut replies = self
            .ask(&questions)
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
            per_key: cost / measured as f64 + SLOT_BYTES + expiry_cost(&node).await?,
            keys: measured,
        })
    }

    /// Some keys of the cache, whosever they are.
    async fn any_keys(&self) -> Known<Vec<Vec<u8>>> {
        let mut pipe = pipe();
        for _ in 0..ANY_KEYS {
            pipe.cmd("RANDOMKEY");
        }
        let mut replies = Vec::new();
        for node in self.servers.primaries() {
            replies.extend(node.ask(&pipe).await.map_err(|failure| failure.why)?);
        }
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

/// The memory of several servers as one: what fits until the first of them is full, where each gets
/// its share of the keys. The policy is that server's.
fn together(all: Vec<Memory>, shares: &[f64]) -> Memory {
    let mut all: Vec<(Memory, f64)> = all.into_iter().zip(shares.iter().copied()).collect();
    if all.len() == 1 {
        return all.remove(0).0;
    }
    let used = all.iter().map(|(memory, _)| memory.used.clone()).sum();
    // What can still be written in all, as far as one server is concerned.
    let free = |memory: &Memory, share: f64| -> Known<Option<u64>> {
        let (used, max) = (memory.used.clone()?, memory.max.clone()?);
        Ok(max.map(|max| (max.saturating_sub(used) as f64 / share.max(f64::EPSILON)) as u64))
    };
    let mut tightest: Option<(u64, Known<String>)> = None;
    for (memory, share) in &all {
        match free(memory, *share) {
            Ok(Some(bytes)) if tightest.as_ref().is_none_or(|(least, _)| bytes < *least) => {
                tightest = Some((bytes, memory.policy.clone()));
            }
            Ok(_) => {}
            Err(why) => {
                return Memory {
                    used,
                    max: Err(why),
                    policy: memory.policy.clone(),
                };
            }
        }
    }
    let first = all.swap_remove(0).0.policy;
    match tightest {
        Some((free, policy)) => Memory {
            max: used
                .clone()
                .map(|used: u64| Some(used.saturating_add(free))),
            used,
            policy,
        },
        None => Memory {
            used,
            max: Ok(None),
            policy: first,
        },
    }
}

async fn memory(node: &Node) -> Memory {
    let info = info(node, "memory").await;
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
    Memory {
        used: bytes("used_memory"),
        max: bytes("maxmemory").map(|max| (max > 0).then_some(max)),
        policy: figure("maxmemory_policy"),
    }
}

/// A section of INFO.
async fn info(node: &Node, section: &str) -> Known<Vec<(String, String)>> {
    let mut pipe = pipe();
    pipe.cmd("INFO").arg(section);
    let reply = node.ask(&pipe).await.map_err(|failure| failure.why)?.pop();
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

/// What the table of expiry times costs a key; MEMORY USAGE leaves it out.
async fn expiry_cost(node: &Node) -> Known<f64> {
    let mut pipe = pipe();
    pipe.cmd("MEMORY").arg("STATS");
    let reply = node.ask(&pipe).await.map_err(|failure| failure.why)?.pop();
    let stats = match reply {
        Some(Ok(stats)) => stats,
        Some(Err(error)) => return Err(words(&error)),
        None => return Err("no answer".to_owned()),
    };
    let figure = |reply: &Reply| match reply {
        Reply::Int(figure) => Some(*figure as f64),
        _ => None,
    };
    let db = node.info().redis_settings().db();
    let table = member(&stats, &format!("db.{db}"))
        .and_then(|db| member(db, "overhead.hashtable.expires"))
        .and_then(figure);
    // Where INFO does not tell how many keys expire, all are taken to.
    let expiring = match info(node, "keyspace").await {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(used: u64, max: Option<u64>, policy: &str) -> Memory {
        Memory {
            used: Ok(used),
            max: Ok(max),
            policy: Ok(policy.to_owned()),
        }
    }

    #[test]
    fn the_server_that_is_full_first_decides() {
        let all = vec![
            of(10, Some(100), "noeviction"),
            of(70, Some(100), "allkeys-lru"),
            of(10, None, "noeviction"),
        ];
        let all = together(all, &[0.25, 0.25, 0.5]);
        // 30 bytes are left for a quarter of the keys.
        assert_eq!((all.used, all.max), (Ok(90), Ok(Some(90 + 120))));
        assert_eq!(all.policy.unwrap(), "allkeys-lru");
        let none = together(vec![of(1, None, "x"), of(2, None, "x")], &[0.5, 0.5]);
        assert_eq!((none.used, none.max), (Ok(3), Ok(None)));
    }
}
