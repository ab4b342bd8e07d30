//! Two shops whose schemas are of other kinds than the shipped one. Scripts in PHP and in Python make every document
//! out of the database and compare it with the cache. `init` alone warms both shops, too.

use std::path::Path;
use std::process::Command;

use crate::support::foreign::Newcomer;
use crate::support::lab::Lab;
use crate::support::servers::Dialect;
use crate::support::tools::tool;

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(name)
}

fn schema(name: &str) -> String {
    std::fs::read_to_string(path(&format!("{name}.sql"))).expect("the schema")
}

fn shop(dialect: Dialect, name: &str) -> Lab {
    let lab = Lab::empty(dialect);
    lab.database.sql(&schema(name));
    let definitions = path(&format!("{name}.toml"));
    let command = |arguments: &str| lab.command(arguments).contexts(&definitions).run();
    command("config check").expect(0);
    command("warmup all").expect(0);
    command("verify --require 100%").expect(0);
    lab
}

#[track_caller]
fn agrees(mut script: Command, documents: usize) {
    let output = script.output().unwrap_or_else(|e| panic!("{e}; scripts/test installs it"));
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said.trim(), format!("{documents} documents, 0 wrong, 0 that nobody expected"));
}

#[test]
fn a_shop_of_lamps_in_mariadb_is_what_php_makes_of_it() {
    let lab = shop(Dialect::MySql, "lamps");
    let mut php = Command::new("php");
    php.arg(path("lamps.php")).arg(lab.database.url()).arg(lab.redis.url());
    agrees(php, 1510);
}

#[test]
fn a_shop_of_books_in_postgres_is_what_python_makes_of_it() {
    let lab = shop(Dialect::Postgres, "books");
    let mut python = tool("python");
    python.arg(path("books.py")).arg(lab.database.url()).arg(lab.redis.url());
    agrees(python, 1843);
}

#[test]
fn init_alone_warms_both_shops() {
    for (dialect, name, key) in
        [(Dialect::MySql, "lamps", "product:7"), (Dialect::Postgres, "books", "review:7")]
    {
        let shop = Newcomer::on(dialect, &schema(name));
        shop.settle();
        let keys = shop.lab.keys();
        assert!(keys.iter().any(|found| found == key), "{name}: {keys:?}");
        let values = shop.lab.get_all(&keys);
        let secret = values.iter().any(|value| value.contains("not a secret"));
        assert!(!secret, "{name}");
    }
}
