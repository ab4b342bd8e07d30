//! `shopwarm warmup --prune`: keys that the tool wrote and whose rows are gone.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::Value;

use crate::support::caches;
use crate::support::faults::calm;
use crate::support::lab::{own, strategy};
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, RedisCluster, Sqlite};
use crate::support::shopwarm::{Finished, Shopwarm, file, shopwarm};
use crate::support::terminal::{self, Terminal};

/// Rows 1 to 20: all that are not hidden, and the first three by rank.
fn shop(dialect: Dialect) -> Database {
    let database = match dialect {
        Dialect::Postgres => Postgres::database(),
        Dialect::MySql => MariaDb::database(),
        Dialect::Sqlite => Sqlite::database(),
    };
    database.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, hidden INTEGER NOT NULL);
         CREATE TABLE u (id INTEGER PRIMARY KEY, score INTEGER NOT NULL)",
    );
    let rows: Vec<String> = (1..=20).map(|n| format!("({n}, 'n {n} \u{e4}', 0)")).collect();
    database.sql(&format!("INSERT INTO t VALUES {}", rows.join(",")));
    database.sql("INSERT INTO u VALUES (1, 10), (2, 9), (3, 8), (4, 7), (5, 6)");
    database
}

fn definitions() -> String {
    let all =
        strategy("shown", "object", "T:{name}:{id}", "SELECT id, name FROM t WHERE hidden = 0");
    let best = strategy("best", "object", "U:{id}", "SELECT id, score FROM u");
    let best = format!("{best}order_by = \"score DESC\"\nlimit = 3\n");
    own(&["t", "u"], &(all + &best))
}

fn key(id: u32) -> String {
    format!("T:n {id} \u{e4}:{id}")
}

struct Site {
    database: Database,
    cache: String,
    definitions: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Site {
    fn new(dialect: Dialect, cache: String) -> Self {
        let (dir, definitions) = file("own.toml", &definitions());
        Self { database: shop(dialect), cache, definitions, _dir: dir }
    }

    fn command(&self, arguments: &str) -> Shopwarm {
        shopwarm(arguments)
            .database(self.database.url())
            .cache(&self.cache)
            .contexts(&self.definitions)
    }

    fn warm(&self, arguments: &str, exit: i32) -> Finished {
        let run = self.command(&format!("warmup {arguments} -o json"));
        calm(run.run()).expect(exit)
    }

    /// All keys that are no record of the tool's own.
    fn keys(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        caches::on(&self.cache, |cache| {
            let found = &mut found;
            async move {
                let keys = cache.scan(b"").try_collect::<Vec<_>>().await.expect("keys");
                let text = |key: Vec<u8>| String::from_utf8(key).expect("a text");
                let keys = keys.concat().into_iter().map(text);
                found.extend(keys.filter(|key| !key.contains("shopwarm:")));
            }
        });
        found
    }
}

fn pruned(part: &Value) -> u64 {
    part.get("pruned").map_or(0, |count| count.as_u64().expect("a count"))
}

#[test]
fn keys_without_a_row_go_and_no_others() {
    let redis = Redis::start(&[]);
    let cluster = RedisCluster::start(3, 0);
    let dir = tempfile::tempdir().expect("a folder");
    let embedded = format!("sqlite:{}", dir.path().join("cache.db").display());
    for (dialect, cache) in [
        (Dialect::Postgres, redis.url()),
        (Dialect::MySql, cluster.url()),
        (Dialect::Sqlite, embedded),
    ] {
        let site = Site::new(dialect, cache.clone());
        site.warm("all", 0);
        site.warm("keys U:5", 0);
        // Of others, and alike.
        let foreign = ["T:foreign:99".to_owned(), "U:99".to_owned()];
        caches::on(&cache, |cache| {
            let mut batch = shopwarm::domain::entry::EntryBatch::default();
            for key in &foreign {
                batch.push(shopwarm::domain::entry::Entry {
                    key: key.as_bytes(),
                    value: shopwarm::domain::entry::Value::Text(b"x"),
                    version: None,
                    ends: &[],
                });
            }
            async move {
                let how = shopwarm::application::ports::WriteOptions {
                    mode: shopwarm::application::ports::Mode::Refresh,
                    form: ::shopwarm::domain::strategy::Shape::Text.into(),
                    ttl: shopwarm::domain::ttl::Ttl::new(std::time::Duration::from_mins(10), 0.0),
                    version_field: None,
                };
                cache.write(&batch, &how).await;
            }
        });
        let before = site.keys();
        assert_eq!(before.len(), 20 + 3 + 1 + 2);

        // Deleted, hidden, and out of the best three: this row is there still. One of a key asked
        // for by name is gone.
        site.database.sql("DELETE FROM t WHERE id IN (3, 4)");
        site.database.sql("UPDATE t SET hidden = 1 WHERE id = 5");
        site.database.sql("UPDATE u SET score = 1 WHERE id = 1");
        site.database.sql("DELETE FROM u WHERE id = 5");
        let plain = site.warm("all", 0).json();
        assert_eq!(pruned(&plain["totals"]), 0);
        let mut expected = before;
        expected.insert("U:4".to_owned());
        assert_eq!(site.keys(), expected, "{dialect:?}");

        let run = site.warm("all --prune --yes", 0);
        let gone = [key(3), key(4), key(5), "U:5".to_owned()];
        gone.iter().for_each(|key| assert!(expected.remove(key)));
        assert_eq!(site.keys(), expected, "{dialect:?}");
        assert_eq!(pruned(&run.json()["totals"]), 4);
        assert_eq!(pruned(&run.strategy("own/shown")), 3);
        assert_eq!(pruned(&run.strategy("own/best")), 1);
        let again = site.warm("all --prune --yes", 0).json();
        assert_eq!(pruned(&again["totals"]), 0, "{again:#}");
        let shown = calm(site.command("runs last -o json").run()).expect(0).json();
        assert_eq!(shown["totals"]["warmed"], again["totals"]["warmed"]);
    }
}

#[test]
fn what_an_application_wrote_itself_is_never_pruned() {
    let redis = Redis::start(&[]);
    let cluster = RedisCluster::start(3, 0);
    for (dialect, cache) in [(Dialect::Postgres, redis.url()), (Dialect::Sqlite, cluster.url())] {
        let mut site = Site::new(dialect, cache.clone());
        let hash = strategy("fields", "hash", "H:{id}", "SELECT id, name FROM t WHERE hidden = 0");
        let (_dir, path) = file("own.toml", &(definitions() + &hash));
        site.definitions = path;
        site.warm("all", 0);
        // Written by the application since: a text, a hash with the very fields but one, and a text
        // where a hash was.
        let fields: [(&[u8], std::borrow::Cow<'_, [u8]>); 2] =
            [(b"id", (&b"4"[..]).into()), (b"name", (&b"of the application"[..]).into())];
        caches::on(&cache, |cache| {
            let mut batch = shopwarm::domain::entry::EntryBatch::default();
            for key in [key(3), "H:5".to_owned()] {
                let text = batch.push_text(key.as_bytes(), |out| {
                    out.extend_from_slice(b"of the application");
                    Ok::<(), String>(())
                });
                text.expect("a text");
            }
            let hash = shopwarm::domain::entry::Collection::Hash;
            batch.push_collection(b"H:4", hash, fields.into_iter());
            async move {
                let how = shopwarm::application::ports::WriteOptions {
                    mode: shopwarm::application::ports::Mode::Refresh,
                    form: ::shopwarm::domain::strategy::Shape::Text.into(),
                    ttl: shopwarm::domain::ttl::Ttl::new(std::time::Duration::from_mins(10), 0.0),
                    version_field: None,
                };
                cache.write(&batch, &how).await;
            }
        });
        let mut expected = site.keys();
        site.database.sql("DELETE FROM t WHERE id IN (3, 4, 5)");
        let run = site.warm("all --prune --yes", 0);
        let gone = [key(4), key(5), "H:3".to_owned()];
        gone.iter().for_each(|key| assert!(expected.remove(key)));
        assert_eq!(site.keys(), expected, "{dialect:?}");
        let (shown, hashes) = (run.strategy("own/shown"), run.strategy("own/fields"));
        assert_eq!((pruned(&shown), pruned(&hashes)), (2, 1));
        let warning = hashes["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains("kept 2 orphans: "), "{warning}");
    }
}

#[test]
fn nothing_goes_where_the_run_was_not_complete() {
    let redis = Redis::start(&[]);
    let site = Site::new(Dialect::Sqlite, redis.url());
    site.warm("all", 0);
    site.database.sql("DELETE FROM t WHERE id IN (3, 4); DELETE FROM u WHERE id = 2");
    let before = site.keys();
    // One key of own/shown fails: own/best is pruned.
    site.database.sql("UPDATE t SET name = CAST(x'ff' AS TEXT) WHERE id = 7");
    let run = site.warm("all --prune --yes", 3);
    assert_eq!(pruned(&run.strategy("own/shown")), 0);
    assert_eq!(pruned(&run.strategy("own/best")), 1);
    let warnings = run.strategy("own/shown")["warnings"].to_string();
    assert!(warnings.contains("not all of it was warmed"), "{warnings}");
    let mut expected = before;
    expected.remove("U:2");
    expected.insert("U:4".to_owned());
    assert_eq!(site.keys(), expected);

    site.database.sql("UPDATE t SET name = 'n 7 \u{e4}' WHERE id = 7");
    let run = site.warm("all --limit 5 --prune --yes", 0).json();
    assert_eq!(pruned(&run["totals"]), 0);
    assert_eq!(site.keys(), expected);

    // A generation that cannot be read is said, and costs nothing.
    let lists = redis.cli(&["KEYS", "shopwarm:keys:own/shown:*"]);
    for list in lists.lines() {
        redis.cli(&["DEL", list]);
    }
    let run = site.warm("all --prune --yes", 0);
    assert_eq!(pruned(&run.json()["totals"]), 0);
    let warnings = run.strategy("own/shown")["warnings"].to_string();
    assert!(warnings.contains("are not pruned: part of the list is gone"), "{warnings}");
    assert_eq!(site.keys(), expected);
}

#[test]
fn without_anybody_to_ask_it_is_refused_before_anything_is_written() {
    let redis = Redis::start(&[]);
    let site = Site::new(Dialect::Sqlite, redis.url());
    let run = site.warm("all --prune", 2);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    let command = site.command("warmup all").env("SHOPWARM_PRUNE", "1");
    calm(command.run()).expect(2);
    let command = site.command("warmup all").env("SHOPWARM_PRUNE", "1");
    calm(command.env("SHOPWARM_YES", "1").run()).expect(0);
}

#[test]
fn a_person_is_asked() {
    let redis = Redis::start(&[]);
    let site = Site::new(Dialect::Sqlite, redis.url());
    site.warm("all", 0);
    site.database.sql("DELETE FROM t WHERE id < 6");
    let before = site.keys();
    let screen = Terminal::new(120, 50);
    let arguments = format!("warmup all --prune --contexts {}", site.definitions.display());
    let line = terminal::command(&arguments, &site.database.url(), &site.cache);
    let asked = |answer: &str, end: &str| {
        screen.run(&line);
        let question = screen.wait_for("Remove them from the cache?");
        assert!(question.contains("own/shown: 5 keys: "), "{question}");
        assert!(question.contains(&key(1)), "{question}");
        // No bar is drawn over it.
        sleep(Duration::from_millis(500));
        assert_eq!(screen.screen(), question);
        screen.type_line(answer);
        screen.wait_for(end)
    };
    let no = asked("", "exit=0");
    assert!(no.contains("kept 5 orphans (you answered no)"), "{no}");
    assert_eq!(site.keys(), before);
    // A row that is back when the answer comes keeps its key.
    screen.run(&line);
    screen.wait_for("Remove them from the cache?");
    site.database.sql("INSERT INTO t VALUES (2, 'n 2 \u{e4}', 0)");
    screen.type_line("y");
    let yes = screen.wait_for("exit=0");
    assert!(yes.contains("pruned: 4 keys"), "{yes}");
    let mut expected = before;
    [1, 3, 4, 5].iter().for_each(|id| assert!(expected.remove(&key(*id))));
    assert_eq!(site.keys(), expected);

    // Nobody waits for an answer when the run is to end.
    site.database.sql("DELETE FROM t WHERE id = 2");
    screen.run(&line);
    screen.wait_for("Remove them from the cache?");
    screen.tmux(&["send-keys", "C-c"]);
    screen.wait_for("exit=130");
    assert_eq!(site.keys(), expected);
}
