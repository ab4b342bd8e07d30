//! A cache in memory, for tests and experiments: it behaves like Redis, in milliseconds, with a
//! clock that can be moved and failures on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde_json::Value as Json;

use ::shopwarm::application::ports::{
    Answer, Cache, Cached, CachedValue, Claimed, Deletion, Extended, Known, MetaStore, Mode,
    WriteOptions, WriteOutcome, Written,
};
use ::shopwarm::domain::double;
use ::shopwarm::domain::entry::{Collection, Entry, EntryBatch, Value};
use ::shopwarm::domain::failure::Failure;
use ::shopwarm::domain::form::Form;
use ::shopwarm::domain::json_equality;
use ::shopwarm::domain::standing::{Held, Kind, Standing};
use ::shopwarm::domain::sync::lock;
use ::shopwarm::domain::ttl::Ttl;
use ::shopwarm::domain::version::is_newer;

const KEYS_PER_STEP: usize = 1000;

pub struct MemoryCache(Mutex<State>);

struct State {
    items: BTreeMap<Vec<u8>, Item>,
    started: Instant,
    /// How far the clock was moved.
    advanced: Duration,
    epoch: u64,
    evicted: u64,
    refusal: Option<Failure>,
    lost_answers: usize,
}

struct Item {
    value: Stored,
    /// On the cache's clock.
    expires: Option<Duration>,
}

#[derive(Clone, PartialEq)]
enum Stored {
    Text(Vec<u8>),
    /// As RedisJSON writes it.
    Json(Vec<u8>),
    Collection(Collection, BTreeMap<Vec<u8>, Vec<u8>>),
    List(VecDeque<Vec<u8>>),
}

impl From<Entry<'_>> for Stored {
    fn from(entry: Entry<'_>) -> Self {
        match entry.value {
            Value::Text(text) => Self::Text(text.to_vec()),
            Value::Json(text) => Self::Json(double::document_as_held(text)),
            Value::Collection(collection, pairs) => {
                let pairs = pairs.iter().map(|(n, v)| (n.to_vec(), v.to_vec()));
                Self::Collection(collection, pairs.collect())
            }
        }
    }
}

impl Stored {
    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Json(_) => Kind::Json,
            Self::Collection(collection, _) => (*collection).into(),
            Self::List(_) => Kind::Other("list".to_owned()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Collection(_, pairs) => pairs.iter().map(|(n, v)| n.len() + v.len()).sum(),
            Self::List(items) => items.iter().map(Vec::len).sum(),
        }
    }

    /// The version in a value's field.
    fn field(&self, name: &str) -> Option<Json> {
        match self {
            Self::Text(text) => {
                let mut value: Json = serde_json::from_slice(text).ok()?;
                Some(value.get_mut(name)?.take())
            }
            Self::Collection(Collection::Hash, fields) => {
                let value = fields.get(name.as_bytes())?;
                Some(String::from_utf8_lossy(value).into())
            }
            Self::Json(_) | Self::Collection(..) | Self::List(_) => None,
        }
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self(Mutex::new(State {
            items: BTreeMap::new(),
            started: Instant::now(),
            advanced: Duration::ZERO,
            epoch: 0,
            evicted: 0,
            refusal: None,
            lost_answers: 0,
        }))
    }
}

impl MemoryCache {
    /// Moves the clock: entries expire without waiting.
    pub fn advance(&self, by: Duration) {
        self.state().advanced += by;
    }

    /// Forgets everything, like a server that restarts.
    pub fn restart(&self) {
        let mut state = self.state();
        state.items.clear();
        state.epoch += 1;
    }

    /// Fails every request until set to `None`.
    pub fn refuse(&self, failure: Option<Failure>) {
        self.state().refusal = failure;
    }

    /// Stores the next batches without an answer: their keys are unknown.
    pub fn lose_answers(&self, batches: usize) {
        self.state().lost_answers = batches;
    }

    /// Evicts a key.
    pub fn evict(&self, key: &[u8]) {
        let mut state = self.state();
        state.items.remove(key);
        state.evicted += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Does not wait.
    fn answer<T>(&self, ask: impl FnOnce(&mut State) -> T) -> Answer<T> {
        let mut state = self.state();
        match state.refusal.clone() {
            Some(failure) => Err(failure),
            None => Ok(ask(&mut state)),
        }
    }
}

impl State {
    fn now(&self) -> Duration {
        self.started.elapsed() + self.advanced
    }

    fn get(&mut self, key: &[u8]) -> Option<&mut Item> {
        let now = self.now();
        let is_over = |item: &Item| item.expires.is_some_and(|at| at <= now);
        if self.items.get(key).is_some_and(is_over) {
            self.items.remove(key);
        }
        self.items.get_mut(key)
    }

    fn set(&mut self, key: &[u8], value: Stored, ttl: Option<Duration>) {
        let expires = ttl.map(|ttl| self.now() + ttl);
        self.items.insert(key.to_vec(), Item { value, expires });
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        self.get(key).is_some() && self.items.remove(key).is_some()
    }

    /// Refreshes the TTL if the value is this one, or any.
    fn refresh(&mut self, key: &[u8], ttl: Option<Duration>, only: Option<&Stored>) -> bool {
        let expires = ttl.map(|ttl| self.now() + ttl);
        match self.get(key) {
            Some(item) if only.is_none_or(|value| item.value == *value) => {
                item.expires = expires;
                true
            }
            _ => false,
        }
    }

    fn store(&mut self, entry: Entry<'_>, how: &WriteOptions) -> WriteOutcome {
        let value = Stored::from(entry);
        if let Some(item) = self.get(entry.key) {
            let field = how.version_field.as_deref();
            let versions = field.and_then(|name| item.value.field(name).zip(value.field(name)));
            let is_overtaken = versions.is_some_and(|(old, new)| is_newer(&old, &new));
            if how.mode == Mode::OnlyMissing || is_overtaken {
                return WriteOutcome::AlreadyPresent;
            }
        }
        self.set(entry.key, value, time(&how.ttl, entry.key));
        WriteOutcome::Stored
    }

    fn standing(&mut self, entry: Entry<'_>, form: Form) -> Standing {
        let now = self.now();
        let Some(item) = self.get(entry.key) else {
            return Standing::Nothing;
        };
        let ours = Stored::from(entry);
        let equal = match (&item.value, &ours) {
            (Stored::Text(cached), Stored::Text(text)) => form.same(cached, text),
            (Stored::Json(cached), Stored::Json(text)) => json_equality::same(cached, text),
            (cached, ours) => cached == ours,
        };
        Standing::Held(Held {
            kind: item.value.kind(),
            bytes: Some(item.value.bytes() as u64),
            ttl: item.expires.map(|at| at.saturating_sub(now)),
            equal,
        })
    }

    fn list(&mut self, key: &[u8], ttl: Duration) -> &mut VecDeque<Vec<u8>> {
        if !self.refresh(key, Some(ttl), None) {
            self.set(key, Stored::List(VecDeque::new()), Some(ttl));
        }
        match self.items.get_mut(key).map(|item| &mut item.value) {
            Some(Stored::List(items)) => items,
            _ => panic!("{key:?} is not a list"),
        }
    }

    fn hash(&mut self, key: &[u8]) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        if self.get(key).is_none() {
            let empty = Stored::Collection(Collection::Hash, BTreeMap::new());
            self.set(key, empty, None);
        }
        match self.items.get_mut(key).map(|item| &mut item.value) {
            Some(Stored::Collection(Collection::Hash, fields)) => fields,
            _ => panic!("{key:?} is not a hash"),
        }
    }
}

fn time(ttl: &Ttl, key: &[u8]) -> Option<Duration> {
    ttl.millis_for(key).map(Duration::from_millis)
}

#[async_trait]
impl Cache for MemoryCache {
    async fn write(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        let mut state = self.state();
        let written = match state.refusal.clone() {
            Some(failure) => Written {
                fatal: Some(failure.clone()),
                ..Written::new(vec![WriteOutcome::Failed(failure.why); batch.len()])
            },
            None => Written::new(batch.iter().map(|entry| state.store(entry, how)).collect()),
        };
        if written.fatal.is_none() && state.lost_answers > 0 {
            state.lost_answers -= 1;
            return Written::unknown(batch.len(), "no answer");
        }
        written
    }

    async fn inspect(&self, batch: &EntryBatch, form: Form) -> Answer<Vec<Standing>> {
        self.answer(|state| {
            let entries = batch.iter();
            entries.map(|entry| state.standing(entry, form)).collect()
        })
    }

    async fn read(&self, key: &[u8]) -> Answer<Option<Cached>> {
        self.answer(|state| {
            let now = state.now();
            let item = state.get(key)?;
            Some(Cached {
                value: match &item.value {
                    Stored::Text(text) => CachedValue::Text(text.clone()),
                    Stored::Json(text) => CachedValue::Json(text.clone()),
                    Stored::Collection(collection, pairs) => {
                        CachedValue::Collection(*collection, pairs.clone().into_iter().collect())
                    }
                    Stored::List(_) => CachedValue::Other("list".to_owned()),
                },
                ttl: Ok(item.expires.map(|at| at.saturating_sub(now))),
            })
        })
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        let found = self.answer(|state| {
            let all: Vec<Vec<u8>> = state.items.keys().cloned().collect();
            let has_prefix = all.into_iter().filter(|key| key.starts_with(prefix));
            let keys: Vec<Vec<u8>> = has_prefix.filter(|key| state.get(key).is_some()).collect();
            keys.chunks(KEYS_PER_STEP).map(<[_]>::to_vec).collect::<Vec<_>>()
        });
        let steps = match found {
            Ok(steps) => steps.into_iter().map(Ok).collect(),
            Err(failure) => vec![Err(failure)],
        };
        stream::iter(steps).boxed()
    }

    async fn epoch(&self) -> Answer<u64> {
        self.answer(|state| state.epoch)
    }

    fn meta(&self) -> &dyn MetaStore {
        self
    }

    async fn extend_if_equal(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Answer<Extended> {
        self.answer(|state| {
            let entries = picks.iter().filter_map(|i| batch.get(*i));
            let extend = |entry: Entry<'_>| {
                let (key, value) = (entry.key, Stored::from(entry));
                state.refresh(key, time(ttl, key), Some(&value))
            };
            let equal = entries.map(extend).collect();
            Extended { equal, sent: 0 }
        })
    }

    async fn delete_if_equal(&self, batch: &EntryBatch, picks: &[usize]) -> Answer<Vec<Deletion>> {
        self.answer(|state| {
            let entries = picks.iter().filter_map(|i| batch.get(*i));
            let mut delete = |entry: Entry<'_>| match state.get(entry.key) {
                None => Deletion::Absent,
                Some(item) if item.value != Stored::from(entry) => Deletion::NotEqual,
                Some(_) => {
                    state.remove(entry.key);
                    Deletion::Deleted
                }
            };
            entries.map(&mut delete).collect()
        })
    }

    async fn refresh_ttl(&self, keys: &[&[u8]], ttl: Ttl) -> Answer<Vec<bool>> {
        self.answer(|state| {
            let refresh = |key: &&[u8]| state.refresh(key, time(&ttl, key), None);
            keys.iter().map(refresh).collect()
        })
    }

    async fn remove(&self, keys: &[&[u8]]) -> Answer<Vec<bool>> {
        self.answer(|state| keys.iter().map(|key| state.remove(key)).collect())
    }

    async fn evicted(&self) -> Known<u64> {
        Ok(self.state().evicted)
    }
}

#[async_trait]
impl MetaStore for MemoryCache {
    async fn claim(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<Option<Claimed>> {
        self.answer(|state| {
            for (key, name) in keys.iter().enumerate() {
                if let Some(Item { value: Stored::Text(found), .. }) = state.get(name)
                    && found != value
                {
                    let value = found.clone();
                    return Some(Claimed { key, value });
                }
            }
            for key in keys {
                state.set(key, Stored::Text(value.to_vec()), Some(ttl));
            }
            None
        })
    }

    async fn renew(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<bool> {
        let ours = Stored::Text(value.to_vec());
        self.answer(|state| keys.iter().all(|key| state.refresh(key, Some(ttl), Some(&ours))))
    }

    async fn release(&self, keys: &[&[u8]], value: &[u8]) -> Answer<()> {
        let ours = Stored::Text(value.to_vec());
        self.answer(|state| {
            for key in keys {
                if state.get(key).is_some_and(|item| item.value == ours) {
                    state.remove(key);
                }
            }
        })
    }

    async fn set_fields(&self, key: &[u8], fields: &[(String, String)]) -> Answer<()> {
        let bytes = |text: &String| text.clone().into_bytes();
        let fields = fields.iter().map(|(name, value)| (bytes(name), bytes(value)));
        self.answer(|state| state.hash(key).extend(fields))
    }

    async fn delete_fields(&self, key: &[u8], fields: &[String]) -> Answer<()> {
        let is_gone = |name: &[u8]| fields.iter().any(|field| field.as_bytes() == name);
        self.answer(|state| state.hash(key).retain(|name, _| !is_gone(name)))
    }

    async fn prepend(&self, key: &[u8], item: &[u8], max: usize, ttl: Duration) -> Answer<()> {
        self.answer(|state| {
            let list = state.list(key, ttl);
            list.push_front(item.to_vec());
            list.truncate(max);
        })
    }

    async fn append(&self, key: &[u8], items: &[Vec<u8>], ttl: Duration) -> Answer<()> {
        self.answer(|state| state.list(key, ttl).extend(items.iter().cloned()))
    }

    async fn range(&self, key: &[u8], first: usize, count: usize) -> Answer<Vec<Vec<u8>>> {
        self.answer(|state| match state.get(key).map(|item| &item.value) {
            Some(Stored::List(items)) => items.iter().skip(first).take(count).cloned().collect(),
            _ => Vec::new(),
        })
    }
}
