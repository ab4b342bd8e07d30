//! The main job: a real database into a real cache.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::support::faults;
use crate::support::servers::{Dialect, Redis};
use crate::support::shop;
use crate::support::shopwarm::{Finished, file, shopwarm};

/// Every key of a Redis with its value, without what the tool keeps for itself.
fn contents(redis: &Redis) -> BTreeMap<String, String> {
    let keys = redis.cli(&["KEYS", "*"]);
    keys.lines()
        .filter(|key| !key.contains("shopwarm:"))
        .map(|key| (key.to_owned(), redis.cli(&["GET", key])))
        .collect()
}

fn ids(run: &Finished) -> Vec<String> {
    let report = run.json();
    let strategies = report["strategies"].as_array().expect("a report").iter();
    strategies.map(|strategy| strategy["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn the_same_shop_gives_the_same_json_from_every_database() {
    let [postgres, mysql, sqlite] = shop::DIALECTS.map(|dialect| {
        let (database, redis) = (shop::database(dialect), Redis::start(&[]));
        let run = shopwarm("warmup all -o json")
            .database(database.url())
            .cache(redis.url())
            .run()
            .expect(0);
        let report = run.json();
        assert_eq!(report["outcome"], "complete");
        let all = contents(&redis);
        assert_eq!(report["totals"]["warmed"], all.len(), "{dialect:?}");
        all
    });
    // Sessions say when a user was last seen, and the three shops were made at three moments.
    let (fixed, sessions) = (
        [&postgres, &mysql, &sqlite].map(without_sessions),
        [&postgres, &mysql, &sqlite].map(sessions),
    );
    assert_eq!(fixed[0], fixed[1]);
    assert_eq!(fixed[0], fixed[2]);
    assert_eq!(sessions[0].len(), 3);
    assert_eq!(sessions[0], sessions[1]);
    assert_eq!(sessions[0], sessions[2]);
    // 100 products, 4 lists of cards, 11 categories, their list and tree, 50 orders, 3 sessions.
    assert_eq!(postgres.len(), 100 + 4 + 11 + 1 + 1 + 50 + 3);
}

fn without_sessions(all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = all.clone();
    all.retain(|key, _| !key.starts_with("User:session:"));
    all
}

fn sessions(all: &BTreeMap<String, String>) -> Vec<String> {
    all.keys().filter(|key| key.starts_with("User:session:")).cloned().collect()
}

/// What the shop's own reader does, and what PostgreSQL's own JSON functions say of the same rows.
const READER: &str = r#"
import json, sys, redis
r = redis.Redis.from_url(sys.argv[1])
prefix = sys.argv[2]
for line in sys.stdin:
    key, expected = line.rstrip("\n").split("\t", 1)
    raw = r.get(prefix + key)
    assert raw is not None, key + " is not there"
    got, want = json.loads(raw), json.loads(expected)
    assert got == want, "%s\n got %r\nwant %r" % (key, got, want)
    assert type(got) is list or list(got) == list(want), key + ": the fields stand in another order"
print("ok")
"#;

#[test]
fn a_python_reader_finds_exactly_the_rows() {
    let expected = "SELECT 'Product:id:' || id, json_build_object('id', id, 'name', name, 'description', description, \
             'price', price, 'sku', sku, 'brand', brand, 'stock', stock, 'is_active', is_active, \
             'sales_count', sales_count, 'category_id', category_id)::text \
         FROM (SELECT * FROM products WHERE is_active AND deleted_at IS NULL \
               ORDER BY sales_count DESC, id DESC LIMIT 100) p \
         UNION ALL SELECT 'Category:id:' || id, json_build_object('id', id, 'name', name, 'description', description, \
             'parent_id', parent_id)::text FROM categories WHERE deleted_at IS NULL \
         UNION ALL SELECT 'Category:list:all', json_agg(json_build_object('id', id, 'name', name, 'description', description, \
             'parent_id', parent_id) ORDER BY name, id)::text FROM categories WHERE deleted_at IS NULL \
         UNION ALL SELECT 'recommendations:best_sellers', json_agg(json_build_object('id', id, 'name', name, 'price', price, \
             'brand', brand, 'category_id', category_id) ORDER BY sales_count DESC, id DESC)::text \
         FROM (SELECT * FROM products WHERE is_active AND deleted_at IS NULL ORDER BY sales_count DESC, id DESC LIMIT 10) b \
         UNION ALL SELECT 'Order:id:' || id, json_build_object('id', id, 'customer_id', customer_id, 'total', total, \
             'status', status, 'created_at', replace(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+00:00', '.000000', ''), \
             'paid_at', replace(to_char(paid_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', ''), \
             'shipped_at', replace(to_char(shipped_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', ''), \
             'items', COALESCE((SELECT json_agg(json_build_object('id', i.id, 'product_id', product_id, \
                 'product_name', product_name, 'quantity', quantity, 'unit_price', unit_price) ORDER BY i.id) \
                 FROM order_items i WHERE i.order_id = o.id), '[]'))::text \
         FROM (SELECT * FROM orders WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 50) o";
    let postgres = shop::database(Dialect::Postgres);
    let rows = postgres.query(expected);
    assert_eq!(rows.lines().count(), 100 + 11 + 1 + 1 + 50);
    for dialect in shop::DIALECTS {
        let (database, redis) = (shop::database(dialect), Redis::start(&[]));
        shopwarm("warmup all --prefix shop: -q")
            .database(database.url())
            .cache(redis.url())
            .run()
            .expect(0);
        let (_dir, script) = file("reader.py", READER);
        // Debian's package belongs to Debian's Python, which need not be the first in the PATH.
        let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
            Command::new(python)
                .args(["-c", "import redis"])
                .output()
                .is_ok_and(|o| o.status.success())
        });
        let (_rows_dir, input) = file("rows", &format!("{rows}\n"));
        let output = Command::new(python.expect("python3-redis; scripts/test installs it"))
            .arg(script)
            .args([&redis.url(), "shop:"])
            .stdin(std::fs::File::open(input).expect("the rows"))
            .output()
            .expect("python runs");
        assert!(
            output.status.success(),
            "{dialect:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn categories_stand_in_the_tree_once_each() {
    let (database, redis) = (shop::database(Dialect::Postgres), Redis::start(&[]));
    shopwarm("warmup context catalog -q")
        .database(database.url())
        .cache(redis.url())
        .run()
        .expect(0);
    let tree: Value =
        serde_json::from_str(&redis.cli(&["GET", "Category:tree:root"])).expect("JSON");
    fn count(nodes: &Value, found: &mut Vec<String>) {
        for node in nodes.as_array().expect("a list of nodes") {
            found.push(node["id"].as_str().expect("an id").to_owned());
            count(&node["children"], found);
        }
    }
    let mut found = Vec::new();
    count(&tree, &mut found);
    found.sort();
    let all = database.query("SELECT id FROM categories WHERE deleted_at IS NULL ORDER BY id");
    assert_eq!(found, all.lines().collect::<Vec<_>>());
}

#[test]
fn strategies_run_by_priority_then_by_name() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let run =
        shopwarm("warmup all -o json").database(database.url()).cache(redis.url()).run().expect(0);
    assert_eq!(
        ids(&run),
        [
            "catalog/hot-products",
            "catalog/recommendations",
            "catalog/categories",
            "catalog/category-list",
            "catalog/category-tree",
            "ordering/recent-orders",
            "identity/active-user-sessions",
        ]
    );
    let started: Vec<&str> =
        run.stderr.lines().filter_map(|line| line.split_once(": ")).map(|(id, _)| id).collect();
    assert_eq!(started, ids(&run));
}

#[test]
fn a_selection_is_by_context_strategy_tag_and_exclusion() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let select = |arguments: &str| {
        let run = shopwarm(arguments)
            .arg("-ojson")
            .database(database.url())
            .cache(redis.url())
            .run()
            .expect(0);
        ids(&run)
    };
    assert_eq!(
        select("warmup context ordering identity"),
        ["ordering/recent-orders", "identity/active-user-sessions"]
    );
    assert_eq!(
        select("warmup strategy identity/active-user-sessions"),
        ["identity/active-user-sessions"]
    );
    assert_eq!(
        select("warmup all --tag order --tag user"),
        ["ordering/recent-orders", "identity/active-user-sessions"]
    );
    assert_eq!(
        select(
            "warmup context catalog --tag category --exclude catalog/categories,catalog/category-tree"
        ),
        ["catalog/category-list"]
    );
}

#[test]
fn an_unknown_name_is_a_usage_error_that_helps() {
    let database = shop::database(Dialect::Sqlite);
    for (arguments, expected) in [
        ("warmup context catalgo", "did you mean `catalog`?"),
        (
            "warmup context nothing",
            "there is no context `nothing`: choose from catalog, identity, ordering",
        ),
        ("warmup strategy catalog/hot-product", "did you mean `catalog/hot-products`?"),
        ("warmup all --tag prodct", "did you mean `product`?"),
        ("warmup all --exclude catalog/x", "there is no context or strategy `catalog/x`"),
        ("warmup all --tag order --exclude ordering/recent-orders", "nothing is selected"),
        ("warmup strategy hot-products", "did you mean `catalog/hot-products`?"),
        ("warmup all --concurrency 0", "0 is not from 1 to 1000"),
        ("warmup all --limit 9223372036854775808", "is not from 1 to 9223372036854775807"),
        ("warmup all --limit 0", "--limit"),
        ("warmup all --fail-under 101", "not a percentage from 0 to 100"),
        ("warmup strategy catalog", "hint: `catalog` is a context: give its name alone"),
        (
            "warmup context catalog/hot-products",
            "`catalog/hot-products` is a strategy: give its name alone",
        ),
        ("warmup all --default-ttl soon", "not a duration"),
        ("warmpu all", "a similar subcommand exists: 'warmup'"),
    ] {
        let run = shopwarm(arguments)
            .database(database.url())
            .cache("sqlite:/dev/null/x")
            .run()
            .expect(2);
        assert!(run.stderr.contains(expected), "{arguments}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn the_embedded_cache_keeps_key_type_value_and_expiry() {
    let database = shop::database(Dialect::Sqlite);
    let dir = tempfile::tempdir().expect("a folder");
    let cache = dir.path().join("cache.db");
    let url = format!("sqlite:{}", cache.display());
    let ask = |sql: &str| {
        let output = Command::new("sqlite3")
            .arg(&cache)
            .arg(sql)
            .output()
            .expect("sqlite3; scripts/test installs it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    shopwarm("warmup all -q").database(database.url()).cache(&url).run().expect(0);
    let own = "CAST(key AS TEXT) LIKE '%shopwarm:%'";
    let all = format!("SELECT count(*) FROM entries WHERE NOT {own}");
    assert_eq!(ask(&all), "170");
    let left = "SELECT type, expires_at / 1000 - unixepoch() BETWEEN 6470 AND 7200, json_valid(value) \
                FROM entries WHERE key = CAST('Product:id:prod-0011' AS BLOB)";
    assert_eq!(ask(left), "string|1|1");

    // Only what is missing or has expired is written.
    ask(
        "DELETE FROM entries WHERE CAST(key AS TEXT) LIKE 'Order:%'; UPDATE entries SET expires_at = 1 WHERE CAST(key AS TEXT) LIKE 'User:%'; \
         UPDATE entries SET value = 'mine' WHERE key = CAST('Category:list:all' AS BLOB)",
    );
    let run = shopwarm("warmup all -o json --mode only-missing")
        .database(database.url())
        .cache(&url)
        .run()
        .expect(0);
    let totals = &run.json()["totals"];
    assert_eq!((&totals["warmed"], &totals["skipped"]), (&53.into(), &117.into()));
    assert_eq!(
        ask("SELECT value FROM entries WHERE key = CAST('Category:list:all' AS BLOB)"),
        "mine"
    );
}

#[test]
fn only_missing_leaves_what_is_there() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    redis.cli(&["SET", "Category:list:all", "mine"]);
    let warm = |mode: &str| {
        let run = shopwarm(&format!("warmup context catalog -o json --mode {mode}"));
        run.database(database.url())
            .cache(redis.url())
            .run()
            .expect(0)
            .strategy("catalog/category-list")
    };
    let list = warm("only-missing");
    assert_eq!(
        (&list["warmed"], &list["skipped"], &list["success_rate"]),
        (&0.into(), &1.into(), &1.0.into())
    );
    assert_eq!(redis.cli(&["GET", "Category:list:all"]), "mine");
    assert_eq!(warm("refresh")["warmed"], 1);
    assert_ne!(redis.cli(&["GET", "Category:list:all"]), "mine");
}

#[test]
fn times_to_live_are_the_definitions_spread_the_same_way_each_time() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let ttls = |arguments: &str| -> BTreeMap<String, i64> {
        redis.cli(&["FLUSHALL"]);
        shopwarm(arguments).database(database.url()).cache(redis.url()).run().expect(0);
        let keys = redis.cli(&["KEYS", "Product:*"]);
        keys.lines()
            .map(|key| (key.to_owned(), redis.cli(&["PTTL", key]).parse().expect("a number")))
            .collect()
    };
    let spread = ttls("warmup strategy catalog/hot-products -q");
    assert!(spread.values().all(|ttl| (6_400_000..=7_200_000).contains(ttl)), "{spread:?}");
    let (least, most) = (spread.values().min(), spread.values().max());
    assert!(most > least.map(|least| least + 400_000).as_ref(), "{least:?} to {most:?}");
    let again = ttls("warmup strategy catalog/hot-products -q");
    assert!(spread.iter().all(|(key, ttl)| (ttl - again[key]).abs() < 60_000));
    let exact = ttls("warmup strategy catalog/hot-products -q --ttl-jitter 0");
    assert!(exact.values().all(|ttl| (7_100_000..=7_200_000).contains(ttl)), "{exact:?}");
}

#[test]
fn keys_are_loaded_by_name() {
    let (database, redis) = (shop::database(Dialect::Postgres), Redis::start(&[]));
    let cold = database.query("SELECT id FROM products WHERE is_active AND deleted_at IS NULL ORDER BY sales_count, id LIMIT 1");
    let run = shopwarm("warmup keys -o json Category:tree:root Category:list:all recommendations:trending Product:id:nope Nonsense:1")
        .arg(format!("Product:id:{cold}"))
        .database(database.url())
        .cache(redis.url())
        .run()
        .expect(3);
    let report = run.json();
    assert_eq!(
        (&report["outcome"], &report["unmatched"][0]),
        (&"incomplete".into(), &"Nonsense:1".into())
    );
    let products = run.strategy("catalog/hot-products");
    assert_eq!((&products["warmed"], &products["skipped"]), (&1.into(), &1.into()));
    assert_eq!(products["not_found"][0], "Product:id:nope");
    assert_eq!(contents(&redis).len(), 4);
}

#[test]
fn keys_without_a_row_are_nothing_to_warm() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let run = shopwarm("warmup keys -o json Product:id:nope Order:id:nope");
    let run = run.database(database.url()).cache(redis.url()).run().expect(3);
    assert_eq!(run.json()["outcome"], "empty");
}

#[test]
fn keys_may_have_the_prefix_or_not() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    // A prefix that looks like the beginning of a key, too.
    for prefix in ["shop:", "Product:"] {
        for key in ["Product:id:prod-0011", &format!("{prefix}Product:id:prod-0011")] {
            redis.cli(&["FLUSHALL"]);
            let run = shopwarm("warmup keys -q --prefix").arg(prefix).arg(key);
            run.database(database.url()).cache(redis.url()).run().expect(0);
            assert_eq!(
                redis.cli(&["KEYS", "*Product:id:*"]),
                format!("{prefix}Product:id:prod-0011"),
                "{key}"
            );
        }
    }
}

#[test]
fn empty_lines_between_keys_end_nothing() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let keys = format!("Product:id:prod-0002\n{}Product:id:prod-0011", "\n".repeat(25_000));
    let run = shopwarm("warmup keys - -q").stdin(keys);
    run.database(database.url()).cache(redis.url()).run().expect(0);
    assert_eq!(faults::keys(&redis), 2);
}

#[test]
fn a_file_of_something_else_is_not_used_as_a_cache() {
    let database = shop::database(Dialect::Sqlite);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let before = database.query(tables);
    let run = shopwarm("warmup all").database(database.url()).cache(database.url()).run().expect(4);
    assert!(run.stderr.contains("not a shopwarm cache"), "{}", run.stderr);
    assert_eq!(database.query(tables), before);
}

#[test]
fn keys_come_from_stdin_in_any_number() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let ids = database.query("SELECT id FROM products WHERE is_active AND deleted_at IS NULL");
    let known = ids.lines().count();
    let mut keys: String = ids.lines().map(|id| format!("Product:id:{id}\r\n")).collect();
    keys.extend((0..25_000).map(|i| format!("Product:id:unknown-{i}\n")));
    let run = shopwarm("warmup keys - -o json")
        .stdin(keys)
        .database(database.url())
        .cache(redis.url())
        .run()
        .expect(0);
    let products = run.strategy("catalog/hot-products");
    assert_eq!((&products["warmed"], &products["skipped"]), (&known.into(), &25_000.into()));
    assert_eq!(faults::keys(&redis), known as u64);
}

#[test]
fn the_sample_shop_needs_no_server() {
    let dir = tempfile::tempdir().expect("a folder");
    let demo = |arguments: &str| {
        // What the environment says of real servers does not count.
        let run = shopwarm(arguments)
            .arg("--demo-dir")
            .arg(dir.path())
            .database("postgres://127.0.0.1:1/x")
            .env("REDIS_URL", "redis://127.0.0.1:1");
        run.run().expect(0)
    };
    let first = demo("--demo warmup all -o json").json();
    assert_eq!((&first["outcome"], &first["totals"]["warmed"]), (&"complete".into(), &175.into()));
    let second = demo("--demo warmup all -o json --mode only-missing").json();
    assert_eq!(second["totals"]["skipped"], 175);
}

#[test]
fn a_session_has_a_name_a_time_limit_and_no_right_to_write() {
    let (database, redis) = (shop::database(Dialect::Postgres), Redis::start(&[]));
    let definitions = |sql: &str| {
        let text = format!(
            "[context]\nname = \"own\"\nowns = [\"products\"]\n[strategies.session]\nkey = \"s:{{id}}\"\n\
             value = \"object\"\nsql.any = \"\"\"{sql}\"\"\"\n"
        );
        file("own.toml", &text)
    };
    let asked = definitions(
        "SELECT 1 AS id, current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout, \
         current_setting('transaction_read_only') AS read_only, current_setting('TimeZone') AS zone",
    );
    let warm = |path: &std::path::Path| {
        let run = shopwarm("warmup context own --statement-timeout 7s -o json").contexts(path);
        run.database(database.url()).cache(redis.url()).run()
    };
    warm(&asked.1).expect(0);
    let said: Value = serde_json::from_str(&redis.cli(&["GET", "s:1"])).expect("JSON");
    assert_eq!(
        (&said["name"], &said["timeout"], &said["read_only"], &said["zone"]),
        (&"shopwarm".into(), &"7s".into(), &"on".into(), &"UTC".into())
    );
    // What the SQL cannot show, the session refuses.
    database.sql(
        "CREATE FUNCTION touch() RETURNS int LANGUAGE sql AS 'UPDATE products SET stock = 0 RETURNING 1'; \
         GRANT UPDATE ON products TO shop",
    );
    let writing = definitions("SELECT id, touch() AS t FROM products");
    let run = warm(&writing.1).expect(3);
    assert!(run.stderr.contains("read-only transaction"), "{}", run.stderr);
}
