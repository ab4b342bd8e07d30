//! Where the database is said to be: schemes and variables of frameworks, and `${VARIABLES}` in the
//! configuration file.

use serde_json::Value;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Shopwarm, file, shopwarm};

fn things() -> String {
    let sql = "SELECT id FROM things";
    own(&["things"], &strategy("things", "object", "T:{id}", sql))
}

#[test]
fn the_schemes_of_frameworks_are_known() {
    for dialect in DIALECTS {
        let lab = Lab::things(dialect);
        let (_, rest) = lab
            .database
            .url()
            .split_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a URL");
        let schemes: &[&str] = match dialect {
            Dialect::Postgres => &["postgresql+psycopg2", "psql", "pgsql"],
            Dialect::MySql => &["mysql2", "mysql+pymysql", "pdo-mysql"],
            Dialect::Sqlite => &["sqlite3"],
        };
        for scheme in schemes {
            let listed = lab.with(&things(), "keys list").database(format!("{scheme}:{rest}"));
            assert_eq!(listed.run().expect(0).stdout, "T:1\nT:2\n", "{scheme}");
        }
    }
    let run = shopwarm("keys list").database("mysql://shop:hunter2@localhost:1").run().expect(4);
    assert!(run.stderr.contains("it names no database"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

/// Host, port, user, password and database of a server's URL.
fn parts(url: &str) -> [String; 5] {
    let (_, rest) = url.split_once("://").expect("a server");
    let (account, rest) = rest.split_once('@').expect("an account");
    let (user, password) = account.split_once(':').expect("a password");
    let (place, database) = rest.split_once('/').expect("a database");
    let (host, port) = place.split_once(':').expect("a port");
    let database = database.split('?').next().unwrap_or_default();
    [host, port, user, password, database].map(str::to_owned)
}

#[test]
fn a_url_is_made_of_the_variables_for_its_parts() {
    let families = [
        (Dialect::Postgres, "PG", ["HOST", "PORT", "USER", "PASSWORD", "DATABASE"]),
        (Dialect::Postgres, "POSTGRES_", ["HOST", "PORT", "USER", "PASSWORD", "DB"]),
        (Dialect::MySql, "MYSQL_", ["HOST", "PORT", "USER", "PASSWORD", "DATABASE"]),
        (Dialect::MySql, "MYSQL_", ["HOST", "TCP_PORT", "USERNAME", "PWD", "DB"]),
        (Dialect::MySql, "MARIADB_", ["HOST", "PORT", "USER", "PASSWORD", "DATABASE"]),
        (Dialect::MySql, "DB_", ["HOST", "PORT", "USERNAME", "PASSWORD", "DATABASE"]),
        (Dialect::Postgres, "DB_", ["HOST", "PORT", "USER", "PASSWORD", "NAME"]),
    ];
    for (dialect, prefix, names) in families {
        let lab = Lab::things(dialect);
        let (_dir, path) = file("own.toml", &things());
        let values = parts(&lab.database.url());
        let with_parts = |arguments: &str| {
            let kind = if dialect == Dialect::MySql { "mysql" } else { "pgsql" };
            let run = shopwarm(arguments).contexts(&path).cache(lab.redis.url());
            let run = if prefix == "DB_" { run.env("DB_CONNECTION", kind) } else { run };
            let set = |run: Shopwarm, (name, value): (&str, &String)| {
                run.env(&format!("{prefix}{name}"), value)
            };
            names.into_iter().zip(&values).fold(run, set)
        };
        assert_eq!(with_parts("keys list").run().expect(0).stdout, "T:1\nT:2\n", "{prefix}");
        let shown = with_parts("config show -o json").run().expect(0).json();
        let settings = shown["settings"].as_array().expect("a list");
        let url = settings.iter().find(|setting| setting["name"] == "database_url").expect("it");
        let from = url["from"].as_str().expect("a text");
        assert!(names.iter().all(|name| from.contains(&format!("{prefix}{name}"))), "{from}");
        let doctor = with_parts("doctor").run().expect(0).stdout;
        assert!(doctor.contains(&format!("{prefix}{}", names[0])), "{doctor}");
        assert!(!format!("{shown}{doctor}").contains(&values[3]), "the password is shown");
        // A URL that is given wins.
        let given = with_parts("config show").database("sqlite:shop.db").run().expect(0);
        assert!(given.stdout.contains("environment DATABASE_URL"), "{}", given.stdout);
    }
    let run = shopwarm("keys list").env("DB_HOST", "db").env("DB_PASSWORD", "p@ss").run().expect(4);
    assert!(run.stderr.contains("DB_HOST"), "{}", run.stderr);
    assert!(run.stderr.contains("DB_DATABASE or DB_NAME is not set"), "{}", run.stderr);
    assert!(!run.stderr.contains("p@ss"), "{}", run.stderr);
    let run = shopwarm("keys list").env("DB_HOST", "db").env("DB_NAME", "shop").run().expect(4);
    assert!(run.stderr.contains("DB_CONNECTION"), "{}", run.stderr);
}

#[test]
fn variables_are_filled_in_in_the_configuration_file() {
    let lab = Lab::things(Dialect::Postgres);
    let (_own, own) = file("own.toml", &things());
    let url = lab.database.url().replace("shop-secret", "${PASSWORD}");
    let settings = format!(
        "# ${{NOT}} here\ndatabase_url = \"{url}\"\ncache_url = '${{CACHE}}'\n\
         prefix = \"${{ENV:-test}}:$$:\"\ncontexts = [\"${{OWN}}\"]\n"
    );
    let (_dir, path) = file("shopwarm.toml", &settings);
    let command = |arguments: &str| {
        let run = shopwarm(arguments).arg("--config").arg(&path).env("CACHE", lab.redis.url());
        run.env("OWN", &own)
    };
    let run = command("warmup all").env("PASSWORD", "shop-secret").run();
    run.expect(0);
    assert_eq!(lab.keys(), ["test:$:T:1", "test:$:T:2"]);
    let shown = command("config show").env("PASSWORD", "shop-secret").run().expect(0);
    assert!(!shown.stdout.contains("shop-secret"), "{}", shown.stdout);
    let (_vars, vars) = file("vars.toml", "[vars]\nword = \"${PASSWORD}\"\n");
    let run = shopwarm("config show --config").arg(&vars);
    let shown = run.env("PASSWORD", "shop-secret").run().expect(0);
    assert!(!shown.stdout.contains("shop-secret"), "{}", shown.stdout);
    assert!(shown.stdout.contains("***"), "{}", shown.stdout);
    let doctor = command("doctor -o json").env("PASSWORD", "shop-secret").run().json();
    let secrets = doctor["checks"].as_array().expect("a list").iter();
    let secrets: Vec<&Value> = secrets.filter(|check| check["check"] == "secret files").collect();
    assert!(secrets.is_empty(), "the file holds no secret: {secrets:?}");
    for arguments in ["warmup all", "config check", "doctor"] {
        let run = command(arguments).run().expect(4);
        let said = format!("{}{}", run.stdout, run.stderr);
        let says = "shopwarm.toml, line 2: the environment variable PASSWORD is not set";
        assert!(said.contains(says), "{arguments}: {said}");
    }
}
