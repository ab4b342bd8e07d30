//! A shop that changes while it is warmed: no value stays in the cache that the database does not
//! have any more.
//!
//! Applications change rows and then drop their keys, or set them, while runs go on that are stopped
//! and let go on at random moments: each of their steps is overtaken now and then. The same without
//! the second look at the versions finds stale values, so the test can see them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::faults::{keys, proxied, until};
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, RedisCluster, Sqlite};
use crate::support::shopwarm::{Finished, file, finish, shopwarm};

const ROWS: u64 = 1800;
const GROUPS: u64 = 30;

/// Applications at the same time; each changes rows of its own, or they would overtake each other.
const APPLICATIONS: u64 = 3;

/// An application waits at most so long between two changes.
const PAUSE: Duration = Duration::from_millis(3);

/// Changes in one race: with all of them 20,000 and more.
const CHANGES: u64 = 2300;

/// What happens by chance happens in one of so many runs; nearly always in the first few.
const TRIES: u32 = 40;

const DEFINITIONS: &str = r#"
[context]
name = "race"
owns = ["items"]

[strategies.items]
key = "item:{id}"
value = "object"
priority = 3
sql.any = "SELECT id, price, v, v AS _version, at AS _changed_at FROM items WHERE gone = 0"

[strategies.fields]
key = "fields:{id}"
value = "hash"
priority = 2
sql.any = "SELECT id, price, v, v AS _version, at AS _changed_at FROM items WHERE gone = 0"

[strategies.groups]
key = "group:{grp}"
value = "list"
priority = 1
order_by = "id"
sql.any = "SELECT grp, id, price, v, v AS _version FROM items WHERE gone = 0"
"#;

/// The rows of a group in the other shapes.
const SHAPES: &str = r#"
[strategies.maps]
key = "map:{_grp}"
value = "map"
map_key = "id"
order_by = "id"
sql.any = "SELECT grp AS _grp, id, v, v AS _version FROM items WHERE gone = 0"

[strategies.trees]
key = "tree:{_grp}"
value = "tree"
tree_id = "id"
tree_parent = "_parent"
order_by = "id"
sql.any = "SELECT grp AS _grp, id, NULLIF(id, id) AS _parent, v, v AS _version FROM items WHERE gone = 0"

[strategies.sets]
key = "set:{_grp}"
value = "set"
sql.any = "SELECT grp AS _grp, id, v, v AS _version FROM items WHERE gone = 0"

[strategies.sorted-sets]
key = "zset:{_grp}"
value = "zset"
score = "v"
sql.any = "SELECT grp AS _grp, id, v, v AS _version FROM items WHERE gone = 0"
"#;

const GROUP_KEYS: [&str; 5] = ["group", "map", "tree", "set", "zset"];

#[test]
fn nothing_stale_stays_of_a_postgres_that_changes() {
    races(&Postgres::database());
}

#[test]
fn nothing_stale_stays_of_a_mariadb_that_changes() {
    races(&MariaDb::database());
}

#[test]
fn nothing_stale_stays_of_a_sqlite_file_that_changes() {
    races(&Sqlite::database());
}

/// Into each kind of cache; and without the second look, until something stale is found.
fn races(database: &Database) {
    let seed = std::env::var("SHOPWARM_RACE_SEED").map_or(1, |n| n.parse().expect("a number"));
    println!("SHOPWARM_RACE_SEED={seed}");
    fastrand::seed(seed);
    let race = Race::new(database);
    for cache in [Target::redis(), Target::cluster(), Target::embedded()] {
        // What is not read, or not sent again, must not have been overtaken either.
        let by_changes = (0..TRIES).any(|_| {
            database.sql("UPDATE items SET at = '2026-01-01 00:00:00'");
            race.warm(&cache, "").expect(0);
            // Not so many changes that it is better to read all.
            let flags = "--skip-identical --changed --changed-overlap 1s";
            let run = race.run_once(&cache, flags, Duration::from_millis(40));
            race.has_nothing_stale(&cache);
            run.strategy("race/items")["read"] != "full"
        });
        assert!(by_changes, "everything was always read");
        let repaired = race.run(&cache);
        race.has_nothing_stale(&cache);
        assert!(race.are_there(&cache), "the cache is nearly empty");
        assert!(repaired > 0, "nothing was ever overtaken: the race is none");
        let found = (0..TRIES).any(|_| {
            race.run_once(&cache, "--no-verify-writes", PAUSE);
            !race.stale(&cache).is_empty()
        });
        assert!(found, "not even without the second look anything was stale");
    }
}

struct Race<'d> {
    database: &'d Database,
    _definitions: TempDir,
    contexts: PathBuf,
}

impl<'d> Race<'d> {
    fn new(database: &'d Database) -> Self {
        let (dir, contexts) = file("race.toml", &[DEFINITIONS, SHAPES].concat());
        if database.dialect() == Dialect::Sqlite {
            // Or no writer gets in while a run reads.
            database.sql("PRAGMA journal_mode = WAL");
        }
        let at = match database.dialect() {
            Dialect::Postgres => {
                "timestamptz NOT NULL DEFAULT clock_timestamp() - interval '1 day'"
            }
            Dialect::MySql => "timestamp(6) NOT NULL DEFAULT '2026-01-01 00:00:00'",
            Dialect::Sqlite => "datetime NOT NULL DEFAULT '2026-01-01 00:00:00'",
        };
        database.sql(&format!(
            "CREATE TABLE items (id integer PRIMARY KEY, grp integer NOT NULL, price integer NOT NULL,
             v integer NOT NULL, gone integer NOT NULL, at {at})"
        ));
        let rows = (0..ROWS).map(|id| format!("({id}, {}, {id}, 1, 0)", id % GROUPS));
        let rows: Vec<String> = rows.collect();
        database.sql(&format!(
            "INSERT INTO items (id, grp, price, v, gone) VALUES {}",
            rows.join(", ")
        ));
        Self { database, _definitions: dir, contexts }
    }

    /// One run beside applications that go on until it ends: what it leaves stale stays so.
    fn run_once(&self, cache: &Target, flags: &str, pause: Duration) -> Finished {
        self.beside_applications(cache, pause, |_| self.warm(cache, flags).expect(0))
    }

    /// Runs beside applications that make [`CHANGES`], and says what they repaired.
    fn run(&self, cache: &Target) -> u64 {
        self.beside_applications(cache, PAUSE, |left| {
            let (mut runs, mut repaired) = (0, 0);
            let made = || u64::MAX - left.load(Ordering::SeqCst);
            while runs < 3 || made() < CHANGES || repaired == 0 && runs < TRIES {
                let report = self.warm(cache, "").expect(0).json();
                repaired += report["totals"]["repaired"].as_u64().unwrap();
                runs += 1;
            }
            repaired
        })
    }

    /// Does something while applications change rows.
    fn beside_applications<T>(
        &self,
        cache: &Target,
        pause: Duration,
        act: impl FnOnce(&AtomicU64) -> T,
    ) -> T {
        let left = AtomicU64::new(u64::MAX);
        thread::scope(|scope| {
            for number in 0..APPLICATIONS {
                let application = Application::new(number, self.database, cache);
                let left = &left;
                scope.spawn(move || application.work(left, pause));
            }
            // Also where it fails, or the applications would never end.
            let _enough = Enough(&left);
            act(&left)
        })
    }

    /// A run that is held at random moments.
    fn warm(&self, cache: &Target, flags: &str) -> Finished {
        let run =
            shopwarm(&format!("warmup context race -o json --batch-size 50 --rate 6k {flags}"))
                .contexts(&self.contexts)
                .database(self.database.url())
                .cache(cache.url());
        let child = run.start();
        let over = AtomicBool::new(false);
        let pid = child.id();
        let mut rng = Rng::with_seed(fastrand::u64(..));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(rng.u64(1..60)));
                    signal("-STOP", pid);
                    thread::sleep(Duration::from_millis(rng.u64(1..40)));
                    signal("-CONT", pid);
                }
            });
            let finished = finish(child);
            over.store(true, Ordering::SeqCst);
            finished
        })
    }

    #[track_caller]
    fn has_nothing_stale(&self, cache: &Target) {
        let stale = self.stale(cache);
        assert!(stale.is_empty(), "stale: {:?}", &stale[..stale.len().min(10)]);
    }

    /// An empty cache is not stale either. Applications have dropped many keys since.
    fn are_there(&self, cache: &Target) -> bool {
        let mut connection = cache.connect();
        let there = (0..ROWS).filter(|id| connection.get(&format!("item:{id}")).is_some());
        there.count() as u64 > ROWS / 10
    }

    /// Keys whose value is not what the database has.
    fn stale(&self, cache: &Target) -> Vec<String> {
        let rows = self.database.query("SELECT id, grp, v FROM items WHERE gone = 0 ORDER BY id");
        let mut items: HashMap<String, Value> = HashMap::new();
        let mut groups: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
        for row in rows.lines() {
            let numbers: Vec<u64> = row.split('\t').map(|n| n.parse().unwrap()).collect();
            let [id, group, v] = numbers[..] else { panic!("{row}") };
            items.insert(id.to_string(), json!(v));
            groups.entry(group).or_default().push((id, v));
        }
        let mut stale = Vec::new();
        let mut connection = cache.connect();
        for id in 0..ROWS {
            let now = items.get(&id.to_string());
            for key in [format!("item:{id}"), format!("fields:{id}")] {
                if let Some(cached) = connection.get(&key)
                    && now != Some(&number(&cached["v"]))
                {
                    stale.push(format!("{key} is {cached}, and v is {now:?}"));
                }
            }
        }
        for (group, name) in (0..GROUPS).flat_map(|g| GROUP_KEYS.map(|name| (g, name))) {
            let key = format!("{name}:{group}");
            let now = groups.get(&group).cloned().unwrap_or_default();
            if let Some(cached) = connection.get(&key)
                && versions(&cached) != now
            {
                stale.push(format!("{key} is {cached}, and is {now:?}"));
            }
        }
        stale
    }
}

/// The ids and versions of a group in any shape.
fn versions(cached: &Value) -> Vec<(u64, u64)> {
    let pair = |id: Value, v: &Value| (as_u64(&id), as_u64(v));
    match cached {
        Value::Array(rows) => {
            let rows = rows.iter().map(|row| pair(row["id"].clone(), &row["v"]));
            rows.collect()
        }
        Value::Object(rows) => {
            let mut rows: Vec<_> = rows.iter().map(|(id, v)| pair(json!(id), v)).collect();
            rows.sort_unstable();
            rows
        }
        other => panic!("{other}"),
    }
}

fn as_u64(value: &Value) -> u64 {
    number(value).as_f64().expect("a number") as u64
}

/// A number, however the cache keeps it.
fn number(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => json!(text.parse::<u64>().unwrap()),
        None => value.clone(),
    }
}

struct Enough<'a>(&'a AtomicU64);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// One that has ended may be signalled still: it is not waited for before the other thread ends.
fn signal(signal: &str, pid: u32) {
    let mut kill = Command::new("kill");
    kill.args([signal, &pid.to_string()]).stderr(Stdio::null());
    let _ = kill.status();
}

// ── the caches ────────────────────────────────────────────────────────────────────────────────

enum Target {
    Redis(Redis),
    Cluster(RedisCluster),
    Embedded(TempDir),
}

impl Target {
    fn redis() -> Self {
        Self::Redis(Redis::start(&[]))
    }

    fn cluster() -> Self {
        Self::Cluster(RedisCluster::start(3, 0))
    }

    fn embedded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = shopwarm("warmup all --demo --demo-dir").arg(dir.path()).run();
        made.expect(0);
        Self::Embedded(dir)
    }

    fn url(&self) -> String {
        match self {
            Self::Redis(redis) => redis.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Embedded(dir) => format!("sqlite:{}", dir.path().join("cache.db").display()),
        }
    }

    fn connect(&self) -> Connected {
        match self {
            Self::Redis(redis) => Connected::to_redis(redis.port()),
            Self::Cluster(cluster) => Connected::to_redis(cluster.nodes[0].port()),
            Self::Embedded(_) => {
                let runtime = runtime();
                let file = self.url();
                let connection = runtime.block_on(patient(&file));
                Connected::Embedded(runtime, connection)
            }
        }
    }
}

/// A connection that waits for others as long as a busy machine takes.
async fn patient(url: &str) -> SqliteConnection {
    let options = url.parse::<SqliteConnectOptions>().unwrap();
    options.busy_timeout(Duration::from_mins(1)).connect().await.unwrap()
}

/// An application's connection with its cache.
enum Connected {
    /// Of a cluster, a connection with each node by its port.
    Redis {
        first: u16,
        nodes: HashMap<u16, redis::Connection>,
    },
    Embedded(Runtime, SqliteConnection),
}

impl Connected {
    fn to_redis(first: u16) -> Self {
        Self::Redis { first, nodes: HashMap::new() }
    }

    /// Asks a server, and the one that has the key.
    fn ask(&mut self, words: &[&str]) -> redis::Value {
        let Self::Redis { first, nodes } = self else { panic!("no Redis") };
        let mut port = *first;
        loop {
            let node = nodes.entry(port).or_insert_with(|| {
                let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
                client.get_connection().unwrap()
            });
            let mut command = redis::cmd(words[0]);
            match command.arg(&words[1..]).query(node) {
                Err(error) if error.code() == Some("MOVED") => {
                    let place = error.detail().unwrap().rsplit(':').next().unwrap();
                    port = place.parse().unwrap();
                }
                answer => return answer.unwrap(),
            }
        }
    }

    fn delete(&mut self, key: &str) {
        match self {
            Self::Redis { .. } => drop(self.ask(&["DEL", key])),
            Self::Embedded(runtime, connection) => {
                let delete = sqlx::query("DELETE FROM entries WHERE key = ?").bind(key.as_bytes());
                runtime.block_on(delete.execute(connection)).unwrap();
            }
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        match self {
            Self::Redis { .. } => drop(self.ask(&["SET", key, value, "EX", "3600"])),
            Self::Embedded(runtime, connection) => {
                let set = sqlx::query(
                    "INSERT OR REPLACE INTO entries (key, type, value, expires_at)
                     VALUES (?, 'string', ?, (unixepoch() + 3600) * 1000)",
                );
                let set = set.bind(key.as_bytes()).bind(value.as_bytes());
                runtime.block_on(set.execute(connection)).unwrap();
            }
        }
    }

    /// A text as JSON, a hash as an object.
    fn get(&mut self, key: &str) -> Option<Value> {
        match self {
            Self::Redis { .. } if key.starts_with("fields:") => {
                let answer = self.ask(&["HGETALL", key]);
                let fields: HashMap<String, String> = redis::from_redis_value(answer).unwrap();
                (!fields.is_empty()).then(|| json!(fields))
            }
            Self::Redis { .. } if key.starts_with("set:") => {
                let answer = self.ask(&["SMEMBERS", key]);
                let members: Vec<String> = redis::from_redis_value(answer).unwrap();
                (!members.is_empty()).then(|| rows_of(&members))
            }
            Self::Redis { .. } if key.starts_with("zset:") => {
                let answer = self.ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]);
                let scores: HashMap<String, f64> = redis::from_redis_value(answer).unwrap();
                (!scores.is_empty()).then(|| json!(scores))
            }
            Self::Redis { .. } => {
                let answer = self.ask(&["GET", key]);
                let text: Option<String> = redis::from_redis_value(answer).unwrap();
                text.map(|text| serde_json::from_str(&text).unwrap())
            }
            Self::Embedded(runtime, connection) => {
                let select = sqlx::query_scalar("SELECT value FROM entries WHERE key = ?")
                    .bind(key.as_bytes());
                let text: Option<Vec<u8>> =
                    runtime.block_on(select.fetch_optional(connection)).unwrap();
                let value: Option<Value> = text.map(|text| serde_json::from_slice(&text).unwrap());
                match value {
                    Some(Value::Array(members)) if key.starts_with("set:") => {
                        let members = members.iter().map(|m| m.as_str().unwrap().to_owned());
                        Some(rows_of(&members.collect::<Vec<_>>()))
                    }
                    value => value,
                }
            }
        }
    }
}

/// The members of a set as a list, in order.
fn rows_of(members: &[String]) -> Value {
    let rows = members.iter().map(|row| serde_json::from_str(row).unwrap());
    let mut rows: Vec<Value> = rows.collect();
    rows.sort_by_key(|row| row["id"].as_u64());
    json!(rows)
}

// ── the applications ──────────────────────────────────────────────────────────────────────────

enum Session {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl Session {
    async fn open(database: &Database) -> Self {
        let url = database.admin_url();
        match database.dialect() {
            Dialect::Postgres => Self::Postgres(PgConnection::connect(&url).await.unwrap()),
            Dialect::MySql => Self::MySql(MySqlConnection::connect(&url).await.unwrap()),
            Dialect::Sqlite => {
                let mut connection = patient(&database.url()).await;
                connection.execute("PRAGMA busy_timeout = 20000").await.unwrap();
                Self::Sqlite(connection)
            }
        }
    }

    /// Its time, to the fraction.
    fn clock(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "clock_timestamp()",
            Self::MySql(_) => "now(6)",
            Self::Sqlite(_) => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        }
    }

    async fn change(&mut self, sql: String) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Postgres(session) => drop(session.execute(sql).await.unwrap()),
            Self::MySql(session) => drop(session.execute(sql).await.unwrap()),
            Self::Sqlite(session) => drop(session.execute(sql).await.unwrap()),
        }
    }
}

struct Application {
    number: u64,
    runtime: Runtime,
    session: Session,
    cache: Connected,
    /// What it knows of its rows: their versions, and whether they are there.
    rows: HashMap<u64, (u64, bool)>,
    rng: Rng,
}

impl Application {
    fn new(number: u64, database: &Database, cache: &Target) -> Self {
        let runtime = runtime();
        let session = runtime.block_on(Session::open(database));
        let rows = database.query("SELECT id, v, gone FROM items");
        let rows = rows.lines().map(|row| {
            let numbers: Vec<u64> = row.split('\t').map(|n| n.parse().unwrap()).collect();
            (numbers[0], (numbers[1], numbers[2] == 0))
        });
        Self {
            number,
            session,
            cache: cache.connect(),
            rows: rows.collect(),
            rng: Rng::with_seed(fastrand::u64(..)),
            runtime,
        }
    }

    /// Changes rows, each change committed before the cache hears of it.
    fn work(mut self, left: &AtomicU64, pause: Duration) {
        // The first sets what it knows; the others drop keys.
        let sets = self.number == 0;
        while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            thread::sleep(pause.mul_f64(self.rng.f64()));
            let id = self.rng.u64(0..ROWS / APPLICATIONS) * APPLICATIONS + self.number;
            let (version, is_there) = self.rows[&id];
            let (version, is_there) = (version + 1, is_there != (self.rng.u8(0..10) == 0));
            self.rows.insert(id, (version, is_there));
            let (price, gone) = (self.rng.u32(..10_000), u8::from(!is_there));
            let now = self.session.clock();
            let update = format!(
                "UPDATE items SET price = {price}, v = {version}, gone = {gone}, at = {now} WHERE id = {id}"
            );
            self.runtime.block_on(self.session.change(update));
            let item = format!("item:{id}");
            match sets && is_there {
                true => self
                    .cache
                    .set(&item, &json!({"id": id, "price": price, "v": version}).to_string()),
                false => self.cache.delete(&item),
            }
            self.cache.delete(&format!("fields:{id}"));
            for name in GROUP_KEYS {
                self.cache.delete(&format!("{name}:{}", id % GROUPS));
            }
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

// ── one step at a time ────────────────────────────────────────────────────────────────────────

const VERSIONED: &str = r#"
[context]
name = "race"
owns = ["items"]

[strategies.items]
key = "item:{id}"
value = "object"
version_field = "v"
sql.any = "SELECT id, price, v, v AS _version FROM items WHERE gone = 0"

[strategies.fields]
key = "fields:{id}"
value = "hash"
version_field = "v"
sql.any = "SELECT id, price, v, v AS _version FROM items WHERE gone = 0"
"#;

#[test]
fn what_an_application_has_set_since_is_not_written_over() {
    let database = Sqlite::database();
    let (_dir, contexts) = file("race.toml", VERSIONED);
    database
        .sql("CREATE TABLE items (id integer PRIMARY KEY, price integer, v integer, gone integer)");
    database
        .sql("INSERT INTO items VALUES (1, 10, 9, 0), (2, 20, 9, 0), (3, 30, 9, 0), (4, 40, 9, 0)");
    for cache in [Target::redis(), Target::cluster(), Target::embedded()] {
        let mut application = cache.connect();
        let newer = json!({"id": 1, "price": 11, "v": 10});
        application.set("item:1", &newer.to_string());
        application.set("item:2", &json!({"id": 2, "price": 19, "v": 8}).to_string());
        application.set("item:3", "no JSON");
        if !matches!(cache, Target::Embedded(_)) {
            application.ask(&["HSET", "fields:1", "v", "10", "price", "11"]);
            application.ask(&["HSET", "fields:2", "v", "8", "price", "19"]);
            application.ask(&["SET", "fields:3", "no hash"]);
        }
        let run = shopwarm("warmup context race -o json").contexts(&contexts);
        let report = run.database(database.url()).cache(cache.url()).run().expect(0);
        let items = report.strategy("race/items");
        assert_eq!((&items["warmed"], &items["skipped"]), (&json!(3), &json!(1)));
        assert_eq!(application.get("item:1"), Some(newer));
        for (id, price) in [(2, 20), (3, 30), (4, 40)] {
            let item = json!({"id": id, "price": price, "v": 9});
            assert_eq!(application.get(&format!("item:{id}")), Some(item));
        }
        if !matches!(cache, Target::Embedded(_)) {
            assert_eq!(application.get("fields:1"), Some(json!({"v": "10", "price": "11"})));
            for (id, price) in [("2", "20"), ("3", "30"), ("4", "40")] {
                let fields = json!({"id": id, "price": price, "v": "9"});
                assert_eq!(application.get(&format!("fields:{id}")), Some(fields));
            }
        }
    }
}

#[test]
fn a_version_field_is_a_field_of_the_value() {
    let (_dir, contexts) = file("race.toml", &VERSIONED.replace("\"v\"", "\"w\""));
    let database = Sqlite::database();
    database
        .sql("CREATE TABLE items (id integer PRIMARY KEY, price integer, v integer, gone integer)");
    let run = shopwarm("warmup context race").contexts(&contexts);
    let run = run.database(database.url()).cache(Target::embedded().url()).run().expect(4);
    assert!(run.stderr.contains("version_field: the query does not return w"), "{}", run.stderr);
}

/// A table as a replica has it, and as its primary has it by now.
fn behind() -> [Database; 2] {
    let databases = [Postgres::database(), Postgres::database()];
    for (database, v) in databases.iter().zip([1, 2]) {
        database.sql("CREATE TABLE items (id integer PRIMARY KEY, grp integer, price integer, v integer, gone integer, at timestamptz DEFAULT now())");
        database.sql(&format!(
            "INSERT INTO items SELECT g, g % 3, g * 10, {v}, 0 FROM generate_series(1, 1000) g"
        ));
    }
    databases[1]
        .sql("UPDATE items SET gone = 1 WHERE id = 7; UPDATE items SET v = 1 WHERE id <= 5");
    databases
}

#[test]
fn what_a_replica_does_not_have_yet_is_read_from_its_primary() {
    let [replica, primary] = behind();
    let (_dir, contexts) = file("race.toml", DEFINITIONS);
    for cache in [Target::redis(), Target::cluster(), Target::embedded()] {
        let run = shopwarm("warmup context race -o json --primary-url").arg(primary.url());
        let run =
            run.contexts(&contexts).database(replica.url()).cache(cache.url()).run().expect(0);
        let items = run.strategy("race/items");
        // Five are the same on both, and one is gone.
        assert_eq!((&items["repaired"], &items["withdrawn"]), (&json!(994), &json!(1)));
        assert_eq!(
            (&items["warmed"], &items["skipped"], &items["total"]),
            (&json!(999), &json!(1), &json!(1000))
        );
        assert_eq!(run.strategy("race/groups")["repaired"], 3);
        let mut connection = cache.connect();
        assert_eq!(connection.get("item:7"), None);
        assert_eq!(connection.get("item:5").unwrap()["v"], 1);
        assert_eq!(connection.get("item:6").unwrap()["v"], 2);
        assert_eq!(number(&connection.get("fields:6").unwrap()["v"]), 2);
        assert_eq!(
            connection.get("group:0").unwrap()[0],
            json!({"grp": 0, "id": 3, "price": 30, "v": 1})
        );
    }
}

/// Under `only-missing` a key that was stored and not answered for looks like somebody else's when it
/// is sent again.
#[test]
fn what_was_stored_without_an_answer_is_looked_at_too() {
    let [replica, primary] = behind();
    let (_dir, contexts) = file("race.toml", DEFINITIONS);
    let redis = Redis::start(&[]);
    let (proxy, url) = proxied(&redis);
    let run = shopwarm("warmup strategy race/items --mode only-missing --batch-size 20 --rate 400");
    let run = run.args("-o json --primary-url").arg(primary.url());
    let run = run.contexts(&contexts).database(replica.url()).cache(url);
    let mut child = run.start();
    until("the run is under way", || keys(&redis) > 20);
    while child.try_wait().unwrap().is_none() {
        proxy.cut_after_to_client(3);
        thread::sleep(Duration::from_millis(150));
    }
    finish(child).expect(0);
    let mut connection = Connected::to_redis(redis.port());
    for id in 1..=1000 {
        let v = connection.get(&format!("item:{id}")).map(|item| item["v"].clone());
        let now = match id {
            7 => None,
            1..=5 => Some(json!(1)),
            _ => Some(json!(2)),
        };
        assert_eq!(v, now, "item:{id}");
    }
}

#[test]
fn a_stale_value_that_may_not_be_deleted_is_said() {
    let [replica, primary] = behind();
    let (_dir, contexts) = file("race.toml", DEFINITIONS);
    let redis = Redis::start(&[]);
    redis.cli(&[
        "ACL", "SETUSER", "warm", "on", ">secret", "~*", "&*", "+@all", "-eval", "-evalsha",
        "-del", "-unlink",
    ]);
    let cache = format!("redis://warm:secret@127.0.0.1:{}", redis.port());
    let run = shopwarm("warmup strategy race/items -o json --primary-url").arg(primary.url());
    let run = run.contexts(&contexts).database(replica.url()).cache(cache).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(run.stderr.contains("does not allow a stale value to be deleted"), "{}", run.stderr);
    assert!(run.stderr.contains("+delex"), "{}", run.stderr);
    assert!(run.strategy("race/items")["unknown"].as_u64().unwrap() > 0);
}

#[test]
fn a_primary_that_goes_away_leaves_keys_unverified_and_says_so() {
    let [replica, primary] = behind();
    let (_dir, contexts) = file("race.toml", DEFINITIONS);
    let redis = Redis::start(&[]);
    // It is reached, and its table is not.
    primary.sql("ALTER TABLE items RENAME TO things");
    let run = shopwarm("warmup strategy race/items -o json --primary-url").arg(primary.url());
    let run = run.contexts(&contexts).database(replica.url()).cache(redis.url()).run();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let items = run.strategy("race/items");
    assert_eq!(items["status"], "failed");
    assert_eq!(items["unverified"], items["warmed"]);
    assert!(run.stderr.contains("items"), "{}", run.stderr);
    // One that is not there is noticed before anything is written.
    let run = shopwarm("warmup strategy race/items --primary-url postgres://127.0.0.1:1/shop");
    let run = run.contexts(&contexts).database(replica.url()).cache(redis.url()).run();
    run.expect(5);
    let run = shopwarm("warmup strategy race/items --primary-url sqlite:/nowhere.db");
    let run = run.contexts(&contexts).database(replica.url()).cache(redis.url()).run();
    assert!(matches!(run.code, 4 | 5), "{}", run.stderr);
}

#[test]
fn what_is_not_protected_is_said_everywhere() {
    let database = Sqlite::database();
    database
        .sql("CREATE TABLE items (id integer PRIMARY KEY, price integer, v integer, gone integer, at datetime DEFAULT CURRENT_TIMESTAMP)");
    database.sql("INSERT INTO items (id, price, v, gone) VALUES (1, 10, 9, 0)");
    let plain = DEFINITIONS.replace(", v AS _version", "").replace("grp, id", "id AS grp, id");
    // Read in one stream.
    let plain = plain.replace("key = \"item:{id}\"", "order_by = \"id\"\nkey = \"item:{id}\"");
    let (_dir, contexts) = file("race.toml", &plain);
    let redis = Redis::start(&[]);
    let ask = |arguments: &str| {
        let ask = shopwarm(arguments).contexts(&contexts);
        ask.database(database.url()).cache(redis.url()).run()
    };
    let listed = ask("strategies -o json").expect(0).json();
    let strategies = listed["strategies"].as_array().unwrap();
    for strategy in strategies {
        assert_eq!(strategy["protected"], false, "{strategy}");
    }
    let because = "no _version in the query";
    let run = ask("warmup context race -o json").expect(0);
    let items = run.strategy("race/items");
    assert_eq!(
        (&items["protected"], &items["unprotected_because"]),
        (&json!(false), &json!(because))
    );
    let table = ask("warmup context race").expect(0).stdout;
    assert!(table.contains("not protected") && table.contains(because), "{table}");
    let doctor = ask("doctor").stdout;
    assert!(doctor.contains("race/items") && doctor.contains("may leave stale values"), "{doctor}");
    // And what was switched off.
    let (_dir, contexts) = file("race.toml", &DEFINITIONS.replace("grp, id", "id AS grp, id"));
    let run = |flags: &str| {
        let run =
            shopwarm(&format!("warmup strategy race/items -o json {flags}")).contexts(&contexts);
        run.database(database.url()).cache(redis.url()).run().expect(0).strategy("race/items")
    };
    assert_eq!(run("")["protected"], true);
    assert_eq!(run("--no-verify-writes")["unprotected_because"], "--no-verify-writes");
}

#[test]
fn a_version_that_misses_a_table_is_said_everywhere() {
    let database = Sqlite::database();
    database.sql(
        "CREATE TABLE items (id integer PRIMARY KEY, v integer); INSERT INTO items VALUES (1, 9);
         CREATE TABLE notes (item integer, note text); INSERT INTO notes VALUES (1, 'a')",
    );
    let definitions = |version: &str, more: &str| {
        format!(
            "[context]\nname = \"race\"\n[strategies.items]\nkey = \"item:{{id}}\"\nvalue = \"object\"\n{more}
             sql = \"\"\"SELECT q.id, q.notes, {version} AS _version FROM (SELECT i.id, i.v, (SELECT
             json_group_array(n.note) FROM notes n WHERE n.item = i.id) AS notes FROM items i) q\"\"\"
             [strategies.lists]\nkey = \"list:{{id}}\"\nvalue = \"list\"
             sql = \"SELECT i.id, n.note, 1 AS _version FROM items i JOIN notes n ON n.item = i.id\"
             [strategies.joined]\nkey = \"joined:{{id}}\"\nvalue = \"object\"\n{more}
             sql = \"SELECT i.id, n.note, i.v AS _version FROM items i JOIN notes n ON n.item = i.id\"\n"
        )
    };
    let ask = |text: &str, arguments: &str| {
        let (_dir, contexts) = file("race.toml", text);
        let redis = Redis::start(&[]);
        let ask = shopwarm(arguments).contexts(&contexts);
        let ask = ask.database(database.url()).cache(redis.url());
        ask.run().expect(0)
    };
    let why = "its _version comes from items only; changes of notes are not seen";
    let text = definitions("json_array(q.id, q.notes)", "");
    let listed = ask(&text, "strategies -o json").json();
    let protected = |listed: &Value| -> Vec<bool> {
        let all = listed["strategies"].as_array().expect("a list");
        all.iter().map(|strategy| strategy["protected"] == true).collect()
    };
    assert_eq!(protected(&listed), [true, false, true], "{listed:#}");
    let said = ask(&text, "strategies").stderr;
    assert!(said.contains(&format!("race/joined ({why})")), "{said}");
    let doctor = ask(&text, "doctor").stdout;
    assert!(doctor.contains("race/joined may leave stale"), "{doctor}");
    assert!(!doctor.contains("race/items may leave"), "{doctor}");
    let run = ask(&text, "warmup all -o json");
    assert_eq!(run.strategy("race/items")["protected"], true);
    assert_eq!(run.strategy("race/lists")["protected"], true);
    let joined = run.strategy("race/joined");
    assert_eq!(
        (&joined["protected"], &joined["unprotected_because"]),
        (&json!(false), &json!(why))
    );
    // The operator knows.
    let known = definitions("q.v", "unprotected = \"ok\"\n");
    let run = ask(&known, "warmup all");
    assert!(!run.stdout.contains("not protected"), "{}", run.stdout);
    let doctor = ask(&known, "doctor").stdout;
    assert!(!doctor.contains("may leave"), "{doctor}");
    assert!(!ask(&known, "strategies").stderr.contains("not protected"));
}

/// A strategy of this definition over a table `days` on SQLite, into the embedded cache.
fn days(definition: &str) -> Finished {
    let database = Sqlite::database();
    database.sql(
        "CREATE TABLE days (id integer PRIMARY KEY, at datetime, v integer, odd integer);
         WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < 3000)
         INSERT INTO days SELECT id, datetime('2026-01-01', '+' || id || ' minutes'), 1, NULL FROM s",
    );
    let text =
        format!("[context]\nname = \"race\"\nowns = [\"days\"]\n[strategies.days]\n{definition}");
    let (_dir, contexts) = file("race.toml", &text);
    let run = shopwarm("warmup context race -o json --batch-size 2000").contexts(&contexts);
    run.database(database.url()).cache(Target::embedded().url()).run()
}

#[test]
fn keys_that_cannot_be_looked_up_are_not_taken_for_gone() {
    let run = days(
        "key = \"Day:{at}\"\nvalue = \"object\"\nsql.any = \"SELECT at, id, v AS _version FROM days\"",
    );
    let days = run.expect(0).strategy("race/days");
    assert_eq!(
        (&days["warmed"], &days["withdrawn"], &days["protected"]),
        (&json!(3000), &json!(0), &json!(false))
    );
    let warning = days["warnings"][0].as_str().expect("a warning");
    assert!(
        warning.contains("rows cannot be found by key") && warning.contains("CAST"),
        "{warning}"
    );
}

#[test]
fn keys_of_several_columns_are_looked_up_too() {
    let run = days(
        "key = \"Day:{id}:{v}\"\nvalue = \"object\"\nsql.any = \"SELECT id, v, v AS _version FROM days\"",
    );
    let days = run.expect(0).strategy("race/days");
    assert_eq!((&days["warmed"], &days["protected"]), (&json!(3000), &json!(true)));
}

#[test]
fn a_version_that_is_null_is_none() {
    let run = days(
        "key = \"Day:{id}\"\nvalue = \"object\"\nsql.any = \"SELECT id, odd AS _version FROM days\"",
    );
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stdout.contains("`_version` is NULL"), "{}", run.stdout);
}
