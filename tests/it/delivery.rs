//! Results that cannot be written: the exit code tells.

use std::fs::File;

use crate::support::servers::{Dialect, Redis};
use crate::support::shop;
use crate::support::shopwarm::{Shopwarm, file, finish, shopwarm};

/// Runs with a stdout that is a full disk.
fn on_a_full_disk(command: Shopwarm) -> (i32, String) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = finish(command.start_onto(full));
    (ended.code, ended.stderr)
}

#[test]
fn a_full_disk_under_stdout_is_an_error() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let of_shop = |arguments: &str| {
        let command = shopwarm(arguments).database(database.url());
        command.cache(redis.url())
    };
    of_shop("warmup all -q").run().expect(0);
    for arguments in [
        "warmup all",
        "warmup all -o json",
        "warmup all -o ndjson",
        "warmup all -q -o csv",
        "verify",
        "dry-run -o markdown",
        "dry-run --keys",
        "keys list",
        "keys list -o json",
        "keys list -0",
        "keys get Product:id:prod-0001",
        "runs",
        "strategies",
        "schedule list",
        "doctor",
        "config show",
        "config check",
        "completions bash",
        "man",
        "--help",
        "--version",
    ] {
        let (code, stderr) = on_a_full_disk(of_shop(arguments));
        assert_eq!(code, 1, "{arguments}: {stderr}");
        assert!(
            stderr.contains("cannot write the results to stdout: No space left on device"),
            "{arguments}: {stderr}"
        );
    }
}

#[test]
fn a_run_that_failed_keeps_its_exit_code_on_a_full_disk() {
    let empty = r#"
        [context]
        name = "extra"
        owns = ["products"]
        [strategies.none]
        key = "None:{id}"
        value = "object"
        priority = 1
        sql.any = "SELECT id FROM products WHERE 1 = 0"
    "#;
    let (_dir, contexts) = file("extra.toml", empty);
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let command = shopwarm("warmup context extra").contexts(&contexts);
    let command = command.database(database.url()).cache(redis.url());
    let (code, stderr) = on_a_full_disk(command);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let command = shopwarm("keys list").database(database.url());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let command = command.cache(redis.url());
    let ended = finish(command.start_onto(writer)).expect(0);
    assert_eq!(ended.stderr, "");
}
