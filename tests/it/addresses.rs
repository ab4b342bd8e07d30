//! Where the database is, as its own clients write it: several hosts, services, option files, sockets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, MariaDb, Postgres, Redis};
use crate::support::shopwarm::{Finished, Shopwarm, file, shopwarm};

fn definitions() -> String {
    let sql = "SELECT id FROM things";
    own(&["things"], &strategy("things", "object", "T:{id}", sql))
}

/// Runs `keys list`, and never shows the password.
#[track_caller]
fn listed(run: impl FnOnce(Shopwarm) -> Shopwarm, code: i32) -> Finished {
    let (_dir, path) = file("own.toml", &definitions());
    let listed = run(shopwarm("keys list").contexts(&path)).run().expect(code);
    let said = format!("{}{}", listed.stdout, listed.stderr);
    assert!(!said.contains("s3cret") && !said.contains("shop-secret"), "{said}");
    listed
}

const SHOP: &str = "shop:shop-secret";

/// A server whose database `things` has one row, the number.
fn server(number: u16, is_standby: bool) -> Postgres {
    let server = Postgres::private(&["-c", "wal_level=replica"]);
    let at = &server.at;
    at.sql(at.home(), "CREATE DATABASE things").expect("a database");
    let rows = format!("CREATE TABLE things (id int); INSERT INTO things VALUES ({number})");
    at.sql("things", &rows).expect("a table");
    if is_standby {
        server.stop();
        let signal = at.dir.join("data/standby.signal");
        fs::write(&signal, "").expect("a file");
        at.kind.hand_over(&signal);
        server.restart();
    }
    server
}

#[test]
fn the_first_of_several_servers_that_fits_is_read() {
    let (standby, primary) = (server(1, true), server(2, false));
    let (first, second) = (standby.port(), primary.port());
    let none = Redis::start(&[]);
    let closed = none.port();
    drop(none);
    let url = |hosts: &[u16], query: &str| {
        let hosts: Vec<String> = hosts.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("postgres://{SHOP}@{}/things{query}", hosts.join(","))
    };
    let in_lists = format!(
        "postgres:///things?host=127.0.0.1,127.0.0.1&port={first},{second}&user=shop&password=shop-secret\
         &target_session_attrs=primary"
    );
    for (url, number) in [
        (url(&[first, second], ""), 1),
        (url(&[closed, second], ""), 2),
        (url(&[first, second], "?target_session_attrs=any"), 1),
        (url(&[first, second], "?target_session_attrs=read-write"), 2),
        (url(&[first, second], "?target_session_attrs=primary"), 2),
        (url(&[second, first], "?target_session_attrs=read-only"), 1),
        (url(&[second, first], "?target_session_attrs=standby"), 1),
        (url(&[second, first], "?target_session_attrs=prefer-standby"), 1),
        (url(&[closed, second], "?target_session_attrs=prefer-standby"), 2),
        (in_lists, 2),
    ] {
        let listed = listed(|run| run.database(&url), 0);
        assert_eq!(listed.stdout, format!("T:{number}\n"), "{url}");
    }
    let from_environment = listed(
        |run| {
            let run = run.env("PGHOST", "127.0.0.1,127.0.0.1");
            let run = run.env("PGPORT", format!("{first},{second}"));
            let run = run.env("PGUSER", "shop").env("PGPASSWORD", "shop-secret");
            run.env("PGDATABASE", "things").env("PGTARGETSESSIONATTRS", "read-write")
        },
        0,
    );
    assert_eq!(from_environment.stdout, "T:2\n");
    // Each server is said, with what is against it.
    let refused =
        listed(|run| run.database(url(&[closed, first], "?target_session_attrs=read-write")), 5);
    for words in [
        format!("127.0.0.1:{closed}: Connection refused"),
        format!("127.0.0.1:{first}: it is read-only"),
    ] {
        assert!(refused.stderr.contains(&words), "{}", refused.stderr);
    }
    // A wrong password is wrong on all of them: the next one is not asked.
    let denied = url(&[first, second], "").replace("shop-secret", "s3cret");
    listed(|run| run.database(&denied), 7);
    for (query, words) in [
        ("?target_session_attrs=leader", "target_session_attrs has an unknown value"),
        ("?load_balance_hosts=random", "in the order of the URL"),
        ("?passfile=/x", "PGPASSFILE"),
    ] {
        let refused = listed(|run| run.database(url(&[first, second], query)), 4);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

#[test]
fn a_run_goes_on_with_the_next_server() {
    let (first, second) = (server(1, false), server(2, false));
    let redis = Redis::start(&[]);
    let url =
        format!("postgres://{SHOP}@127.0.0.1:{},127.0.0.1:{}/things", first.port(), second.port());
    let (_dir, path) = file("own.toml", &definitions());
    let warm = || {
        let run = shopwarm("warmup context own").database(&url).cache(redis.url());
        run.contexts(&path).run().expect(0);
    };
    warm();
    first.kill();
    warm();
    assert_eq!(redis.cli(&["GET", "T:2"]), r#"{"id":2}"#);
}

#[test]
fn a_service_is_looked_up() {
    let lab = Lab::things(Dialect::Postgres);
    let (port, name) = (lab.database.port(), lab.database.name().to_owned());
    let (_dir, services) = file(
        ".pg_service.conf",
        &format!(
            "# ours\n[shop]\nhost=127.0.0.1\nport={port}\nuser=shop\npassword=shop-secret\n\
             dbname={name}\nconnect_timeout=3\n[far]\nhost=far.invalid\nport=1\ndbname=far\nuser=far\n\
             password=shop-secret\n[wrong]\nhost=127.0.0.1\npassword=s3cret\n\
             sslcompression=1\n[ldap]\nldap://directory/s3cret\n"
        ),
    );
    let folder = services.parent().expect("a folder");
    let with = |run: Shopwarm| run.env("PGSERVICEFILE", &services);
    let system = folder.join("system");
    fs::create_dir(&system).expect("a folder");
    fs::copy(&services, system.join("pg_service.conf")).expect("a file");
    type Run<'a> = &'a dyn Fn(Shopwarm) -> Shopwarm;
    let runs: [Run; 5] = [
        &|run| with(run).env("PGSERVICE", "shop"),
        &|run| with(run).database("postgres:///?service=shop"),
        &|run| run.env("HOME", folder).env("PGSERVICE", "shop"),
        &|run| run.env("PGSYSCONFDIR", &system).env("PGSERVICE", "shop"),
        // The URL goes before the service.
        &|run| with(run).database(format!("postgres://shop@127.0.0.1:{port}/{name}?service=far")),
    ];
    for run in runs {
        assert_eq!(listed(run, 0).stdout, "T:1\nT:2\n");
    }
    for (service, words) in [
        ("none", "there is no PostgreSQL service `none`"),
        ("wrong", "`sslcompression`"),
        ("ldap", "LDAP is not supported"),
    ] {
        let url = format!("postgres:///?service={service}");
        let refused = listed(|run| with(run).database(&url), 4);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

#[test]
fn the_option_file_of_mysqls_clients_is_read() {
    let lab = Lab::things(Dialect::MySql);
    let (port, name) = (lab.database.port(), lab.database.name().to_owned());
    let account =
        "[client]\nuser = shop\npassword = 'shop-secret'\ndefault-character-set = latin1\n";
    let all = format!("{account}host=127.0.0.1\nport={port}\ndatabase={name}\n");
    let (_dir, path) = file(".my.cnf", &all);
    let home = path.parent().expect("a folder");
    let run = |url: &str, code: i32| {
        listed(
            |run| match url {
                "" => run.env("HOME", home),
                url => run.env("HOME", home).database(url),
            },
            code,
        )
    };
    let bare = format!("mysql://127.0.0.1:{port}/{name}");
    let named = format!("mysql:///?read_default_file={}", path.display());
    for url in ["", "mysql:///", &bare, &bare.replace("//", "//shop@")] {
        assert_eq!(run(url, 0).stdout, "T:1\nT:2\n", "{url}");
    }
    assert_eq!(listed(|run| run.database(&named), 0).stdout, "T:1\nT:2\n");
    let shown = shopwarm("config show").env("HOME", home).run().expect(0).stdout;
    assert!(shown.contains("~/.my.cnf") && !shown.contains("shop-secret"), "{shown}");
    // The account in the URL counts, and the password of another is not its own.
    run(&bare.replace("//", "//shop:s3cret@"), 7);
    run(&bare.replace("//", "//other@"), 7);
    // Over the server's socket.
    let server = MariaDb::private(&[]);
    let database = server.new_database();
    database.sql("CREATE TABLE things (id int); INSERT INTO things VALUES (7)");
    let socket = server.socket();
    let over_socket =
        format!("{account}socket={}\ndatabase={}\n", socket.display(), database.name());
    fs::write(&path, over_socket).expect("a file");
    assert_eq!(run("", 0).stdout, "T:7\n");
    for (text, words) in [
        (format!("{account}ssl-cipher = s3cret\n"), "does not know `ssl-cipher`"),
        (format!("{account}!includedir /s3cret\n"), "does not know `!includedir`"),
    ] {
        fs::write(&path, text).expect("a file");
        let refused = run(&bare, 4);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    fs::write(&path, &all).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("a mode");
    let refused = run(&bare, 4);
    assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
    let several = listed(|run| run.database("mysql://u:s3cret@a:1,b:2/shop"), 4);
    assert!(several.stderr.contains("several hosts"), "{}", several.stderr);
}

#[test]
fn sockets_reach_every_server() {
    let postgres = server(3, false);
    let maria = MariaDb::private(&[]);
    let things = maria.new_database();
    things.sql("CREATE TABLE things (id int); INSERT INTO things VALUES (3)");
    let folder = postgres.at.dir.display().to_string();
    let encoded = folder.replace('/', "%2F");
    let port = postgres.port();
    for url in [
        format!("postgres://{SHOP}@{encoded}:{port}/things"),
        format!("postgres://{SHOP}@localhost:{port}/things?host={folder}"),
        format!("postgres:///things?host={folder}&port={port}&user=shop&password=shop-secret"),
        format!("mysql://{SHOP}@localhost/{}?socket={}", things.name(), maria.socket().display()),
    ] {
        assert_eq!(listed(|run| run.database(&url), 0).stdout, "T:3\n", "{url}");
    }
    let redis = Redis::start(&[]);
    let (_dir, path) = file("own.toml", &definitions());
    let socket = redis.socket().display().to_string();
    for (at, scheme) in ["unix", "redis+unix", "valkey+unix"].into_iter().enumerate() {
        let db = (at + 2).to_string();
        let cache = format!("{scheme}://{socket}?db={db}");
        let url = format!("postgres://{SHOP}@127.0.0.1:{port}/things");
        let run = shopwarm("warmup context own").database(url).cache(cache);
        run.contexts(&path).run().expect(0);
        assert_eq!(redis.cli(&["-n", &db, "GET", "T:3"]), r#"{"id":3}"#);
    }
}
