//! When keys were last used, and their size. Asking does not count as use.

use std::time::Duration;

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::reply::{number, words};
use super::vitals::ask;
use crate::application::ports::{Known, LastUse, Usage};
use crate::domain::failure::Failure;

impl RedisCache {
    pub(super) async fn measure_usage(&self, keys: &[&[u8]]) -> Result<Vec<Usage>, Failure> {
        let mut last = self.object("IDLETIME", keys).await?;
        // A server that evicts by frequency keeps that instead of the time.
        let by_frequency = |reply: &RedisResult<Reply>| match reply {
            Err(error) => error.detail().is_some_and(|text| text.contains("LFU")),
            Ok(_) => false,
        };
        let is_frequency = last.iter().any(by_frequency);
        if is_frequency {
            last = self.object("FREQ", keys).await?;
        }
        let bytes = self.bytes(keys).await?;
        let both = last.into_iter().zip(bytes);
        let usage = |(last, bytes): (RedisResult<Reply>, Known<u64>)| {
            let last = match last {
                Ok(Reply::Int(count)) if is_frequency => {
                    LastUse::Frequency(u8::try_from(count).unwrap_or(u8::MAX))
                }
                Ok(Reply::Int(secs)) => {
                    LastUse::Ago(Duration::from_secs(u64::try_from(secs).unwrap_or(0)))
                }
                Ok(_) => LastUse::Gone,
                Err(error) => return Err(self.does_not_tell(&error)),
            };
            Ok(Usage { last, bytes })
        };
        both.map(usage).collect()
    }

    /// Servers before 7.2 do not know how not to.
    pub(super) async fn marks_what_we_read(&self) -> bool {
        let mut no_touch = redis::cmd("CLIENT");
        no_touch.arg("NO-TOUCH").arg("ON");
        for node in self.servers.primaries() {
            if ask(&node, &no_touch).await.0.is_err() {
                return true;
            }
        }
        false
    }

    async fn object(&self, what: &str, keys: &[&[u8]]) -> Result<Vec<RedisResult<Reply>>, Failure> {
        let add = |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("OBJECT").arg(what).arg(keys[i]);
        };
        self.ask(keys.to_vec(), 1, &add).await
    }

    async fn bytes(&self, keys: &[&[u8]]) -> Result<Vec<Known<u64>>, Failure> {
        let add = |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("MEMORY").arg("USAGE").arg(keys[i]);
        };
        let replies = self.ask(keys.to_vec(), 1, &add).await?.into_iter();
        let bytes = replies.map(|reply| match number(Some(reply)) {
            // The key is gone by now.
            Ok(bytes) => Ok(u64::try_from(bytes).unwrap_or(0)),
            Err(error) => Err(words(&error)),
        });
        Ok(bytes.collect())
    }

    fn does_not_tell(&self, error: &RedisError) -> Failure {
        let failure = self.refused(error);
        failure.hint("it needs +object|idletime, +object|freq and +memory|usage")
    }
}
