//! Settings of a PostgreSQL server, database, role, URL and environment: what is stored depends on
//! none of them.

use crate::support::lab::Lab;
use crate::support::servers::{Database, Dialect, Postgres, Redis};
use crate::support::shopwarm::shopwarm;

/// Values whose text depends on a setting, or that a setting makes another value.
const COLUMNS: &str = r"
    id, moment, local, span::text AS span_text, moment::text AS moment_text,
    day::text AS day_text, amount::text AS amount_text, json_build_object('f', amount)::text AS json,
    bytes::text AS bytes_text, xmlforest(bytes)::text AS xml_text,
    ('{NULL}'::text[])[1] IS NULL AS null_element, (id = NULL) IS NULL AS null_compared,
    length('\101') AS escaped, '01/02/2020'::date - '2020-01-01'::date AS days,
    quote_ident('plain') AS identifier, '2020-01-01 10:00 EST'::timestamptz AS zoned,
    'x'::xml::text AS content";

/// Each at a value that a server, a database or a role may have, and its default.
const ODD: [(&str, &str); 33] = [
    ("DateStyle", "German, DMY"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "America/Los_Angeles"),
    ("timezone_abbreviations", "Australia"),
    ("extra_float_digits", "-10"),
    ("bytea_output", "escape"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("escape_string_warning", "off"),
    ("client_encoding", "LATIN1"),
    ("client_min_messages", "debug5"),
    ("gin_fuzzy_search_limit", "1"),
    ("cursor_tuple_fraction", "0.01"),
    ("row_security", "off"),
    ("statement_timeout", "2s"),
    ("lock_timeout", "1ms"),
    ("idle_in_transaction_session_timeout", "1ms"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("session_replication_role", "replica"),
    ("plan_cache_mode", "force_generic_plan"),
    ("constraint_exclusion", "on"),
    ("enable_seqscan", "off"),
    ("exit_on_error", "on"),
    ("synchronize_seqscans", "off"),
    ("check_function_bodies", "off"),
    ("lo_compat_privileges", "on"),
];

fn forms() -> Lab {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql(
        "CREATE TABLE forms (id int PRIMARY KEY, moment timestamptz, local timestamp, day date,
             span interval, amount float8, bytes bytea);
         INSERT INTO forms SELECT g, '2024-02-29 12:00+00', '2024-02-29 12:00', '2024-02-29',
             '1 year 2 days 3 hours', g / 3.0::float8, '\\x00ff' FROM generate_series(1, 50) g;
         GRANT SELECT ON forms TO shop",
    );
    lab
}

fn definition(sql: &str) -> String {
    format!(
        "[context]\nname = \"own\"\nowns = [\"forms\"]\n[strategies.forms]\nkey = \"form:{{id}}\"\n\
         value = \"object\"\nsql.postgres = '''SELECT {sql} FROM forms'''\n"
    )
}

/// What a run over everything and a run over some keys store.
#[track_caller]
fn stored(lab: &Lab) -> Vec<String> {
    lab.redis.cli(&["FLUSHALL"]);
    let definition = definition(COLUMNS);
    lab.warm(&definition).expect(0);
    let keys = lab.keys();
    let mut values = lab.get_all(&keys);
    lab.redis.cli(&["FLUSHALL"]);
    lab.warm_keys(&definition, &["form:7", "form:8"]).expect(0);
    values.extend(lab.get_all(&["form:7".to_owned(), "form:8".to_owned()]));
    values
}

/// The shop's own session.
fn asked(database: &Database) -> Vec<String> {
    let mut psql = crate::support::servers::bounded([crate::support::servers::find("psql")]);
    psql.args(["-XAqt", "-F", "\t", "-d"]).arg(database.url());
    // With `xmloption = document` the last one is an error.
    let columns = COLUMNS.rsplit_once(',').expect("several").0;
    psql.arg("-c").arg(format!("SELECT {columns} FROM forms WHERE id = 1"));
    let row = psql.output().expect("psql runs").stdout;
    let row = String::from_utf8_lossy(&row);
    row.trim_end().split('\t').map(str::to_owned).collect()
}

#[test]
fn no_setting_of_the_server_changes_what_is_stored() {
    let lab = forms();
    let name = lab.database.name();
    let plain = stored(&lab);
    assert_eq!(plain.len(), 52);
    let plain_session = asked(&lab.database);
    for whose in [format!("ROLE shop IN DATABASE {name}"), format!("DATABASE {name}")] {
        let odd = ODD.map(|(name, value)| format!("ALTER {whose} SET {name} = '{value}';"));
        lab.database.sql(&odd.concat());
        // The shop's own sessions do see other texts.
        let odd_session = asked(&lab.database);
        let same = plain_session.iter().zip(&odd_session).filter(|(a, b)| a == b);
        assert!(same.count() <= 2, "{plain_session:?}\n{odd_session:?}");
        assert_eq!(stored(&lab), plain, "{whose}");
        // The administrator's sessions have them too.
        let own = "SET default_transaction_read_only = off; SET lock_timeout = 0";
        lab.database.sql(&format!("{own}; ALTER {whose} RESET ALL"));
    }
}

/// In no known encoding a text is bytes: those that are no UTF-8 cost their row.
#[test]
fn a_database_without_an_encoding_is_read() {
    let server = Postgres::private(&[]);
    let database = server.new_database();
    database.sql(
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
         \\connect bytes
         CREATE TABLE forms (id int PRIMARY KEY, name text);
         INSERT INTO forms VALUES (1, 'plain'), (2, E'na\\xefve'), (3, E'na\\xc3\\xafve');
         GRANT SELECT ON forms TO shop;",
    );
    let redis = Redis::start(&[]);
    let (_dir, path) = crate::support::shopwarm::file("own.toml", &definition("id, name"));
    let url = database.url().replace(database.name(), "bytes");
    let run = shopwarm("warmup context own -o json").contexts(&path);
    let run = run.database(url).cache(redis.url()).run().expect(3);
    let strategy = run.strategy("own/forms");
    assert_eq!(strategy["warmed"], 2, "{strategy:#}");
    assert_eq!(strategy["errors"][0]["key"], "form:2", "{strategy:#}");
    assert_eq!(redis.cli(&["GET", "form:3"]), r#"{"id":3,"name":"naïve"}"#);
}

// ── the URL and the environment ───────────────────────────────────────────────────────────────

#[test]
fn a_parameter_is_known_or_refused_by_name() {
    let lab = forms();
    for (parameters, words) in [
        ("channel_binding=require", "`channel_binding`"),
        ("target_session_attrs=leader", "target_session_attrs has an unknown value"),
        ("sslcrl=/x", "`sslcrl`"),
        ("options=-ctimezone%3DAsia/Tokyo", "sets timezone"),
        ("options=-c%20DateStyle%3DGerman", "sets datestyle"),
        ("options=--bytea-output%3Descape", "sets bytea_output"),
        ("options=-e", "only settings can be given"),
        ("options[statement_timeout]=1", "sets statement_timeout"),
        ("options=-cno_such_setting%3D1", "no_such_setting"),
    ] {
        let url = format!("{}?{parameters}", lab.database.url());
        let run = lab.with(&definition("id"), "warmup context own").database(url);
        let run = run.run().expect(4);
        assert!(run.stderr.contains(words), "{parameters}:\n{}", run.stderr);
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
    let run = lab.with(&definition("id"), "warmup context own");
    let run = run.env("PGOPTIONS", "-c TimeZone=Asia/Tokyo").run().expect(4);
    let said = ["PGOPTIONS", "sets timezone"];
    assert!(said.iter().all(|word| run.stderr.contains(word)), "{}", run.stderr);
}

#[test]
fn a_search_path_may_be_given() {
    let lab = forms();
    lab.database.sql(
        "CREATE SCHEMA tenant; GRANT USAGE ON SCHEMA tenant TO shop;
         CREATE TABLE tenant.forms AS SELECT 1000 AS id; GRANT SELECT ON tenant.forms TO shop",
    );
    let warmed = |url: String, environment: &str| {
        lab.redis.cli(&["FLUSHALL"]);
        let run = lab.with(&definition("id"), "warmup context own -q").database(url);
        run.env("PGOPTIONS", environment).run().expect(0);
        lab.keys()
    };
    let harmless = "application_name=shop&connect_timeout=3&connection_limit=5&pgbouncer=true";
    let url = format!("{}?{harmless}&sslmode=disable", lab.database.url());
    assert_eq!(warmed(url.clone(), "").len(), 50);
    assert_eq!(warmed(format!("{url}&options=-csearch_path%3Dtenant"), ""), ["form:1000"]);
    for name in ["schema", "currentSchema", "search_path"] {
        assert_eq!(warmed(format!("{url}&{name}=tenant"), ""), ["form:1000"]);
    }
    assert_eq!(warmed(url.clone(), "").len(), 50, "nothing stays on a session");
    assert_eq!(warmed(url, "-c search_path=tenant"), ["form:1000"]);
}

// ── row-level security ────────────────────────────────────────────────────────────────────────

#[test]
fn rows_that_a_policy_hides_are_an_error_unless_the_definition_says_so() {
    let lab = forms();
    lab.database.sql(
        "ALTER TABLE forms ENABLE ROW LEVEL SECURITY;
         CREATE POLICY few ON forms TO shop USING (id <= 3)",
    );
    let refused = lab.warm(&definition("id"));
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    for word in
        ["row-level security policy for table \"forms\"", "BYPASSRLS", "row_security = \"apply\""]
    {
        assert!(refused.stderr.contains(word), "no {word}:\n{}", refused.stderr);
    }
    assert!(lab.keys().is_empty());
    let doctor = lab.with(&definition("id"), "doctor -o json").run();
    let named = "row-level security policy for table";
    assert!(doctor.stdout.contains(named), "{}", doctor.stdout);

    let applied = format!("{}row_security = \"apply\"\n", definition("id"));
    lab.warm(&applied).expect(0);
    assert_eq!(lab.keys(), ["form:1", "form:2", "form:3"]);
    lab.warm_keys(&applied, &["form:3"]).expect(0);
    let shown = lab.with(&applied, "strategies -v").run().expect(0);
    assert!(shown.stdout.contains("row_security"), "{}", shown.stdout);

    // Whom no policy concerns reads all rows.
    let admin = lab.with(&definition("id"), "warmup context own -q");
    admin.database(lab.database.admin_url()).run().expect(0);
    assert_eq!(lab.keys().len(), 50);

    let wrong = format!("{}row_security = \"on\"\n", definition("id"));
    let wrong = lab.warm(&wrong).expect(4);
    assert!(
        wrong.stderr.contains("`refuse`") && wrong.stderr.contains("`apply`"),
        "{}",
        wrong.stderr
    );
}
