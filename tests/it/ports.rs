//! The ports of the cache, asked without the command line: every adapter keeps the same promise.

use std::sync::Arc;
use std::time::Duration;

use shopwarm::application::ports::{
    Cache, CachedValue, Mode, Withdrawn, WriteOptions, WriteOutcome,
};
use shopwarm::domain::entry::{Entry, EntryBatch, Value};
use shopwarm::domain::failure::Failure;
use shopwarm::domain::ttl::Ttl;
use shopwarm::infrastructure::cache::{Access, ConnectOptions, connect};

use crate::servers::{Redis, RedisCluster};

/// What lives for exactly so long.
fn exactly(secs: u64) -> Ttl {
    Ttl::new(Duration::from_secs(secs), 0.0)
}

/// Runs a promise on every kind of cache.
fn on_every_cache<F: Future<Output = ()>>(promise: impl Fn(Arc<dyn Cache>) -> F) {
    let redis = Redis::start(&[]);
    let cluster = RedisCluster::start(3, 0);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = format!("sqlite:{}", dir.path().join("cache.db").display());
    for url in [redis.url(), cluster.url(), file] {
        on(&url, &promise);
    }
}

/// Runs it on the cache that the URL names.
pub fn on<F: Future<Output = ()>>(url: &str, promise: impl FnOnce(Arc<dyn Cache>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let options = ConnectOptions::default();
        let cache = connect(url, Access::Write, &options).await;
        promise(cache.expect("a cache")).await;
    });
}

/// Stores a text of its own at each key, for a minute.
async fn store(cache: &dyn Cache, keys: &[Vec<u8>]) {
    let mut batch = EntryBatch::default();
    for key in keys {
        let value = [b"of ", key.as_slice()].concat();
        batch.push(Entry {
            key,
            value: Value::Text(&value),
            version: None,
            place: None,
            ends: &[],
        });
    }
    let how = WriteOptions {
        mode: Mode::Refresh,
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

        let touched = cache.touch(&slices(&keys), exactly(3600)).await;
        let touched = touched.expect("touched");
        let expected: Vec<bool> = (0..keys.len()).map(|n| n % 3 > 0).collect();
        assert_eq!(touched, expected);
        for key in &stored {
            let held = cache.read(key).await.expect("an answer").expect("there");
            let left = held.ttl.expect("known").expect("a time");
            assert!(left > Duration::from_secs(3000), "{key:?}: {left:?}");
            let value = [b"of ", key.as_slice()].concat();
            assert_eq!(held.value, CachedValue::Text(value));
        }
        for key in missing {
            assert_eq!(cache.read(&keys[key]).await.expect("an answer"), None);
        }
        let none = cache.touch(&[], exactly(1)).await.expect("nothing");
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
            place: None,
            ends: &[],
        });
        let fields = [("v", version), ("name", "x")];
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes().into()));
        batch.push_hash(format!("hash:{n}").as_bytes(), fields.into_iter());
    }
    batch
}

#[test]
fn what_is_withdrawn_goes_only_where_it_is_still_what_was_written() {
    on_every_cache(|cache| async move {
        let how = WriteOptions {
            mode: Mode::Refresh,
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

        let withdrawn = cache.withdraw(&ours, &[0, 1, 2, 3, 4, 5]).await;
        let each = [Withdrawn::Deleted, Withdrawn::NotOurs, Withdrawn::Gone];
        let expected: Vec<Withdrawn> = each.into_iter().flat_map(|w| [w, w]).collect();
        assert_eq!(withdrawn.expect("withdrawn"), expected);
        for key in [&b"text:0"[..], b"hash:0", b"text:2", b"hash:2"] {
            assert_eq!(cache.read(key).await.expect("an answer"), None);
        }
        for key in [&b"text:1"[..], b"hash:1"] {
            assert!(
                cache.read(key).await.expect("an answer").is_some(),
                "theirs stays"
            );
        }
        assert_eq!(cache.withdraw(&ours, &[]).await.expect("nothing"), []);
    });
}

#[test]
fn a_version_is_compared_in_the_same_way_by_every_cache() {
    on_every_cache(|cache| async move {
        let how = WriteOptions {
            mode: Mode::Refresh,
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
        assert_eq!(
            cache.remove(&[]).await.expect("nothing"),
            Vec::<bool>::new()
        );
    });
}

#[test]
fn a_list_grows_at_its_end_and_is_read_from_anywhere() {
    on_every_cache(|cache| async move {
        let (list, other) = (b"shopwarm:list".as_slice(), b"shopwarm:list2".as_slice());
        let hour = Duration::from_secs(3600);
        let items = |range: std::ops::Range<u32>| -> Vec<Vec<u8>> {
            range.map(|n| n.to_be_bytes().to_vec()).collect()
        };
        let range = async |list, first, count| -> Result<Vec<Vec<u8>>, Failure> {
            cache.range(list, first, count).await
        };
        assert_eq!(range(list, 0, 10).await.expect("none"), items(0..0));
        for part in [items(0..300), items(300..301), Vec::new(), items(301..400)] {
            cache.append(list, &part, hour).await.expect("appended");
            cache.append(other, &part, hour).await.expect("appended");
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
        cache
            .append(list, &items(0..5), moment)
            .await
            .expect("appended");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(range(list, 0, 10).await.expect("none"), items(0..0));
        cache
            .append(list, &items(7..9), hour)
            .await
            .expect("appended");
        assert_eq!(range(list, 0, 10).await.expect("anew"), items(7..9));
    });
}

#[test]
fn fields_are_forgotten_one_by_one() {
    on_every_cache(|cache| async move {
        let key = b"shopwarm:fields".as_slice();
        let field = |name: &str| (name.to_owned(), format!("{{\"of\":\"{name}\"}}"));
        let fields = ["a", "b b", "c"].map(field);
        cache.remember(key, &fields).await.expect("remembered");
        let gone = ["b b".to_owned(), "nobody".to_owned()];
        cache.forget(key, &gone).await.expect("forgotten");
        cache.forget(key, &[]).await.expect("nothing");
        let held = cache.read(key).await.expect("an answer").expect("there");
        let CachedValue::Hash(mut left) = held.value else {
            panic!("{held:?}")
        };
        left.sort();
        let bytes = |(name, value): (String, String)| (name.into_bytes(), value.into_bytes());
        assert_eq!(left, ["a", "c"].map(field).map(bytes));
    });
}
