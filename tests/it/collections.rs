//! Hashes, sets, sorted sets and documents: every cache keeps the same promises about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::memory_cache::MemoryCache;
use serde_json::Value;
use shopwarm::application::ports::{
    Cache, CachedValue, Deletion, Mode, WriteOptions, WriteOutcome,
};
use shopwarm::domain::entry::{Collection, EntryBatch};
use shopwarm::domain::standing::Standing;
use shopwarm::domain::strategy::Shape;
use shopwarm::domain::ttl::Ttl;

use crate::support::caches::{on, run};
use crate::support::servers::{Redis, RedisCluster};
use crate::support::tools::json_module;

const SHAPES: [(Shape, &str); 4] =
    [(Shape::Hash, "hash"), (Shape::Set, "set"), (Shape::SortedSet, "zset"), (Shape::Json, "json")];

/// An entry of each type, of so many parts; `other` changes one of them.
fn entry(shape: Shape, key: &str, parts: u32, other: bool) -> EntryBatch {
    let last = if other { "other" } else { "last" };
    let name = |n: u32| {
        if n == 0 { last.to_owned() } else { format!("name {n} ä\0") }
    };
    let value = |n: u32| match shape {
        Shape::Set => String::new(),
        Shape::SortedSet => {
            [format!("{n}.25"), format!("-{n}"), "1e300".to_owned()][n as usize % 3].clone()
        }
        _ => format!("value {n}"),
    };
    let parts: Vec<(String, String)> = (0..parts).map(|n| (name(n), value(n))).collect();
    let mut batch = EntryBatch::default();
    let collection = match shape {
        Shape::Hash => Collection::Hash,
        Shape::Set => Collection::Set,
        Shape::SortedSet => Collection::SortedSet,
        _ => {
            let text =
                format!("{{\"z\":12.50,\"big\":18446744073709551615,\"a\":[1.0,null,\"{last}\"]}}");
            let pushed = batch.push_document(key.as_bytes(), |out| {
                out.extend_from_slice(text.as_bytes());
                Ok::<(), std::convert::Infallible>(())
            });
            assert!(pushed.is_ok());
            return batch;
        }
    };
    let pairs = parts.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes().into()));
    batch.push_collection(key.as_bytes(), collection, pairs);
    batch
}

fn how(shape: Shape, mode: Mode) -> WriteOptions {
    WriteOptions {
        mode,
        form: shape.into(),
        ttl: Ttl::new(Duration::from_mins(10), 0.0),
        version_field: None,
    }
}

type Shapes = &'static [(Shape, &'static str)];

/// Every kind of cache, with the types that it can hold: Valkey has no documents, and Redis has them from a module.
fn on_every_cache<F: Future<Output = ()>>(promise: impl Fn(Arc<dyn Cache>, Shapes) -> F) {
    let module = json_module();
    let redis = Redis::start(&["--loadmodule", &module]);
    let cluster = RedisCluster::start_with(3, 0, &["--loadmodule", &module], None);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let embedded = format!("sqlite:{}", dir.path().join("cache.db").display());
    for url in [redis.url(), cluster.url(), embedded] {
        on(&url, |cache| promise(cache, &SHAPES));
    }
    let valkey = Redis::start_valkey(&[]);
    on(&valkey.url(), |cache| promise(cache, &SHAPES[..3]));
    run(promise(Arc::new(MemoryCache::default()), &SHAPES));
}

async fn stored(cache: &dyn Cache, batch: &EntryBatch, how: &WriteOptions) -> WriteOutcome {
    cache.write(batch, how).await.outcomes.remove(0)
}

/// Whether what is stored is the entry's value; `None`: there is nothing.
async fn is_equal(cache: &dyn Cache, batch: &EntryBatch, shape: Shape) -> Option<bool> {
    match cache.inspect(batch, shape.into()).await.expect("an answer").remove(0) {
        Standing::Held(held) => {
            let left = held.ttl.expect("a time");
            assert!(left > Duration::from_secs(500), "{left:?}");
            Some(held.equal)
        }
        Standing::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_type_is_written_compared_extended_and_deleted_where_it_is_ours() {
    on_every_cache(|cache, shapes| async move {
        let cache = cache.as_ref();
        for &(shape, name) in shapes {
            // One command is not enough for as many parts.
            for parts in [1, 3, 2500] {
                let key = format!("{name}:{parts}");
                let (ours, theirs) =
                    (entry(shape, &key, parts, false), entry(shape, &key, parts, true));
                let (refresh, missing) = (how(shape, Mode::Refresh), how(shape, Mode::OnlyMissing));
                assert_eq!(is_equal(cache, &ours, shape).await, None);
                assert_eq!(stored(cache, &ours, &missing).await, WriteOutcome::Stored);
                assert_eq!(is_equal(cache, &ours, shape).await, Some(true), "{key}");
                assert_eq!(is_equal(cache, &theirs, shape).await, Some(false), "{key}");
                assert_eq!(stored(cache, &theirs, &missing).await, WriteOutcome::AlreadyPresent);
                assert_eq!(stored(cache, &theirs, &refresh).await, WriteOutcome::Stored);
                assert_eq!(is_equal(cache, &theirs, shape).await, Some(true), "{key}");

                let read = cache.read(key.as_bytes()).await.expect("an answer").expect("there");
                match (&read.value, shape) {
                    (CachedValue::Collection(_, pairs), _) => {
                        assert_eq!(pairs.len(), parts as usize);
                    }
                    (CachedValue::Json(text), Shape::Json) => {
                        let value: Value = serde_json::from_slice(text).expect("JSON");
                        assert_eq!(value["a"][2], "other");
                    }
                    other => panic!("{other:?}"),
                }
                let ttl = Ttl::new(Duration::from_hours(2), 0.0);
                let extended = cache.extend_if_equal(&ours, &[0], &ttl).await.expect("compared");
                assert_eq!(extended.equal, [false], "{key}");
                let extended = cache.extend_if_equal(&theirs, &[0], &ttl).await.expect("compared");
                assert_eq!(extended.equal, [true], "{key}");
                let read = cache.read(key.as_bytes()).await.expect("an answer").expect("there");
                assert!(read.ttl.expect("known").expect("a time") > Duration::from_secs(7000));

                let delete = async |batch| cache.delete_if_equal(batch, &[0]).await.expect("asked");
                assert_eq!(delete(&ours).await, [Deletion::NotEqual], "{key}");
                assert_eq!(delete(&theirs).await, [Deletion::Deleted], "{key}");
                assert_eq!(delete(&theirs).await, [Deletion::Absent], "{key}");
            }
        }
    });
}

#[test]
fn another_type_is_seen_and_replaced() {
    on_every_cache(|cache, shapes| async move {
        let cache = cache.as_ref();
        for &(shape, name) in shapes {
            for &(other, there) in shapes {
                let (ours, theirs) = (entry(shape, "k", 3, false), entry(other, "k", 3, false));
                stored(cache, &theirs, &how(other, Mode::Refresh)).await;
                let standing =
                    cache.inspect(&ours, shape.into()).await.expect("an answer").remove(0);
                let Standing::Held(held) = standing else { panic!("{standing:?}") };
                assert_eq!((held.kind.name(), held.equal), (there, name == there));
                if name != there {
                    let deleted = cache.delete_if_equal(&ours, &[0]).await.expect("asked");
                    assert_eq!(deleted, [Deletion::NotEqual], "{name} {there}");
                }
                assert_eq!(
                    stored(cache, &ours, &how(shape, Mode::Refresh)).await,
                    WriteOutcome::Stored
                );
                assert_eq!(is_equal(cache, &ours, shape).await, Some(true), "{name} {there}");
            }
        }
    });
}

/// Readers that look all the time see one value or the other, never a part of one.
#[test]
fn a_collection_is_never_there_in_part() {
    let redis = Redis::start(&[]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let client = redis::Client::open(redis.url()).expect("a client");
            let mut connection = client.get_connection().expect("a connection");
            let mut seen = BTreeMap::new();
            while !over.load(Ordering::SeqCst) {
                let count: u64 =
                    redis::cmd("ZCARD").arg("k").query(&mut connection).expect("a count");
                *seen.entry(count).or_insert(0) += 1;
            }
            seen
        });
        on(&redis.url(), |cache| async move {
            let how = how(Shape::SortedSet, Mode::Refresh);
            for n in 0..40 {
                let parts = [20_000, 5_001][n % 2];
                let batch = entry(Shape::SortedSet, "k", parts, false);
                assert_eq!(stored(cache.as_ref(), &batch, &how).await, WriteOutcome::Stored);
            }
        });
        over.store(true, Ordering::SeqCst);
        let seen = reader.join().expect("a reader");
        let known = [0, 5_001, 20_000];
        assert!(seen.keys().all(|count| known.contains(count)), "{seen:?}");
        assert!(seen.len() > 1, "{seen:?}");
    });
}
