//! What definitions leave open: `for`, `[vars]` and `--var`, bound in the SQL and filled into keys and
//! the names of tables.

use serde_json::{Value, json};

use crate::support::lab::{Lab, counts, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, Shopwarm, shopwarm};
use crate::support::site::Site;

const SHOP: &str = "
    CREATE TABLE oc_language (code VARCHAR(20), status INTEGER);
    INSERT INTO oc_language VALUES ('en', 1), ('de', 1), ('fr', 0);
    CREATE TABLE oc_page (id INTEGER NOT NULL, code VARCHAR(20) NOT NULL, store INTEGER, title VARCHAR(40),
        changed_at TIMESTAMP NULL, PRIMARY KEY (id, code));
    INSERT INTO oc_page VALUES (1, 'en', 0, 'one', '2026-01-01 00:00:00'), (2, 'en', 0, 'two', '2026-01-01 00:00:00'),
        (3, 'en', 1, 'three', '2026-01-01 00:00:00'), (1, 'de', 0, 'eins', '2026-01-01 00:00:00'),
        (2, 'de', 0, 'it''s :code ?', '2026-01-01 00:00:00')";

fn shop(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    lab.database.sql(SHOP);
    lab
}

/// `own/page`, with more lines in it and in front of all.
fn page(top: &str, lines: &str) -> String {
    format!(
        "{top}\n[context]\nname = \"own\"\nowns = [\"oc_*\"]\n[strategies.page]\n\
         key = \"page:{{id}}:{{locale}}\"\nvalue = \"object\"\n{lines}\n\
         sql = \"\"\"SELECT id, title, ':locale' AS said, changed_at AS _changed_at -- :locale\n\
         FROM oc_page WHERE code = :locale\"\"\"\n"
    )
}

const BOTH: &str = "for.locale = [\"en\", \"de\"]";
const ASKED: &str =
    "for.locale = \"SELECT code FROM oc_language WHERE status = 1 ORDER BY code DESC\"";

#[track_caller]
fn ids(run: &Finished) -> Vec<String> {
    let json = run.json();
    let all = json["strategies"].as_array().expect("a list");
    let id = |strategy: &Value| strategy["id"].as_str().expect("a text").to_owned();
    all.iter().map(id).collect()
}

#[test]
fn blanks_that_fill_up_a_char_select_their_rows() {
    let lab = shop(Dialect::Postgres);
    lab.database.sql(
        "ALTER TABLE oc_language ALTER code TYPE char(5); ALTER TABLE oc_page ALTER code TYPE char(5)",
    );
    let warmed = lab.warm(&page("", ASKED)).expect(0);
    assert_eq!(ids(&warmed), ["own/page:de", "own/page:en"]);
    assert_eq!(counts(&warmed.strategy("own/page:en")), [3, 0, 0, 0]);
}

#[test]
fn a_definition_is_repeated_for_each_value() {
    for dialect in DIALECTS {
        let lab = shop(dialect);
        for each in [BOTH, ASKED] {
            let definitions = page("", &format!("{each}\nlimit = 2\norder_by = \"id\""));
            let run = |arguments: &str| lab.with(&definitions, arguments).run();
            let warmed = run("warmup all -o json").expect(0);
            assert_eq!(ids(&warmed), ["own/page:de", "own/page:en"], "{dialect:?}");
            // The limit is of each.
            assert_eq!(counts(&warmed.strategy("own/page:en")), [2, 0, 0, 0]);
            assert_eq!(lab.keys(), ["page:1:de", "page:1:en", "page:2:de", "page:2:en"]);
            let value: Value = serde_json::from_str(&lab.get("page:2:de")).expect("JSON");
            assert_eq!(value, json!({"id": 2, "title": "it's :code ?", "said": ":locale"}));
            run("verify --require page=100%,own/page:de=100%").expect(0);
            let planned = run("dry-run --exit-code --orphans -o json").expect(0);
            assert_eq!(planned.strategy("own/page:de")["identical"], 2);
            let listed = run("keys list own/page:de").expect(0).stdout;
            assert_eq!(listed, "page:1:de\npage:2:de\n");
            let got = run("keys get page:1:de").expect(0).stdout;
            assert!(got.contains("eins"), "{got}");
            lab.redis.cli(&["FLUSHALL"]);
            let named = lab.warm_keys(&definitions, &["page:2:de", "page:3:en", "page:1:fr"]);
            assert_eq!(named.expect(3).json()["totals"]["warmed"], 2);
            let doctor = run("doctor").expect(0).stdout;
            assert!(doctor.contains("own/page:en"), "{doctor}");
            lab.redis.cli(&["FLUSHALL"]);
        }
    }
}

#[test]
fn one_repetition_is_selected_by_its_name() {
    let lab = shop(Dialect::Sqlite);
    for each in [BOTH, ASKED] {
        let warmed = |names: &str| {
            let run = lab.with(&page("", each), &format!("warmup {names} -o json")).run();
            ids(&run.expect(0))
        };
        assert_eq!(warmed("own/page").len(), 2);
        assert_eq!(warmed("own").len(), 2);
        assert_eq!(warmed("own/page:en"), ["own/page:en"]);
        assert_eq!(warmed("*:de"), ["own/page:de"]);
        assert_eq!(warmed("all --exclude own/page:en"), ["own/page:de"]);
        let stale = lab.with(&page("", each), "warmup own/page:fr").run().expect(2);
        assert!(stale.stderr.contains("`own/page:fr`"), "{}", stale.stderr);
        assert!(stale.stderr.contains("own/page:en"), "{}", stale.stderr);
    }
    let site = Site::shop(Dialect::Sqlite);
    site.lab.database.sql(SHOP);
    site.define(&page("", BOTH));
    let server = site.serve();
    let run = server.post("/admin/warmup/own/page:de").expect(200).json();
    assert!(run.to_string().contains("own/page:de"), "{run:#}");
    assert_eq!(site.count("page:"), 2);
    server.post("/admin/warmup/own/page").expect(200);
    assert_eq!(site.count("page:"), 5);
    server.post("/admin/warmup/own/page:fr").expect(404);
    let listed = server.json("/admin/strategies");
    assert_eq!(listed["strategies"][1]["id"], "own/page:de", "{listed:#}");
}

#[test]
fn values_are_asked_for_in_every_run() {
    for dialect in DIALECTS {
        let lab = shop(dialect);
        let run = |lines: &str| lab.with(&page("", lines), "warmup all -o json").run();
        lab.database.sql("UPDATE oc_language SET status = 0 WHERE code = 'de'");
        assert_eq!(ids(&run(ASKED).expect(0)), ["own/page:en"]);
        lab.database.sql("UPDATE oc_language SET status = 0");
        let none = run(ASKED).expect(4);
        assert!(none.stderr.contains("own/page"), "{}", none.stderr);
        assert!(none.stderr.contains("for.locale: the query gives no values"), "{}", none.stderr);
        let allowed = run(&format!(
            "{ASKED}
min_keys = 0"
        ))
        .expect(3);
        assert_eq!(ids(&allowed), ["own/page"]);
        // One that has no rows fails by name, and the others are warmed.
        lab.database.sql("UPDATE oc_language SET status = 1");
        let partly = run(ASKED).expect(3);
        assert_eq!(partly.strategy("own/page:fr")["status"], "failed");
        assert_eq!(counts(&partly.strategy("own/page:de")), [2, 0, 0, 0]);
    }
}

#[test]
fn several_parameters_are_combined_in_the_order_of_the_key() {
    for dialect in DIALECTS {
        let lab = shop(dialect);
        let definitions = page("", &format!("{BOTH}\nfor.store = [0, 1]\nmin_keys = 0"))
            .replace("page:{id}:{locale}", "page:{locale}:{store}:{id}")
            .replace("code = :locale", "code = :locale AND store = :store");
        let run = lab.with(&definitions, "warmup all -o json").run().expect(0);
        let all = ["own/page:de:0", "own/page:de:1", "own/page:en:0", "own/page:en:1"];
        assert_eq!(ids(&run), all, "{dialect:?}");
        assert_eq!(
            lab.keys(),
            ["page:de:0:1", "page:de:0:2", "page:en:0:1", "page:en:0:2", "page:en:1:3"]
        );
    }
}

#[test]
fn what_changed_is_read_with_its_parameters() {
    for dialect in DIALECTS {
        let lab = shop(dialect);
        let definitions = page("", BOTH);
        let run = |more: &str| {
            lab.with(
                &definitions,
                &format!("warmup all --changed --changed-overlap 0s -o json {more}"),
            )
            .run()
            .expect(0)
        };
        run("");
        lab.database.sql("UPDATE oc_page SET title = 'neu', changed_at = '2036-01-01 00:00:00' WHERE id = 1 AND code = 'de'");
        run("");
        assert!(lab.get("page:1:de").contains("neu"));
        assert!(lab.get("page:1:en").contains("one"));
        lab.with(&definitions, "verify").run().expect(0);
    }
}

/// With another value a variable makes another selection: its keys are not this one's to remove.
#[test]
fn keys_of_another_value_of_a_variable_stay() {
    for dialect in DIALECTS {
        let lab = shop(dialect);
        lab.database.sql(
            "CREATE TABLE oc_item (id INTEGER PRIMARY KEY, store VARCHAR(5), changed_at TIMESTAMP NULL);
             INSERT INTO oc_item VALUES (1, '1', '2026-01-01 00:00:00'), (2, '2', '2026-01-01 00:00:00'),
                 (3, '1', '2026-01-01 00:00:00')",
        );
        let sql = "SELECT id, changed_at AS _changed_at FROM oc_item WHERE store = :store";
        let definitions = own(&["oc_item"], &strategy("item", "object", "item:{store}:{id}", sql));
        let read = |store: u8| {
            let flags =
                format!("warmup all --changed --changed-overlap 0s -o json --var store={store}");
            let run = lab.with(&definitions, &flags).run().expect(0);
            run.strategy("own/item")["read"].clone()
        };
        let reads = [1, 2, 2, 2].map(read);
        assert_ne!(reads[3], "full", "{dialect:?}");
        assert_eq!(lab.keys(), ["item:1:1", "item:1:3", "item:2:2"], "{dialect:?}");
    }
}

#[test]
fn variables_are_bound_wherever_they_are_said() {
    let definitions = "
        [vars]
        prefix = \"oc_\"
        store = 0
        code = \"en\"
        [context]
        name = \"own\"
        owns = [\"{{prefix}}page\"]
        [strategies.page]
        key = \"page:{store}:{id}\"
        value = \"object\"
        sql = \"SELECT id, '{{prefix}}' AS said FROM {{prefix}}page WHERE store = :store AND code = :code\"";
    for dialect in DIALECTS {
        let lab = shop(dialect);
        let keys = |run: Shopwarm| {
            let run = run.run();
            // A selection without a row is a failure.
            let code = if run.stdout.is_empty() { 3 } else { 0 };
            let run = run.expect(code);
            run.stdout.replace("page:", "").replace('\n', " ")
        };
        let list = |more: &str| lab.with(definitions, &format!("keys list {more}"));
        assert_eq!(keys(list("")), "0:1 0:2 ");
        assert_eq!(keys(list("--var store=1")), "1:3 ");
        assert_eq!(keys(list("").env("SHOPWARM_VAR", "store=1,code=de")), "");
        assert_eq!(keys(list("--var code=de")), "0:1 0:2 ");
        let (_dir, config) = crate::support::shopwarm::file("shopwarm.toml", "[vars]\nstore = 1\n");
        assert_eq!(keys(list("").arg("--config").arg(&config)), "1:3 ");
        assert_eq!(keys(list("--var store=0").arg("--config").arg(&config)), "0:1 0:2 ");
        lab.with(definitions, "warmup all --var store=1").run().expect(0);
        assert_eq!(lab.get("page:1:3"), r#"{"id":3,"said":"{{prefix}}"}"#);
        let wrong = |more: &str, says: &str| {
            let run = list(more).run();
            let run = if run.code == 2 { run } else { run.expect(4) };
            assert!(run.stderr.contains(says), "{more}: {}", run.stderr);
        };
        wrong("--var stoer=1", "no definition uses the variable stoer");
        wrong("--var stoer=1", "did you mean `store`?");
        wrong("--var store=x", "`x` is not of the type");
        wrong("--var prefix=oc;", "letters, digits and _ only");
        wrong("--var store", "is not NAME=VALUE");
        // A value is never SQL.
        assert_eq!(keys(list("").arg("--var").arg("code=en' OR '1'='1")), "");
    }
}

#[test]
fn jobs_and_requests_have_variables_of_their_own() {
    let site = Site::shop(Dialect::Postgres);
    site.lab.database.sql(SHOP);
    site.define(
        &page("[vars]\nlocale = \"en\"", "")
            .replace("page:{id}:", "page:{locale}:{id}:")
            .replace(":{locale}\"", "\""),
    );
    site.write(
        "shopwarm.toml",
        "[schedule.german]\ncron = \"0 2 1 1 *\"\nwarmup = \"own\"\nvars = { locale = \"de\" }\n",
    );
    let server = site.serve();
    let warmed = |body: Value, keys: &[&str]| {
        site.lab.redis.cli(&["FLUSHALL"]);
        server.post_json("/admin/warmup/own", &body).expect(200);
        assert_eq!(site.lab.keys(), keys);
    };
    warmed(json!({}), &["page:en:1", "page:en:2", "page:en:3"]);
    warmed(json!({"vars": {"locale": "de"}}), &["page:de:1", "page:de:2"]);
    let refused = server.post_json("/admin/warmup/own", &json!({"vars": {"x": 1}}));
    assert!(refused.status >= 400, "{}", refused.status);
    let jobs = server.json("/admin/schedule");
    assert!(jobs.to_string().contains("\"vars\":{\"locale\":\"de\"}"), "{jobs:#}");
    site.write(
        "shopwarm.toml",
        "[schedule.german]\ncron = \"0 2 1 1 *\"\nwarmup = \"own\"\nvars = { lcale = \"de\" }\n",
    );
    let check = site.command("config check").run().expect(4);
    assert!(
        check.stderr.contains("schedule.german: no definition uses the variable lcale"),
        "{}",
        check.stderr
    );
}

#[test]
fn what_cannot_be_repeated_is_said_with_its_field() {
    let check = |definitions: &str| {
        let (_dir, path) = crate::support::shopwarm::file("own.toml", definitions);
        let run = shopwarm("config check").contexts(&path).database("sqlite:x.db").run();
        run.expect(4).stderr
    };
    for (lines, from, to, says) in [
        (BOTH, "{locale}", "x", "key: it has no {locale}, so all values of for.locale"),
        ("for.locale = []", "", "", "for.locale: there are no values"),
        ("for.locale = [\"a\", \"a\"]", "", "", "for.locale: `a` is listed twice"),
        ("for.locale = [\"\"]", "", "", "for.locale: a value is empty"),
        ("for.locale = [1.5]", "", "", "expected a string, an integer, or true or false"),
        (
            "for.locale = \"SELECT code FROM users\"",
            "",
            "",
            ": for.locale: the query reads table `users`",
        ),
        ("", "", "", "there is no value for :locale: add locale to [vars]"),
        (BOTH, "code = :locale", "code = :lcale", "there is no value for :lcale"),
        (BOTH, "code = :locale", "code = :lcale", "did you mean `locale`?"),
        (BOTH, "FROM oc_page", "FROM {{prefix}}page", "there is no value for {{prefix}}"),
        (BOTH, "code = :locale", "code = ?", "has a parameter or variable of the database"),
    ] {
        let definitions = match from {
            "" => page("", lines),
            from => page("", lines).replace(from, to),
        };
        let said = check(&definitions);
        assert!(said.contains(says), "{lines}: {said}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, value) in [("a.toml", "1"), ("b.toml", "2")] {
        std::fs::write(folder.path().join(name), format!("[vars]\nstore = {value}"))
            .expect("a file");
    }
    let run = shopwarm("config check").contexts(folder.path()).run().expect(4);
    assert!(run.stderr.contains("give store two values"), "{}", run.stderr);
}

#[test]
fn a_cast_and_a_slice_are_no_parameters() {
    let lab = shop(Dialect::Postgres);
    let definitions = page("[vars]\ncode = 1", "for.locale = [\"en\"]").replace(
        "SELECT id, title",
        "SELECT id, title, (ARRAY[id, 7])[2:2] AS last, (ARRAY[:code, 9])[1] AS first, :locale::text AS locale",
    );
    let run = lab.with(&definitions, "warmup all").run();
    run.expect(0);
    let value: Value = serde_json::from_str(&lab.get("page:1:en")).expect("JSON");
    assert_eq!(
        (&value["last"], &value["first"], &value["locale"]),
        (&json!([7]), &json!(1), &json!("en"))
    );
}
