//! `init` on schemas that nobody would call a shop, and what it refuses.

use serde_json::Value;

use crate::support::foreign::{CHINOOK, Newcomer, OPENCART, PRESTASHOP};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::shopwarm;

/// Spaces, quotes, keywords, capitals, a name like another's, a very long one; all names in quotes.
fn odd(dialect: Dialect) -> String {
    let quote = |name: &str| match dialect {
        Dialect::MySql => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    };
    let long = "a_very_long_name_that_goes_on_and_on_until_the_end_of_it_63chars";
    let mut names = vec![
        "all",
        "select",
        "Order Items",
        "it's \"quoted\"",
        "back`tick",
        "größe",
        "商品",
        "2nd",
        "shopwarm",
        "{brace}",
        "{{word}}",
        "a:b;c?d",
        "percent%",
        "_hidden",
        "back\\slash",
        "tab\there",
        "orders",
        "order",
        &long[..63],
    ];
    if dialect == Dialect::Postgres {
        names.extend(["Select", "ORDERS"]);
    }
    let mut sql = String::new();
    for (nth, name) in names.iter().enumerate() {
        let table = quote(name);
        let key = quote(["key", "Id No", "_id", "größe", "id"][nth % 5]);
        let others = format!("{} int, {} varchar(20)", quote("group"), quote("a \"b\" `c`"));
        sql += &format!(
            "CREATE TABLE {table} ({key} int NOT NULL PRIMARY KEY, {others});\nINSERT INTO {table} VALUES (1, 2, 'x'), (2, NULL, NULL);\n"
        );
    }
    let parent = quote("Order Items");
    let (child, refers) = (quote("notes of items"), quote("_id"));
    sql + &format!(
        "CREATE TABLE {child} ({refers} int, {} varchar(20), FOREIGN KEY ({refers}) REFERENCES {parent} ({refers}));
         INSERT INTO {child} VALUES (1, 'b'), (1, 'a'), (NULL, 'c');\n",
        quote("the text")
    )
}

#[test]
fn odd_names_are_warm_at_once() {
    for dialect in DIALECTS {
        let shop = Newcomer::on(dialect, &odd(dialect));
        let said = shop.command("init -o json").run().expect(0).json();
        for table in said["tables"].as_array().expect("a list") {
            let has_no_key = table["table"] == "notes of items";
            let why = match table["table"].as_str() {
                Some("{{word}}") => "`{{` in a name begins a variable of the definition".into(),
                _ if has_no_key => "no primary key".into(),
                _ => Value::Null,
            };
            assert_eq!(table["why"], why, "{dialect:?}: {table:#}");
        }
        for step in ["config check", "doctor", "warmup all", "verify --require 100%"] {
            let run = shop.command(step).run();
            assert_eq!(
                run.code,
                0,
                "{dialect:?} {step}\n{}\n{}\n{}",
                run.stdout,
                run.stderr,
                shop.definitions()
            );
        }
    }
}

/// SQLite keeps any value in any column.
const UNTYPED: &str = "
    CREATE TABLE \"Post\" (\"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \"createdAt\" DATETIME NOT NULL, \"live\" BOOLEAN NOT NULL, \"n\" INTEGER, \"title\" TEXT, file BLOB);
    INSERT INTO \"Post\" VALUES (1, 1767225600000, 1, 'three', 4, X'FF'), (2, 1767225600001, 0, 2, 'x', NULL);
    CREATE TABLE code (code TEXT PRIMARY KEY, at DATETIME);
    INSERT INTO code VALUES ('a', '2026-01-01 10:00:00'), (NULL, 'soon'), ('', 5);
    CREATE TABLE slot (at DATETIME PRIMARY KEY, free BOOLEAN);
    INSERT INTO slot VALUES ('2026-01-01 10:00:00', 1);
    CREATE TABLE anything (a, b);
    INSERT INTO anything VALUES (1, 'x'), ('1', 2.5);
    CREATE TABLE word (word, n INTEGER, PRIMARY KEY (word));
    INSERT INTO word VALUES (1, 1), ('1', 2);
    CREATE VIRTUAL TABLE search USING fts5 (body);
    CREATE TABLE vacant (id INTEGER PRIMARY KEY);
";

#[test]
fn values_that_belie_their_column_are_warm_at_once() {
    let shop = Newcomer::on(Dialect::Sqlite, UNTYPED);
    shop.settle();
    let written = shop.definitions();
    for part in [
        "createdAt = \"number\"",
        "n = \"string\"",
        ": file",
        "min_keys = 0",
        "CAST(at AS text) AS _at",
    ] {
        assert!(written.contains(part), "no {part} in\n{written}");
    }
    assert!(
        shop.lab.get("post:1").contains("\"createdAt\":1767225600000"),
        "{}",
        shop.lab.get("post:1")
    );
}

#[test]
fn an_empty_schema_is_no_failure() {
    for dialect in DIALECTS {
        let shop = Newcomer::on(
            dialect,
            "CREATE TABLE product (product_id int NOT NULL PRIMARY KEY, name varchar(20))",
        );
        shop.settle();
    }
}

#[test]
fn what_this_user_may_not_read_is_left_out() {
    let shop = Newcomer::on(
        Dialect::Postgres,
        "CREATE TABLE open (id int PRIMARY KEY, a int, b int); INSERT INTO open VALUES (1, 2, 3);
         CREATE TABLE closed (id int PRIMARY KEY); INSERT INTO closed VALUES (1);
         CREATE TABLE guarded (id int PRIMARY KEY); INSERT INTO guarded VALUES (1);
         ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
         CREATE TABLE part (id int PRIMARY KEY, a int, b int); INSERT INTO part VALUES (1, 2, 3);
         REVOKE ALL ON closed, part FROM shop; GRANT SELECT (id, a) ON part TO shop;",
    );
    shop.settle();
    assert_eq!(shop.lab.get("open:1"), r#"{"id":1,"a":2,"b":3}"#);
    let written = shop.definitions();
    for part in [
        "closed: permission denied for table closed; GRANT SELECT ON closed to this user",
        "guarded: ",
    ] {
        assert!(written.contains(part), "{written}");
    }
}

#[test]
fn mariadb_hides_what_this_user_may_not_read() {
    let shop = Newcomer::on(Dialect::MySql, PRESTASHOP);
    let name = shop.lab.database.name();
    let user = format!("few_{name}");
    shop.lab.database.sql(&format!(
        "CREATE USER {user} IDENTIFIED BY 'hunter2'; GRANT SELECT ON {name}.dub_product TO {user};
         GRANT SELECT (id_product, id_shop, id_lang) ON {name}.dub_product_lang TO {user};"
    ));
    let url = shop.lab.database.url();
    let url = url.replace("shop:shop-secret", &format!("{user}:hunter2"));
    let said = shop.command("init").database(url).run();
    shop.lab.database.sql(&format!("DROP USER {user}"));
    let said = said.expect(0).stdout;
    for part in [
        "This user sees 2 tables; MySQL and MariaDB hide those that it is not allowed to read.",
        " product:{id_product} ",
        "{id_lang}, 1 list",
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
    assert!(!shop.definitions().contains("description"), "not granted");
}

#[test]
fn why_there_are_no_lists_is_said() {
    let shop = Newcomer::on(
        Dialect::Sqlite,
        "CREATE TABLE tax (id INTEGER PRIMARY KEY); CREATE TABLE unit (id INTEGER PRIMARY KEY, n INTEGER);
         INSERT INTO tax VALUES (1); INSERT INTO unit VALUES (1, 2);",
    );
    let said = shop.command("init").run().expect(0).stdout;
    for text in [said, shop.definitions()] {
        assert!(text.contains("No lists: there are no foreign keys"), "{text}");
    }
}

#[test]
fn a_parent_of_too_many_has_no_list() {
    let shop = Newcomer::on(
        Dialect::Sqlite,
        "CREATE TABLE street (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE plot (id INTEGER PRIMARY KEY, street_id INTEGER REFERENCES street (id), plot_no INTEGER UNIQUE,
             before_no INTEGER REFERENCES plot (id));
         INSERT INTO street VALUES (1, 'long'), (2, 'short');
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1002)
         INSERT INTO plot SELECT i, 1 + (i = 1002), i, NULLIF(i - 1, 0) FROM n;",
    );
    shop.settle();
    let written = shop.definitions();
    for part in ["# No list by street_id: up to 1,001 rows a key.", "WHERE before_no IS NOT NULL"] {
        assert!(written.contains(part), "no {part} in\n{written}");
    }
    assert!(!written.contains("plot-by-street"), "{written}");
}

#[test]
fn blanks_that_fill_up_a_char_are_left_out() {
    let shop = Newcomer::on(
        Dialect::Postgres,
        "CREATE TABLE country (code char(3) PRIMARY KEY, iso char(2), name text);
         INSERT INTO country VALUES ('DE', 'DE', 'Germany'), ('USA', 'US', 'America');
         CREATE TABLE city (id int PRIMARY KEY, country char(3) REFERENCES country, name text);
         INSERT INTO city VALUES (1, 'DE', 'Bonn'), (2, 'USA', 'Denver');",
    );
    shop.settle();
    let de = r#"{"code":"DE","iso":"DE","name":"Germany"}"#;
    assert_eq!(shop.lab.get("country:DE"), de);
    assert_eq!(shop.lab.get("country:DE:cities"), r#"[{"id":1,"name":"Bonn"}]"#);
    let written = shop.definitions();
    assert!(written.contains("SELECT rtrim(code) AS code, iso,"), "{written}");
}

#[test]
fn postgres_says_itself_when_a_row_has_changed() {
    let shop = Newcomer::on(
        Dialect::Postgres,
        "CREATE TABLE visit (id int, day date, version int NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),
             PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         INSERT INTO visit VALUES (1, '2026-01-05', 1);
         CREATE VIEW seen AS SELECT id, version, tstzrange(updated_at, NULL) AS span, updated_at FROM visit;",
    );
    shop.settle();
    let written = shop.definitions();
    for part in [
        "updated_at AS _changed_at, xmin::text AS _version",
        "# Left out (tstzrange has no JSON form; CAST(span AS text) has one): span",
        "Name in the key columns that tell all its rows apart",
        "# SELECT id, version, updated_at\n# FROM seen",
    ] {
        assert!(written.contains(part), "no {part} in\n{written}");
    }
}

#[test]
fn a_large_table_is_warmed_in_part() {
    let shop = Newcomer::on(
        Dialect::Sqlite,
        "CREATE TABLE visit (visit_id INTEGER PRIMARY KEY, page TEXT NOT NULL);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)
         INSERT INTO visit SELECT i, 'page ' || i FROM n;",
    );
    shop.settle();
    assert_eq!(shop.lab.keys().len(), 10_000);
    assert!(shop.lab.get("visit:100001").contains("page 100001"));
    let written = shop.definitions();
    for part in ["order_by = \"visit_id DESC\"", "limit    = 10000"] {
        assert!(written.contains(part), "{written}");
    }
}

#[test]
fn the_examples_work_as_they_are() {
    for (dialect, script) in [
        (Dialect::MySql, OPENCART),
        (Dialect::MySql, PRESTASHOP),
        (Dialect::Postgres, CHINOOK),
        (Dialect::Sqlite, CHINOOK),
    ] {
        let shop = Newcomer::on(dialect, script);
        shop.command("init").run().expect(0);
        let written = shop.definitions();
        let (before, examples) = written.split_once("# Other ways").expect("examples");
        let head = before.split("\n[strategies").next().expect("a head");
        let lines = examples.lines().filter(|line| !line.ends_with(':') && !line.ends_with("one."));
        let lines: Vec<&str> =
            lines.map(|line| line.trim_start_matches("# ").trim_start_matches('#')).collect();
        let own = shop.dir.path().join("examples.toml");
        std::fs::write(&own, format!("{head}\n{}", lines.join("\n"))).expect("a file");
        let run = shop.command("warmup all -o json --contexts examples.toml").run().expect(0);
        let count = run.json()["strategies"].as_array().expect("a list").len();
        assert_eq!(count, if dialect == Dialect::MySql { 3 } else { 1 }, "{examples}");
        let strategies = run.json()["strategies"].clone();
        let is_protected = |strategy: &Value| strategy["protected"] == true;
        assert!(strategies.as_array().expect("a list").iter().all(is_protected), "{strategies:#}");
        shop.command("verify --require 100% --contexts examples.toml").run().expect(0);
        if script == OPENCART {
            assert!(shop.lab.get("product-texts:28:de-de").contains("Grüße"));
        }
        if script == PRESTASHOP {
            let text = r#"{"id_product":1,"id_shop":1,"description":"Für Tee","name":"Becher"}"#;
            assert_eq!(shop.lab.get("product-texts:1:1:de"), text);
            let page: Value = serde_json::from_str(&shop.lab.get("product-page:1")).expect("JSON");
            let files = page["children"].as_array().expect("a list").iter();
            let files: Vec<&Value> = files.map(|child| &child["file"]).collect();
            assert_eq!(files, ["d.jpg", "a.jpg", "b.jpg", "c.jpg"], "as the list");
            assert_eq!(page["width"], Value::Null);
            assert!(page["date_upd"].is_string(), "{page}");
            let told = "A document with its children inside, without active, cover;";
            assert!(examples.contains(told), "{examples}");
        }
        let keys = shop.lab.keys();
        let nested = keys
            .iter()
            .map(|key| shop.lab.get(key))
            .find(|value| value.contains("\"children\":[{"));
        assert!(nested.is_some(), "{keys:?}");
    }
}

/// SQLite has no type for them.
#[test]
fn texts_that_are_times_say_when_rows_change() {
    let table = |name: &str, column: &str, value: &str| {
        format!(
            "CREATE TABLE {name} (id INTEGER PRIMARY KEY, n TEXT, {column});
             INSERT INTO {name} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
                 SELECT i, 'n' || i, {value} FROM n;"
        )
    };
    let sql = [
        table("blanks", "changed_at TEXT", "'2026-01-31 12:30:00'"),
        table("zones", "updated_at TEXT NOT NULL", "'2026-01-31T12:30:00.5Z'"),
        table("seconds", "mtime INTEGER", "1769862600"),
        table("german", "updated_at TEXT", "'31.01.2026 12:30:00'"),
        table("days", "date_upd TEXT", "'2026-01-31'"),
        table("mixed", "modified_at TEXT", "'2026-01-31 12:30:00'"),
        "UPDATE mixed SET modified_at = '2026-01-31T12:30:00Z' WHERE id = 3;".to_owned(),
        table("unknown", "geaendert_am DATETIME", "'2026-01-31 12:30:00'"),
    ];
    let shop = Newcomer::on(Dialect::Sqlite, &sql.concat());
    let said = shop.settle().stdout;
    let by = |table: &str| {
        let row = said.lines().find(|line| line.trim().starts_with(table));
        row.and_then(|row| row.split_once("{id}")).map(|(_, by)| by.trim())
    };
    for (table, column) in [
        ("blanks", "COALESCE(changed_at, '')"),
        ("zones", "updated_at"),
        ("seconds", "–"),
        ("german", "–"),
        ("days", "–"),
        ("mixed", "–"),
        ("unknown", "–"),
    ] {
        assert_eq!(by(table), Some(column), "{table}: {said}");
    }
    let note = "These tables have no column that shows when a row changed: \
                days, german, mixed, seconds, unknown.";
    assert!(said.contains(note), "{said}");
    assert!(said.contains("X AS _changed_at or X AS _version"), "{said}");
    let now = "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')";
    shop.lab.database.sql(&format!("UPDATE zones SET n = 'new', updated_at = {now} WHERE id = 2"));
    let run = shop.command("warmup all --changed -o json").run().expect(0);
    let report = run.json();
    let read = |id: &str| {
        let mut all = report["strategies"].as_array().expect("a list").iter();
        let found = all.find(|one| one["id"] == id).expect("a strategy");
        (found["read"].clone(), found["unchanged"].clone())
    };
    assert_eq!(read("shop/blank").0, "changed", "{report:#}");
    assert_eq!(read("shop/zone"), ("changed".into(), 19.into()), "{report:#}");
    assert_eq!(read("shop/german").0, "full", "{report:#}");
    shop.command("verify --require 100%").run().expect(0);
}

#[test]
fn tables_are_chosen_by_patterns() {
    let shop = Newcomer::on(Dialect::Sqlite, CHINOOK);
    let said = shop.command("init --tables A* --tables track -o json").run().expect(0).json();
    let tables: Vec<&str> = said["tables"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|t| t["table"].as_str())
        .collect();
    assert_eq!(tables, ["Album", "Artist", "Track"]);
    let refused = shop.command("init --tables Trak other").run().expect(2);
    assert!(refused.stderr.contains("did you mean `Track`?"), "{}", refused.stderr);
    assert!(!shop.dir.path().join("other").exists());
}

#[test]
fn nothing_is_overwritten() {
    let shop = Newcomer::on(Dialect::Sqlite, CHINOOK);
    let path = |file: &str| shop.dir.path().join(file);
    std::fs::create_dir(path("contexts")).expect("a folder");
    std::fs::write(path("contexts/shop.toml"), "# mine\n").expect("a file");
    for way in ["init", "init --empty"] {
        let refused = shop.command(way).run().expect(4);
        assert!(refused.stderr.contains("contexts/shop.toml exists"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    assert!(!path("shopwarm.toml").exists());
    assert_eq!(shop.definitions(), "# mine\n");
    std::fs::write(path("contexts/ordering.toml"), "# mine\n").expect("a file");
    let refused = shop.command("init --template shop").run().expect(4);
    assert!(refused.stderr.contains("contexts/ordering.toml exists"), "{}", refused.stderr);
    assert!(!path("shopwarm.toml").exists());
}

#[test]
fn an_empty_file_needs_no_database() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |arguments: &str| shopwarm(arguments).dir(dir.path()).run();
    let said = run("init --empty new/shop").expect(0).stdout;
    assert!(said.contains("cd new/shop"), "{said}");
    let checked = shopwarm("config check").dir(&dir.path().join("new/shop")).run().expect(0);
    assert_eq!(checked.stdout, "valid: 0 strategies, 0 scheduled jobs\n");
    let refused = run("init").expect(4);
    assert!(refused.stderr.contains("no database is configured"), "{}", refused.stderr);
    assert!(!dir.path().join("shopwarm.toml").exists());
}

#[test]
fn no_secret_is_written_or_said() {
    for dialect in DIALECTS {
        let shop = Newcomer::on(
            dialect,
            "CREATE TABLE account (account_id int NOT NULL PRIMARY KEY, name varchar(20), api_key varchar(20));
             INSERT INTO account VALUES (1, 'a', 'do-not-show');",
        );
        let said = shop.command("init").run().expect(0);
        let all =
            [said.stdout, said.stderr, shop.definitions(), shop.read("shopwarm.toml")].concat();
        for secret in ["do-not-show", "shop-secret", "shop:shop"] {
            assert!(!all.contains(secret), "{dialect:?}: {all}");
        }
        assert!(all.contains("Left out (looks like a secret): api_key"), "{all}");
    }
}

/// Which database it is for is not known then.
#[test]
fn what_init_wrote_is_valid_without_a_database() {
    for dialect in DIALECTS {
        let shop = Newcomer::on(dialect, &odd(dialect));
        shop.command("init").run().expect(0);
        let check = shopwarm("config check").dir(shop.dir.path()).run();
        assert!(check.expect(0).stdout.starts_with("valid: "), "{dialect:?}");
    }
}
