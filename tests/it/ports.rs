//! The ports of the cache, asked without the command line: every adapter keeps the same promise.

use std::sync::Arc;
use std::time::Duration;

use crate::support::memory_cache::MemoryCache;
use futures_util::TryStreamExt as _;
use shopwarm::application::ports::{
    Cache, CachedValue, Deletion, Mode, WriteOptions, WriteOutcome,
};
use shopwarm::domain::entry::{Collection, Entry, EntryBatch, Value};
use shopwarm::domain::failure::Failure;
use shopwarm::domain::standing::Standing;
use shopwarm::domain::strategy::Shape;
use shopwarm::domain::ttl::Ttl;

use crate::support::caches::{on, run};
use crate::support::servers::{Redis, RedisCluster};

/// What lives for exactly so long.
fn exactly(secs: u64) -> Ttl {
    Ttl::new(Duration::from_secs(secs), 0.0)
}

/// Runs a promise on every kind of cache.
fn on_every_cache<F: Future<Output = ()>>(promise: impl Fn(Arc<dyn Cache>) -> F) {
    let (redis, valkey) = (Redis::start(&[]), Redis::start_valkey(&[]));
    let cluster = RedisCluster::start(3, 0);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = format!("sqlite:{}", dir.path().join("cache.db").display());
    for url in [redis.url(), valkey.url(), cluster.url(), file] {
        on(&url, &promise);
    }
    run(promise(Arc::new(MemoryCache::default())));
}

/// Stores a text of its own at each key, for a minute.
async fn store(cache: &dyn Cache, keys: &[Vec<u8>]) {
    let mut batch = EntryBatch::default();
    for key in keys {
        let value = [b"of ", key.as_slice()].concat();
        batch.push(Entry { key, value: Value::Text(&value), version: None, ends: &[] });
    }
    let how = WriteOptions {
        mode: Mode::Refresh,
        form: ::shopwarm::domain::strategy::Shape::Text.into(),
        ttl: exactly(60),
        version_field: None,
    };
    let written = cache.write(&batch, &how).await;
    let stored = written.outcomes.iter().all(|o| *o == WriteOutcome::Stored);
    assert!(stored, "{written:?}");
}

/// Keys of several slots, some of bytes that are no text, and the empty one.
fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = (0..1500).map(|n| format!("k:{n}").into_bytes()).collect();
    keys.extend([Vec::new(), vec![0], b"\xff\xfe\x00\n".to_vec()]);
    keys
}

fn slices(keys: &[Vec<u8>]) -> Vec<&[u8]> {
    keys.iter().map(Vec::as_slice).collect()
}

#[test]
fn a_touch_gives_keys_their_time_again_and_says_which_are_there() {
    on_every_cache(|cache| async move {
        let keys = keys();
        let (there, missing): (Vec<_>, Vec<_>) = (0..keys.len()).partition(|n| n % 3 > 0);
        let stored: Vec<Vec<u8>> = there.iter().map(|n| keys[*n].clone()).collect();
        store(cache.as_ref(), &stored).await;

        let touched = cache.refresh_ttl(&slices(&keys), exactly(3600)).await;
        let touched = touched.expect("touched");
        let expected: Vec<bool> = (0..keys.len()).map(|n| n % 3 > 0).collect();
        assert_eq!(touched, expected);
        for key in &stored {
            let held = cache.read(key).await.expect("an answer").expect("there");
            let left = held.ttl.expect("known").expect("a time");
            assert!(left > Duration::from_mins(50), "{key:?}: {left:?}");
            let value = [b"of ", key.as_slice()].concat();
            assert_eq!(held.value, CachedValue::Text(value));
        }
        for key in missing {
            assert_eq!(cache.read(&keys[key]).await.expect("an answer"), None);
        }
        let none = cache.refresh_ttl(&[], exactly(1)).await.expect("nothing");
        assert_eq!(none, Vec::<bool>::new());
    });
}

/// A text and a hash, each with a version of its own, three times.
fn pairs(version: &str) -> EntryBatch {
    let mut batch = EntryBatch::default();
    for n in 0..3 {
        let text = format!("{{\"v\":{version}}}");
        batch.push(Entry {
            key: format!("text:{n}").as_bytes(),
            value: Value::Text(text.as_bytes()),
            version: None,
            ends: &[],
        });
        let fields = [("v", version), ("name", "x")];
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes().into()));
        let key = format!("hash:{n}");
        batch.push_collection(key.as_bytes(), Collection::Hash, fields.into_iter());
    }
    batch
}

#[test]
fn what_is_withdrawn_goes_only_where_it_is_still_what_was_written() {
    on_every_cache(|cache| async move {
        let how = WriteOptions {
            mode: Mode::Refresh,
            form: ::shopwarm::domain::strategy::Shape::Text.into(),
            ttl: exactly(60),
            version_field: None,
        };
        let ours = pairs("1");
        cache.write(&ours, &how).await;
        // Somebody writes over the second of each kind, and the third is gone.
        let theirs = pairs("2");
        let mut second = EntryBatch::default();
        for i in [2, 3] {
            second.push(theirs.get(i).expect("an entry"));
        }
        cache.write(&second, &how).await;
        let gone = cache.remove(&[b"text:2", b"hash:2"]).await;
        assert_eq!(gone.expect("removed"), [true, true]);

        let withdrawn = cache.delete_if_equal(&ours, &[0, 1, 2, 3, 4, 5]).await;
        let each = [Deletion::Deleted, Deletion::NotEqual, Deletion::Absent];
        let expected: Vec<Deletion> = each.into_iter().flat_map(|w| [w, w]).collect();
        assert_eq!(withdrawn.expect("withdrawn"), expected);
        for key in [&b"text:0"[..], b"hash:0", b"text:2", b"hash:2"] {
            assert_eq!(cache.read(key).await.expect("an answer"), None);
        }
        for key in [&b"text:1"[..], b"hash:1"] {
            assert!(cache.read(key).await.expect("an answer").is_some(), "theirs stays");
        }
        assert_eq!(cache.delete_if_equal(&ours, &[]).await.expect("nothing"), []);
    });
}

#[test]
fn a_version_is_compared_in_the_same_way_by_every_cache() {
    on_every_cache(|cache| async move {
        let how = WriteOptions {
            mode: Mode::Refresh,
            form: ::shopwarm::domain::strategy::Shape::Text.into(),
            ttl: exactly(60),
            version_field: Some("v".into()),
        };
        // What stands there, what comes, and whether it is written.
        for (old, new, is_written) in [
            ("9", "10", true),
            ("10", "9", false),
            ("\"9\"", "\"10\"", true),
            ("\"10\"", "\"9\"", false),
            ("\"2026-01-02\"", "\"2026-01-01\"", false),
            ("null", "1", true),
            ("1", "null", true),
        ] {
            let gone = cache.remove(&[b"text:0", b"hash:0"]).await;
            gone.expect("removed");
            cache.write(&pairs(old), &how).await;
            let written = cache.write(&pairs(new), &how).await;
            let stored = written.outcomes[0] == WriteOutcome::Stored;
            assert_eq!(stored, is_written, "{old} {new}");
        }
    });
}

#[test]
fn what_is_removed_is_gone_and_nothing_else() {
    on_every_cache(|cache| async move {
        let keys = keys();
        store(cache.as_ref(), &keys).await;
        let gone: Vec<Vec<u8>> = keys.iter().step_by(2).cloned().collect();
        let mut asked = gone.clone();
        asked.push(b"never:there".to_vec());
        let removed = cache.remove(&slices(&asked)).await.expect("removed");
        let mut expected = vec![true; gone.len()];
        expected.push(false);
        assert_eq!(removed, expected);
        for (n, key) in keys.iter().enumerate() {
            let held = cache.read(key).await.expect("an answer");
            assert_eq!(held.is_some(), n % 2 == 1, "{key:?}");
        }
        assert_eq!(cache.remove(&[]).await.expect("nothing"), Vec::<bool>::new());
    });
}

#[test]
fn a_list_grows_at_its_end_and_is_read_from_anywhere() {
    on_every_cache(|cache| async move {
        let (list, other) = (b"shopwarm:list".as_slice(), b"shopwarm:list2".as_slice());
        let hour = Duration::from_hours(1);
        let items = |range: std::ops::Range<u32>| -> Vec<Vec<u8>> {
            range.map(|n| n.to_be_bytes().to_vec()).collect()
        };
        let range = async |list, first, count| -> Result<Vec<Vec<u8>>, Failure> {
            cache.meta().range(list, first, count).await
        };
        assert_eq!(range(list, 0, 10).await.expect("none"), items(0..0));
        for part in [items(0..300), items(300..301), Vec::new(), items(301..400)] {
            cache.meta().append(list, &part, hour).await.expect("appended");
            cache.meta().append(other, &part, hour).await.expect("appended");
        }
        assert_eq!(range(list, 0, 1000).await.expect("all"), items(0..400));
        assert_eq!(range(list, 250, 100).await.expect("some"), items(250..350));
        assert_eq!(range(list, 400, 100).await.expect("none"), items(0..0));
        assert_eq!(range(list, 0, 0).await.expect("none"), items(0..0));

        let removed = cache.remove(&[list]).await.expect("removed");
        assert_eq!(removed, [true]);
        assert_eq!(range(list, 0, 10).await.expect("none"), items(0..0));
        assert_eq!(range(other, 399, 10).await.expect("one"), items(399..400));

        // One that is over is not there, and begins anew.
        let moment = Duration::from_millis(1);
        cache.meta().append(list, &items(0..5), moment).await.expect("appended");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(range(list, 0, 10).await.expect("none"), items(0..0));
        cache.meta().append(list, &items(7..9), hour).await.expect("appended");
        assert_eq!(range(list, 0, 10).await.expect("anew"), items(7..9));
    });
}

#[test]
fn fields_are_forgotten_one_by_one() {
    on_every_cache(|cache| async move {
        let key = b"shopwarm:fields".as_slice();
        let field = |name: &str| (name.to_owned(), format!("{{\"of\":\"{name}\"}}"));
        let fields = ["a", "b b", "c"].map(field);
        cache.meta().set_fields(key, &fields).await.expect("remembered");
        let gone = ["b b".to_owned(), "nobody".to_owned()];
        cache.meta().delete_fields(key, &gone).await.expect("forgotten");
        cache.meta().delete_fields(key, &[]).await.expect("nothing");
        let held = cache.read(key).await.expect("an answer").expect("there");
        let CachedValue::Collection(Collection::Hash, mut left) = held.value else {
            panic!("{held:?}")
        };
        left.sort();
        let bytes = |(name, value): (String, String)| (name.into_bytes(), value.into_bytes());
        assert_eq!(left, ["a", "c"].map(field).map(bytes));
    });
}

#[test]
fn claims_are_taken_together_and_only_their_owner_renews_and_releases_them() {
    on_every_cache(|cache| async move {
        let (a, b) = (b"shopwarm:lock:{a}".as_slice(), b"shopwarm:lock:b".as_slice());
        let minute = Duration::from_mins(1);
        let meta = cache.meta();
        assert_eq!(meta.claim(&[b], b"other", minute).await.expect("free"), None);
        let taken = meta.claim(&[a, b], b"ours", minute).await.expect("asked");
        let taken = taken.expect("another has one");
        assert_eq!((taken.key, taken.value), (1, b"other".to_vec()));
        assert_eq!(cache.read(a).await.expect("an answer"), None, "all or none");

        assert!(!meta.renew(&[b], b"ours", minute).await.expect("asked"));
        meta.release(&[b], b"ours").await.expect("nothing");
        assert!(meta.renew(&[b], b"other", minute).await.expect("renewed"));
        meta.release(&[b], b"other").await.expect("released");
        assert_eq!(meta.claim(&[a, b], b"ours", minute).await.expect("free"), None);
        assert!(meta.renew(&[a, b], b"ours", minute).await.expect("renewed"));
        meta.release(&[a, b], b"ours").await.expect("released");
        assert_eq!(meta.claim(&[a], b"other", minute).await.expect("free"), None);
    });
}

#[test]
fn a_list_keeps_the_newest_at_its_head() {
    on_every_cache(|cache| async move {
        let (list, hour) = (b"shopwarm:list".as_slice(), Duration::from_hours(1));
        let meta = cache.meta();
        for item in ["a", "b", "c", "d"] {
            let done = meta.prepend(list, item.as_bytes(), 3, hour).await;
            done.expect("prepended");
        }
        let items = ["d", "c", "b"].map(|item| item.as_bytes().to_vec());
        assert_eq!(meta.range(list, 0, 10).await.expect("all"), items);
        assert_eq!(meta.range(list, 1, 1).await.expect("one"), items[1..2]);
    });
}

#[test]
fn what_is_stored_is_compared_and_its_ttl_extended() {
    on_every_cache(|cache| async move {
        store(cache.as_ref(), &[b"a".to_vec(), b"b".to_vec()]).await;
        let mut batch = EntryBatch::default();
        for (key, value) in [("a", "of a"), ("b", "another"), ("c", "of c")] {
            let value = |out: &mut Vec<u8>| {
                out.extend_from_slice(value.as_bytes());
                Ok::<(), std::convert::Infallible>(())
            };
            let _ = batch.push_text(key.as_bytes(), value);
        }
        let equal = |standing: Standing| match standing {
            Standing::Held(held) => Some(held.equal),
            _ => None,
        };
        let standings = cache.inspect(&batch, Shape::Text.into()).await.expect("an answer");
        let standings: Vec<Option<bool>> = standings.into_iter().map(equal).collect();
        assert_eq!(standings, [Some(true), Some(false), None]);
        let ttl = exactly(3600);
        let extended = cache.extend_if_equal(&batch, &[0, 1, 2], &ttl).await;
        assert_eq!(extended.expect("compared").equal, [true, false, false]);
        for (key, is_long) in [("a", true), ("b", false)] {
            let held = cache.read(key.as_bytes()).await.expect("an answer");
            let left = held.expect("there").ttl.expect("known").expect("a time");
            assert_eq!(left > Duration::from_mins(50), is_long, "{key}");
        }
        let mut found: Vec<Vec<u8>> = cache.scan(b"").try_concat().await.expect("keys");
        found.sort();
        assert_eq!(found, [b"a".to_vec(), b"b".to_vec()]);
    });
}
