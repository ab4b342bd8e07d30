//! Cache misses of clients, from keyspace events.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use redis::{RedisResult, Value as Reply};

use super::RedisCache;
use super::node::Node;
use super::reply::{self, pipe, shown, words};
use crate::application::ports::{Known, Misses};
use crate::domain::failure::{Failure, FailureKind};

/// The setting and the flags it needs: `E` for events by name, `m` for misses, which `A` (all) does
/// not include.
const SETTING: &str = "notify-keyspace-events";
const NEEDED: [char; 2] = ['E', 'm'];

/// A changed setting.
struct Changed {
    node: Arc<Node>,
    was: String,
    is: String,
}

impl RedisCache {
    /// Listens on every primary: nodes report only their own keys.
    pub(super) async fn listen_for_misses(&self, set_events: bool) -> Result<Misses, Failure> {
        let nodes = self.servers.primaries();
        let mut heard = Vec::new();
        for node in &nodes {
            heard.push(events(node).await?);
        }
        let mut doubt = None;
        let mut changed: Vec<Changed> = Vec::new();
        for node in nodes {
            let place = node.peer.place();
            let done = match setting(&node).await {
                Ok(Ok(was)) => match missing(&was) {
                    missing if missing.is_empty() => Ok(()),
                    missing if set_events => {
                        let is = format!("{was}{missing}");
                        let value = is.clone();
                        // Also if no answer comes: the setting may have changed.
                        changed.push(Changed { node: Arc::clone(&node), was, is });
                        set(&node, &value).await.map_err(|why| not_set(&place, &why))
                    }
                    missing => Err(off(&place, &was, &missing)),
                },
                Ok(Err(why)) if set_events => Err(not_set(&place, &why)),
                Ok(Err(why)) => {
                    doubt = Some(format!("cannot read {SETTING} of {place}: {why}"));
                    Ok(())
                }
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                // Restore the servers first: a failure there is worse.
                restore(changed).await?;
                return Err(failure);
            }
        }
        let notes = changed.iter().map(|changed| {
            let (place, was, is) = (changed.node.peer.place(), &changed.was, &changed.is);
            format!("{place}: set {SETTING} to \"{is}\" while listening; it was \"{was}\"")
        });
        Ok(Misses {
            changed: notes.collect(),
            doubt,
            keys: stream::select_all(heard).boxed(),
            restore: restore(changed).boxed(),
        })
    }
}

/// The misses of one server, until the connection is lost.
async fn events(node: &Arc<Node>) -> Result<BoxStream<'static, Result<Vec<u8>, Failure>>, Failure> {
    let channel = format!("__keyevent@{}__:keymiss", node.peer.info.redis_settings().db());
    let heard = node.subscribe(&channel).await.map_err(|error| {
        let failure = node.peer.connect_failure(&error);
        match error.code() {
            Some("NOPERM") => {
                let hint = format!("it needs +subscribe and the channel: &{channel}");
                node.peer.denied(&error).hint(hint)
            }
            _ => failure,
        }
    })?;
    let gone = node.peer.no_answer("the connection was lost while listening for misses");
    let keys = heard.map(|message| Ok(message.get_payload_bytes().to_vec()));
    Ok(keys.chain(stream::once(async { Err(gone) })).boxed())
}

/// Sends a command with retries, since a changed setting must be restored.
async fn ask(node: &Node, command: &[&str]) -> Result<RedisResult<Reply>, Failure> {
    let mut question = pipe();
    for (nth, word) in command.iter().enumerate() {
        match nth {
            0 => question.cmd(word),
            _ => question.arg(word),
        };
    }
    let reply = node.ask(&question).await?.pop();
    reply.ok_or_else(|| node.peer.no_answer("no answer"))
}

/// The value of the setting.
async fn setting(node: &Node) -> Result<Known<String>, Failure> {
    let reply = ask(node, &["CONFIG", "GET", SETTING]).await?;
    let value = reply.map(|reply| reply::setting(reply, SETTING));
    Ok(match value {
        Ok(value) => value.ok_or_else(|| "the server does not have this setting".to_owned()),
        Err(error) => Err(words(&error)),
    })
}

fn missing(setting: &str) -> String {
    NEEDED.iter().filter(|flag| !setting.contains(**flag)).collect()
}

async fn set(node: &Node, value: &str) -> Known<()> {
    match ask(node, &["CONFIG", "SET", SETTING, value]).await {
        Ok(Ok(Reply::Okay)) => Ok(()),
        Ok(Ok(_)) => Err("the answer was not OK".to_owned()),
        Ok(Err(error)) => Err(words(&error)),
        Err(failure) => Err(failure.to_string()),
    }
}

/// Restores the setting, unless somebody else has changed it.
async fn restore(changed: Vec<Changed>) -> Result<(), Failure> {
    let mut failed = None;
    for Changed { node, was, is } in changed {
        let restored = match setting(&node).await {
            Ok(Ok(now)) if !same(&now, &is) => Ok(()),
            _ => set(&node, &was).await,
        };
        let Err(why) = restored else { continue };
        let what = format!("{SETTING} of {} could not be restored", node.peer.place());
        let failure = Failure::new(FailureKind::CacheRefused, what, why);
        failed.get_or_insert(failure.hint(format!("CONFIG SET {SETTING} \"{was}\"")));
    }
    failed.map_or(Ok(()), Err)
}

/// Whether two values have the same flags, in any order.
fn same(a: &str, b: &str) -> bool {
    let flags = |setting: &str| {
        let mut flags: Vec<char> = setting.chars().collect();
        flags.sort_unstable();
        flags
    };
    flags(a) == flags(b)
}

fn off(place: &str, was: &str, missing: &str) -> Failure {
    let was_shown = shown(was);
    let what = format!("the cache at {place} does not report misses");
    let why = format!("{SETTING} is \"{was_shown}\", without {missing}");
    Failure::new(FailureKind::Config, what, why)
        .hint("turn them on while probing with --set-events, or read a log with --access-log FILE")
}

fn not_set(place: &str, why: &str) -> Failure {
    let what = format!("the cache at {place} does not allow turning on its events");
    Failure::new(FailureKind::CacheDenied, what, why)
        .hint("grant +config|get and +config|set, turn on the events yourself, or use --access-log")
}
