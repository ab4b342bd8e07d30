//! Definitions of the operator's own: merged, checked before the first write, and asked for key by
//! key; and the settings around them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::lab::{Lab, SHIPPED, counts, errors, over_shipped, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, shopwarm};

fn write(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    path
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A strategy of `shopwarm strategies -o json`.
fn described(run: &Finished, id: &str) -> Value {
    let document = run.json();
    let mut all = document["strategies"].as_array().expect("a list").iter();
    all.find(|s| s["id"] == id).unwrap_or_else(|| panic!("no {id} in {document:#}")).clone()
}

fn ttl(lab: &Lab, key: &str) -> u64 {
    lab.redis.cli(&["TTL", key]).parse().expect("a time to live")
}

#[test]
fn an_override_changes_the_fields_that_it_names() {
    let lab = Lab::shop(Dialect::Sqlite);
    let dir = folder();
    write(
        dir.path(),
        "1-catalog.toml",
        r#"
        [context]
        name = "catalog"
        [strategies.hot-products]
        limit = 3
        ttl = "200s"
        [strategies.category-tree]
        enabled = false
        [strategies.brands]
        key = "Brand:{_brand}"
        value = "list"
        sql.any = "SELECT brand AS _brand, id FROM products WHERE brand IS NOT NULL"
        order_by = "id"
        "#,
    );
    write(
        dir.path(),
        "2-own.toml",
        &own(
            &["users"],
            &strategy("names", "text", "Name:{_id}", "SELECT id AS _id, name FROM users"),
        ),
    );
    write(
        dir.path(),
        "3-catalog.toml",
        &over_shipped("[context]\nname = \"catalog\"\n[strategies.hot-products]\nttl = \"100s\"\n"),
    );
    write(dir.path(), "notes.txt", "not a definition");

    let run = lab.command("warmup all -o json").contexts(dir.path()).run().expect(0);
    let hot = run.strategy("catalog/hot-products");
    assert_eq!(counts(&hot), [3, 0, 0, 0]);
    assert_eq!((&hot["priority"], &hot["ttl_seconds"]), (&json!(100), &json!(100)));
    let report = run.json();
    let ids = report["strategies"].as_array().expect("a list").iter();
    let ids: Vec<&str> = ids.filter_map(|s| s["id"].as_str()).collect();
    assert_eq!(ids[0], "catalog/hot-products");
    assert!(!ids.contains(&"catalog/category-tree"));
    let products: Vec<String> =
        lab.keys().into_iter().filter(|k| k.starts_with("Product:")).collect();
    assert_eq!(products.len(), 3);
    assert!((90..=100).contains(&ttl(&lab, &products[0])));
    assert!(!lab.keys().contains(&"Category:tree:root".to_owned()));
    let brands = lab.database.query("SELECT count(DISTINCT brand) FROM products");
    assert_eq!(run.strategy("catalog/brands")["warmed"].to_string(), brands);
    assert_eq!(
        lab.get("Name:user-01"),
        lab.database.query("SELECT name FROM users WHERE id = 'user-01'")
    );
}

#[test]
fn definitions_come_from_files_and_folders_in_the_order_given() {
    let dir = folder();
    let patch = |limit: u32| {
        let limit =
            format!("[context]\nname = \"catalog\"\n[strategies.hot-products]\nlimit = {limit}\n");
        over_shipped(&limit)
    };
    let one = write(dir.path(), "one.toml", &patch(1));
    let two = write(dir.path(), "more/a.toml", &patch(2));
    let three = write(dir.path(), "more/b.toml", &patch(3));
    let more = dir.path().join("more");
    let (one, more) = (one.to_str().expect("text"), more.to_str().expect("text"));
    write(dir.path(), "shopwarm.toml", "contexts = [\"more/a.toml\"]\n");

    let limit = |run: Finished, limit: u32, from: &Path| {
        let hot = described(&run.expect(0), "catalog/hot-products");
        let expected = json!({ "value": limit, "from": from.to_str() });
        assert_eq!(hot["fields"]["limit"], expected);
        // What no file says is as it was shipped.
        assert_eq!(hot["fields"]["ttl"], json!({ "value": "2h", "from": "shipped" }));
    };
    let strategies = || shopwarm("strategies -o json");
    limit(strategies().arg("--contexts").arg(one).run(), 1, Path::new(one));
    limit(strategies().arg("--contexts").arg(more).run(), 3, &three);
    let flags = ["--contexts", more, "--contexts", one];
    limit(
        flags.iter().fold(strategies(), super::support::shopwarm::Shopwarm::arg).run(),
        1,
        Path::new(one),
    );
    let variable = format!("{one},{more}");
    limit(strategies().env("SHOPWARM_CONTEXTS", &variable).run(), 3, &three);
    // A flag stands instead of the environment, not beside it; both instead of the file.
    let both = strategies().env("SHOPWARM_CONTEXTS", &variable).arg("--contexts").arg(one);
    limit(both.run(), 1, Path::new(one));
    limit(strategies().dir(dir.path()).contexts(Path::new(one)).run(), 1, Path::new(one));
    // In the file, a path is meant from where the file stands.
    limit(strategies().dir(dir.path()).run(), 2, Path::new("more/a.toml"));
    let config = dir.path().join("shopwarm.toml");
    limit(strategies().arg("--config").arg(&config).run(), 2, &two);

    for (path, says) in [("nowhere.toml", "nowhere.toml"), ("empty", "no .toml file")] {
        std::fs::create_dir_all(dir.path().join("empty")).expect("a folder");
        let run = strategies().contexts(&dir.path().join(path)).run().expect(4);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}

/// The first strategy is good each time: it must not be written when another one is wrong.
#[test]
fn one_wrong_definition_and_nothing_is_written_where_that_is_wished_for() {
    let good = strategy("good", "object", "Good:{id}", "SELECT id, name FROM products");
    let other = |sql: &str| strategy("other", "object", "Other:{id}", sql);
    let select = "SELECT id, name FROM products";
    let misspelt = other(select) + "tll = \"1h\"";
    let before = over_shipped(&own(&["products"], &(good.clone() + &misspelt)));
    let line = before.lines().position(|l| l.starts_with("tll")).expect("it is there") + 1;
    let unknown_field = format!("own.toml, line {line}: unknown field `tll`");
    let cases: Vec<(String, Vec<&str>)> = vec![
        (misspelt, vec![&unknown_field, "did you mean `ttl`?"]),
        (other(select) + "limit = \"ten\"", vec!["own.toml, line"]),
        (other(select) + "= 1", vec!["own.toml, line"]),
        (
            other(select) + "types = { nmae = \"json\" }",
            vec![
                "own/other",
                "own.toml, line",
                "types: the query does not return nmae",
                "it returns id, name",
            ],
        ),
        (
            other(select) + "types = { name = \"jsn\" }",
            vec!["own.toml, line", "did you mean `json`?"],
        ),
        (
            other("SELECT name FROM products"),
            vec!["own/other", "key: the query does not return id", "it returns name"],
        ),
        (other("SELECT id FROM products WHERE"), vec!["own/other"]),
        (other("SELEC id FROM products"), vec!["own/other"]),
        (
            other("SELECT id, colour FROM products"),
            vec!["own/other", "colour", "hint: products has the columns id"],
        ),
        (other("SELECT id FROM artists"), vec!["own/other", "artists", "hint: "]),
        (
            other(select) + "order_by = \"colour\"",
            vec!["own/other", "own.toml, line", "order_by: ", "does not return colour"],
        ),
        (
            strategy("other", "object", "Good:{name}", select),
            vec!["own/good and own/other make the same keys", "Good:{name}"],
        ),
        (
            strategy("other", "object", "Product:id:{x}", "SELECT id AS x FROM products"),
            vec!["catalog/hot-products and own/other make the same keys"],
        ),
        (strategy("other", "text", "Other:{id}", select), vec!["own/other", "one stored column"]),
        (
            strategy("other", "object", "Other:{_id}", "SELECT id AS _id FROM products"),
            vec!["own/other", "no column is stored"],
        ),
        (
            strategy("other", "object", "Other:{id", select),
            vec!["own/other", "own.toml", "not closed"],
        ),
        (
            "\n[strategies.other]\nvalue = \"object\"".to_owned(),
            vec!["own/other", "own.toml, line", "key: missing"],
        ),
        (
            "\n[strategies.other]\nkey = \"O:{id}\"\nvalue = \"object\"".to_owned(),
            vec!["own/other", "own.toml, line", "sql: missing"],
        ),
    ];
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        let elsewhere = match dialect {
            Dialect::Postgres => "mysql",
            _ => "postgres",
        };
        let not_here = other(select).replace("sql.any", &format!("sql.{elsewhere}"));
        let not_here = (not_here, vec!["own/other", "there is no SQL for", "sql.any"]);
        for (wrong, says) in cases.iter().chain([&not_here]) {
            let own = own(&["products", "artists"], &format!("{good}{wrong}"));
            let run = lab.with(&over_shipped(&own), "warmup all --strict").run();
            assert_eq!(run.code, 4, "{dialect:?} {wrong}\n{}{}", run.stdout, run.stderr);
            for part in says {
                assert!(run.stderr.contains(part), "{dialect:?} {part}: {}", run.stderr);
            }
            // One screen, and nothing of the driver's.
            let brief = run.stderr.lines().count() < 12 && !run.stderr.contains("Error {");
            assert!(brief && run.stdout.is_empty(), "{}", run.stderr);
        }
        assert!(lab.keys().is_empty(), "{dialect:?}");
        lab.with(&own(&["products"], &good), "warmup all").run().expect(0);
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let lab = Lab::shop(Dialect::Sqlite);
    let offline = strategy("a", "object", "A:{", "SELECT id FROM products")
        + &strategy("b", "list", "B:{id}", "SELECT id FROM products")
        + "limit = 3";
    let online = strategy("a", "object", "A:{x}", "SELECT id FROM products")
        + &strategy("b", "object", "B:{id}", "SELECT id FROM nowhere");
    for (wrong, arguments, says) in [
        (&offline, "--strict", "2 definitions are not valid"),
        (&offline, "", "2 definitions are invalid or do not fit the database"),
        (&online, "", "2 definitions are invalid or do not fit the database"),
    ] {
        let run = lab
            .with(&own(&["products", "nowhere"], wrong), "warmup all")
            .args(arguments)
            .run()
            .expect(4);
        for part in [says, "own/a", "own/b"] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
    }
    assert!(lab.keys().is_empty());
}

#[test]
fn strategies_shows_each_field_and_where_it_came_from() {
    let dir = folder();
    let patch = "extends = \"shipped\"\n[context]\nname = \"catalog\"\n[strategies.hot-products]\nlimit = 7\nsql.any = \"SELECT id, is_active, sales_count FROM products\"\n[strategies.categories]\nenabled = false\n";
    let file = write(dir.path(), "mine.toml", patch);
    let mine = file.to_str().expect("text");

    let run = shopwarm("strategies -o json").contexts(&file).run().expect(0);
    assert_eq!(run.json()["strategies"].as_array().expect("a list").len(), 7);
    let hot = described(&run, "catalog/hot-products");
    for (field, value, from) in [
        ("limit", json!(7), mine),
        ("sql.any", json!("SELECT id, is_active, sales_count FROM products"), mine),
        ("priority", json!(100), "shipped"),
        ("key", json!("Product:id:{id}"), "shipped"),
        ("tags", json!(["product", "high-priority"]), "shipped"),
        ("types", json!({ "is_active": "bool" }), "shipped"),
    ] {
        assert_eq!(hot["fields"][field], json!({ "value": value, "from": from }), "{field}");
    }
    assert_eq!(hot["owns"], json!(["products", "categories"]));
    assert_eq!(described(&run, "catalog/categories")["enabled"], false);

    let table = shopwarm("strategies").contexts(&file).run().expect(0).stdout;
    let row = |id: &str| table.lines().find(|l| l.contains(id)).unwrap_or_default().to_owned();
    assert!(row("catalog/hot-products").contains("Product:id:{id}"), "{table}");
    assert!(row("catalog/categories").contains("(disabled)"), "{table}");
    let detailed = shopwarm("strategies -v").contexts(&file).run().expect(0).stdout;
    assert!(detailed.contains(&format!("limit        [{mine}] 7")), "{detailed}");
    assert!(detailed.contains("priority     [shipped] 100"), "{detailed}");
    let lines = shopwarm("strategies -o ndjson").run().expect(0).stdout;
    assert_eq!(lines.lines().count(), 7);
}

#[test]
fn config_show_says_where_each_setting_came_from_and_no_secret() {
    let dir = folder();
    write(
        dir.path(),
        "shopwarm.toml",
        "database_url = \"postgres://u:canary@file-host/db\"\nprefix = \"file:\"\nbatch_size = 7\nconcurrency = 3\n",
    );
    let setting = |run: &Finished, name: &str| {
        let document = run.json();
        let mut all = document["settings"].as_array().expect("a list").iter();
        let found = all.find(|s| s["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {document:#}"));
        let text = |field: &str| found[field].as_str().unwrap_or("-").to_owned();
        (text("value"), text("from"))
    };
    let run = shopwarm("config show -o json --prefix flag:")
        .dir(dir.path())
        .env("SHOPWARM_PREFIX", "environment:")
        .env("SHOPWARM_CONCURRENCY", "5")
        .env("REDIS_URL", "redis://:canary@older/0")
        .run()
        .expect(0);
    for (name, value, from) in [
        ("prefix", "flag:", "flag"),
        ("concurrency", "5", "environment SHOPWARM_CONCURRENCY"),
        ("batch_size", "7", "shopwarm.toml"),
        ("default_ttl", "1h", "default"),
        ("deadline", "-", "default"),
        ("database_url", "postgres://u:***@file-host/db", "shopwarm.toml"),
        ("cache_url", "redis://:***@older/0", "environment REDIS_URL"),
    ] {
        let (value, from) = (value.to_owned(), from.to_owned());
        assert_eq!(setting(&run, name), (value, from), "{name}");
    }
    let url_file = write(dir.path(), "url", "mysql://u:canary@secret-file/db?x=canary\n");
    let flag = "postgres://u:canary@flag/db";
    let show = |form: &str| {
        shopwarm("config show -o")
            .arg(form)
            .dir(dir.path())
            .env("REDIS_URL", "redis://:canary@older/0")
            .env("CACHE_URL", "redis://:canary@newer/0")
    };
    let command = || show("json");
    for (run, name, value, from) in [
        (command().run(), "cache_url", "redis://:***@newer/0", "environment CACHE_URL"),
        (
            command().arg("--redis-url=redis://:canary@flag/0").run(),
            "cache_url",
            "redis://:***@flag/0",
            "flag",
        ),
        (
            command().arg("--database-url-file").arg(&url_file).database(flag).run(),
            "database_url",
            "mysql://u:***@secret-file/db?***",
            "flag",
        ),
        (
            command().database(flag).run(),
            "database_url",
            "postgres://u:***@flag/db",
            "environment DATABASE_URL",
        ),
    ] {
        let run = run.expect(0);
        assert_eq!(setting(&run, name), (value.to_owned(), from.to_owned()));
        assert!(!run.stdout.contains("canary") && !run.stderr.contains("canary"));
    }
    let table = show("table").run().expect(0);
    assert!(table.stdout.contains("(not set)") && !table.stdout.contains("canary"));

    for (text, says) in [
        ("batchsize = 7", "did you mean `batch_size`?"),
        ("\n\nbatch_size = 0", "batch_size: 0 is not from 1 to 10000"),
        ("default_ttl = \"soon\"", "default_ttl: `soon` is not a duration"),
        ("database_url = \"postgres://u:canary@h/d\"\nbatch_size = [", "line 2"),
    ] {
        let file = write(dir.path(), "wrong.toml", text);
        let run = shopwarm("config check").arg("--config").arg(&file).run().expect(4);
        let says_it = run.stderr.contains(says) && run.stderr.contains("wrong.toml");
        assert!(says_it && !run.stderr.contains("canary"), "{}", run.stderr);
    }
    let wrong = shopwarm("config check").env("SHOPWARM_BATCH_SIZE", "many");
    let run = wrong.run().expect(2);
    assert!(run.stderr.contains("--batch-size"), "{}", run.stderr);
}

/// Without a database: for the family that the URL names, and without a URL for all of them.
#[test]
fn config_check_connects_to_nothing() {
    let dir = folder();
    let run = shopwarm("config check").dir(dir.path()).run().expect(0);
    assert_eq!(run.stdout, "valid: 7 strategies, 2 scheduled jobs\n");
    let sql = "\n[strategies.x]\nkey = \"X:{id}\"\nvalue = \"object\"\nsql.postgres = \"SELECT id FROM t\"";
    let file = write(dir.path(), "own.toml", &own(&["t"], sql));
    for (url, code) in [("postgres://nobody@127.0.0.1:1/x", 0), ("mysql://nobody@127.0.0.1:1/x", 4)]
    {
        let run = shopwarm("config check").contexts(&file).database(url).run().expect(code);
        assert_eq!(run.stderr.contains("there is no SQL for"), code == 4, "{}", run.stderr);
    }
}

#[test]
fn the_template_is_files_that_work_as_they_are() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.command("warmup all -q").run().expect(0);
    let keys = lab.keys();
    let values = lab.get_all(&keys);
    lab.redis.cli(&["FLUSHALL"]);

    let dir = folder();
    let shop = dir.path().join("deploy/shop");
    let init = || shopwarm("init --template shop").arg(&shop).run();
    let said = init().expect(0).stdout;
    assert!(said.contains("contexts/identity.toml"), "{said}");
    let run = lab.command("warmup all -o json").dir(&shop).run().expect(0);
    assert_eq!(run.json()["totals"]["warmed"], keys.len());
    assert_eq!((lab.keys(), lab.get_all(&keys)), (keys, values));
    let shown = lab.command("strategies -o json").dir(&shop).run().expect(0);
    let hot = described(&shown, "catalog/hot-products");
    assert_eq!(hot["fields"]["key"]["from"], "contexts/catalog.toml");

    init().expect(4);
}

#[test]
fn a_key_of_the_shop_is_warmed_whether_or_not_it_is_in_the_selection() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        // The 101st best seller and below are not in the selection of 100.
        let beyond = lab.database.query(
            "SELECT id FROM products WHERE is_active AND deleted_at IS NULL
             ORDER BY sales_count DESC, id DESC LIMIT 1 OFFSET 105",
        );
        let beyond = format!("Product:id:{beyond}");
        let keys = [
            &beyond,
            "Product:id:nobody",
            "Order:id:order-01",
            "recommendations:homepage",
            "Category:tree:root",
            "Category:list:all",
            &beyond,
        ];
        let run = keys
            .iter()
            .fold(lab.command("warmup keys -o json"), super::support::shopwarm::Shopwarm::arg);
        let run = run.run();
        let products = run.strategy("catalog/hot-products");
        assert_eq!(counts(&products), [1, 1, 0, 0], "{dialect:?}");
        assert_eq!(products["not_found"], json!(["Product:id:nobody"]));
        let value: Value = serde_json::from_str(&lab.get(&beyond)).expect("JSON");
        assert_eq!(format!("Product:id:{}", value["id"].as_str().expect("an id")), beyond);
        for key in ["recommendations:homepage", "Category:tree:root", "Category:list:all"] {
            assert!(lab.keys().contains(&key.to_owned()), "{dialect:?}: {key}");
        }
        run.expect(0);

        // What is warmed by name is what a run makes.
        let named: Vec<String> = lab.keys();
        let values = lab.get_all(&named);
        lab.redis.cli(&["FLUSHALL"]);
        lab.command("warmup all -q").run().expect(0);
        for (key, value) in named.iter().zip(values).filter(|(key, _)| **key != beyond) {
            assert_eq!(lab.get(key), value, "{dialect:?}: {key}");
        }

        let run = lab.command("warmup keys Nothing:1 Product:id: -o json").run().expect(3);
        assert_eq!(run.json()["unmatched"], json!(["Nothing:1", "Product:id:"]));
        assert_eq!(run.json()["unmatched_total"], 2);
        assert_eq!(run.json()["outcome"], "incomplete");
    }
}

#[test]
fn keys_may_carry_the_prefix_or_not() {
    let lab = Lab::shop(Dialect::Sqlite);
    let run = lab
        .command("warmup keys Product:id:prod-0001 v2:Product:id:prod-0002 v2:Product:id:prod-0001 --prefix v2: -o json")
        .run()
        .expect(0);
    assert_eq!(counts(&run.strategy("catalog/hot-products")), [2, 0, 0, 0]);
    assert_eq!(lab.keys(), ["v2:Product:id:prod-0001", "v2:Product:id:prod-0002"]);
}

/// Keys that no column can hold belong to no row; they do not take the good ones with them.
#[test]
fn a_key_that_its_column_cannot_hold_spoils_no_other() {
    let uuid = |n: u32| format!("{n:08x}-0000-4000-8000-000000000000");
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let uuid_type = if dialect == Dialect::Postgres { "uuid" } else { "char(36)" };
        let mut script = format!(
            "CREATE TABLE t (n int, u {uuid_type}, d date, a varchar(20), b varchar(20));\n"
        );
        for n in 1..=20 {
            let uuid = uuid(n);
            script +=
                &format!("INSERT INTO t VALUES ({n}, '{uuid}', '2026-01-{n:02}', 'a:{n}', 'b');\n");
        }
        lab.database.sql(&script);
        let definitions = own(
            &["t"],
            &(strategy("n", "object", "N:{n}", "SELECT n FROM t")
                + &strategy("u", "object", "U:{u}", "SELECT u, n FROM t")
                + &strategy("d", "object", "D:{d}", "SELECT d, n FROM t")
                + &strategy("ab", "object", "AB:{a}:{b}", "SELECT a, b, n FROM t")
                + &strategy("un", "object", "UN:{n}:{u}", "SELECT u, n FROM t")),
        );
        let mut good: Vec<String> = Vec::new();
        for n in [1, 2, 3, 20] {
            let uuid = uuid(n);
            good.push(format!("N:{n}"));
            good.push(format!("U:{uuid}"));
            good.push(format!("D:2026-01-{n:02}"));
            // Two ways to take it apart; one of them has a row.
            good.push(format!("AB:a:{n}:b"));
            good.push(format!("UN:{n}:{uuid}"));
        }
        let bad = [
            "N:1x",
            "N:01",
            "N:+1",
            "N:99999999999999999999",
            "N:2147483648",
            "N: 1",
            "N:1.0",
            "N:",
            "U:not-a-uuid",
            "U:'; DROP TABLE t; --",
            "U:00000001-0000-4000-8000-00000000000Z",
            "D:2026-02-30",
            "D:yesterday",
            "AB:a:b",
            "AB:a:1:c",
            "UN:x:y",
            "UN:1:nonsense",
        ];
        let all: Vec<&str> = good.iter().map(String::as_str).chain(bad).collect();
        let run = lab.warm_keys(&definitions, &all);
        good.sort();
        assert_eq!(lab.keys(), good, "{dialect:?}\n{}{}", run.stdout, run.stderr);
        for n in ["n", "u", "d", "ab", "un"] {
            let part = run.strategy(&format!("own/{n}"));
            let [warmed, skipped, failed, unknown] = counts(&part);
            assert_eq!((warmed, unknown), (4, 0), "{dialect:?} {part:#}");
            assert!(skipped + failed > 0 && part["error"].is_null(), "{dialect:?} {part:#}");
            // A failed key says why in the database's words, and no query failed as a whole.
            assert_eq!(errors(&part).len() as u64, failed);
        }
        assert_eq!(run.json()["unmatched"], json!(["N:"]));
        run.expect(3);
        assert_eq!(lab.database.query("SELECT count(*) FROM t"), "20");
    }
}

#[test]
fn thousands_of_keys_come_through_stdin() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let mut script =
            "CREATE TABLE t (id bigint PRIMARY KEY, v varchar(9)); INSERT INTO t VALUES (0, 'v0')"
                .to_owned();
        for id in 1..12_000 {
            script += &format!(",({id},'v{id}')");
        }
        lab.database.sql(&script);
        let definitions =
            own(&["t"], &strategy("t", "text", "T:{_id}", "SELECT id AS _id, v FROM t"));
        // Each twice, 500 that have no row, an empty line, an end of line of another system.
        let keys: Vec<String> =
            (0..12_500).flat_map(|id| [format!("T:{id}"), format!("T:{id}\r")]).collect();
        let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        keys.push("");
        let run = lab.warm_keys(&definitions, &keys).expect(0);
        let part = run.strategy("own/t");
        assert_eq!(counts(&part), [12_000, 500, 0, 0], "{dialect:?}");
        assert_eq!(part["not_found"].as_array().map(Vec::len), Some(20));
        assert_eq!(lab.keys().len(), 12_000);
        assert_eq!(lab.get("T:11999"), "v11999");
    }
}

/// Two templates that both read a key: the one that fixes more of it is meant.
#[test]
fn the_closest_template_has_the_key() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(
        "CREATE TABLE t (id TEXT, v TEXT); INSERT INTO t VALUES ('vip:1', 'wide'), ('1', 'close')",
    );
    let definitions = own(
        &["t"],
        &(strategy("wide", "text", "C:{_id}", "SELECT id AS _id, v FROM t WHERE v = 'wide'")
            + &strategy(
                "close",
                "text",
                "C:vip:{_id}",
                "SELECT id AS _id, v FROM t WHERE v = 'close'",
            )),
    );
    lab.warm_keys(&definitions, &["C:vip:1"]).expect(0);
    assert_eq!(lab.get("C:vip:1"), "close");
}

#[test]
fn the_shipped_strategies_are_these() {
    let run = shopwarm("strategies -o json").run().expect(0);
    for id in SHIPPED {
        assert_eq!(described(&run, id)["enabled"], true);
    }
}

#[test]
fn a_name_that_the_database_does_not_have_is_explained() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let is_folded = dialect == Dialect::Postgres;
        let column = if is_folded { "\"createdAt\"" } else { "createdAt" };
        let create =
            format!("CREATE TABLE shop_goods (id INTEGER, {column} INTEGER, customer_id INTEGER)");
        lab.database.sql(&create);
        let hint = |sql: &str| {
            let one = strategy("x", "object", "x:{id}", sql);
            let text = own(&["shop_goods", "shop_good", "crates"], &one).replace("sql.any", "sql");
            let told = lab.warm(&text).expect(4).stderr;
            let named = told.contains("own.toml, line ") && told.contains(": sql: ");
            assert!(named && !told.contains("sql.any"), "{told}");
            let hint = told.split_once("hint: ").expect(sql).1;
            hint.lines().next().unwrap_or_default().to_owned()
        };
        let near = hint("SELECT id, creatdAt FROM shop_goods");
        let quoted = "did you mean \"createdAt\"? Write the double quotes: the database reads names without them \
                      in lower case";
        match is_folded {
            true => {
                assert_eq!(near, quoted);
                assert_eq!(hint("SELECT id, createdAt FROM shop_goods"), quoted);
            }
            false => assert_eq!(near, "did you mean `createdAt`?"),
        }
        for (sql, expected) in [
            ("SELECT id FROM shop_good", "did you mean `shop_goods`?"),
            ("SELECT id FROM crates", "this database has the tables shop_goods"),
            (
                "SELECT id, zz FROM shop_goods",
                "shop_goods has the columns id, createdAt, customer_id",
            ),
            (
                "SELECT id, order_id FROM shop_goods",
                "shop_goods has the columns id, createdAt, customer_id",
            ),
            (
                "SELECT goods.id FROM shop_goods g",
                "there is a column id: check the table or alias in front of it",
            ),
        ] {
            assert_eq!(hint(sql), expected, "{dialect:?}");
        }
        let shipped = lab.command("warmup all").run().expect(4).stderr;
        assert!(shipped.contains("hint: the shipped definitions expect"), "{shipped}");
    }
}
