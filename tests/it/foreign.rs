//! Two shops that this project did not design, with definitions that their engineers would write. A script of its own, in PHP and
//! in Python, makes every document out of the database and compares it with the cache.

use std::path::Path;
use std::process::Command;

use crate::support::lab::Lab;
use crate::support::servers::Dialect;
use crate::support::tools::tool;

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/foreign")
        .join(name)
}

fn shop(dialect: Dialect, name: &str) -> Lab {
    let lab = Lab::empty(dialect);
    let sql = std::fs::read_to_string(path(&format!("{name}.sql"))).expect("the schema");
    lab.database.sql(&sql);
    let definitions = path(&format!("{name}.toml"));
    let command = |arguments: &str| lab.command(arguments).contexts(&definitions).run();
    command("config check").expect(0);
    command("warmup all").expect(0);
    command("verify --require 100%").expect(0);
    lab
}

#[track_caller]
fn agrees(mut script: Command, documents: usize) {
    let output = script
        .output()
        .unwrap_or_else(|e| panic!("{e}; scripts/test installs it"));
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(
        said.trim(),
        format!("{documents} documents, 0 wrong, 0 that nobody expected")
    );
}

#[test]
fn a_shop_of_lamps_in_mariadb_is_what_php_makes_of_it() {
    let lab = shop(Dialect::MySql, "lamps");
    let mut php = Command::new("php");
    php.arg(path("lamps.php"))
        .arg(lab.database.url())
        .arg(lab.redis.url());
    agrees(php, 1510);
}

#[test]
fn a_shop_of_books_in_postgres_is_what_python_makes_of_it() {
    let lab = shop(Dialect::Postgres, "books");
    let mut python = tool("python");
    python
        .arg(path("books.py"))
        .arg(lab.database.url())
        .arg(lab.redis.url());
    agrees(python, 1843);
}
