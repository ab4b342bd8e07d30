//! In a real terminal: tmux runs it, and the screen is read back.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::faults::until;
use crate::support::servers::{Dialect, Redis};
use crate::support::shop;
use crate::support::shopwarm::file;
use crate::support::terminal::{Terminal, command};

#[test]
fn a_terminal_sees_each_strategy_once() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let terminal = Terminal::new(140, 50);
    terminal.type_line(&command("warmup all", &database.url(), &redis.url()));
    let screen = terminal.wait_for("exit=0");
    assert_eq!(screen.matches("✓ catalog/hot-products").count(), 1, "{screen}");
    assert!(
        screen.contains("keys/s") && screen.contains("complete: 170 of 170 keys warmed"),
        "{screen}"
    );
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e"]);
    assert!(coloured.contains("\x1b[32m") || coloured.contains("38;5;10"), "{coloured:?}");
}

#[test]
fn failures_are_red() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let (_dir, definitions) = file(
        "bad.toml",
        "[context]\nname = \"bad\"\nowns = [\"products\"]\n\
        [strategies.rows]\nkey = \"B:{id}\"\nvalue = \"object\"\nsql.any = \"SELECT id, 9e999 AS x FROM products\"\n",
    );
    let terminal = Terminal::new(140, 30);
    let arguments = format!("warmup context bad --contexts {}", definitions.display());
    terminal.type_line(&command(&arguments, &database.url(), &redis.url()));
    terminal.wait_for("exit=3");
    let screen = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let red =
        |text: &str| screen.lines().any(|line| line.contains(text) && line.contains("\x1b[31m"));
    assert!(red("✗") && red(" failed"), "{screen:?}");
}

#[test]
fn forty_columns_are_enough() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let terminal = Terminal::new(40, 60);
    terminal.type_line("clear");
    terminal.type_line(&format!("clear; {}", command("warmup all", &database.url(), &redis.url())));
    let screen = terminal.wait_for("exit=0");
    let table = screen.lines().skip_while(|line| !line.contains("strategy")).collect::<Vec<_>>();
    assert!(table[0].contains("keys") && table[0].contains("warmed"), "{screen}");
    assert!(table[1].starts_with("─") && table[2].contains("100"), "{screen}");
    let wrong = "verify --require catalgo=99%";
    terminal.run(&command(wrong, &database.url(), &redis.url()));
    let screen = terminal.wait_for("exit=2");
    for line in [
        "\nerror: --require: unknown name\n",
        "\n  `catalgo`: no selected context or\n  strategy has this name\n",
    ] {
        assert!(screen.contains(line), "no {line:?} in\n{screen}");
    }
}

/// A strategy long enough to be watched: a million numbers.
const ENDLESS: &str = r#"
    [context]
    name = "long"
    owns = ["numbers"]
    [strategies.numbers]
    key = "N:{n}"
    value = "object"
    sql.any = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 30000000) SELECT n FROM numbers"
"#;

#[test]
fn a_live_bar_moves_and_ctrl_c_ends_it_with_a_report() {
    let (database, redis) =
        (shop::database(Dialect::Sqlite), Redis::start(&["--maxmemory", "2gb"]));
    let (_dir, definitions) = file("long.toml", ENDLESS);
    let terminal = Terminal::new(130, 40);
    let arguments = format!("warmup context long --contexts {}", definitions.display());
    terminal.type_line(&command(&arguments, &database.url(), &redis.url()));
    let screen = terminal.wait_for("keys/s");
    assert!(screen.contains("long/numbers"), "{screen}");
    let bar = |screen: &str| screen.lines().find(|line| line.contains("keys/s")).map(str::to_owned);
    let since = Instant::now();
    while bar(&terminal.screen()) == bar(&screen) {
        assert!(since.elapsed() < Duration::from_mins(1), "the bar stands still: {screen}");
        sleep(Duration::from_millis(100));
    }
    redis.pause();
    let screen = terminal.wait_for("waiting for the cache, 2 s");
    assert!(!screen.contains(" left"), "{screen}");
    redis.resume();
    until("it goes on", || !terminal.screen().contains("waiting"));
    terminal.press("C-c");
    let screen = terminal.wait_for("exit=130");
    assert!(screen.contains("interrupted: ") && screen.contains("– long/numbers"), "{screen}");
    let is_old = |line: &str| line.contains("long/numbers") && line.contains("keys/s");
    assert!(!screen.lines().any(is_old), "an old bar: {screen}");
}

#[test]
fn a_bar_fits_right_after_a_resize() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let (_dir, definitions) = file(
        "slow.toml",
        "[context]\nname = \"slow\"\nowns = [\"products\"]\n[strategies.all-of-the-products-of-the-shop]\n\
        key = \"S:{id}\"\nvalue = \"object\"\nsql.any = \"SELECT id FROM products\"\n\
        [strategies.first]\npriority = 1\nkey = \"F:{id}\"\nvalue = \"object\"\n\
        sql.any = \"SELECT id FROM products WHERE id = 'prod-0001'\"\n",
    );
    let terminal = Terminal::new(120, 40);
    let path = definitions.display();
    let arguments = format!("warmup context slow --rate 2 --batch-size 1 --contexts {path}");
    terminal.run(&command(&arguments, &database.url(), &redis.url()));
    terminal.wait_for("strategy 2 of 2");
    for columns in [80, 40] {
        terminal.tmux(&["resize-window", "-x", &columns.to_string(), "-y", "40"]);
        until("its bar fits the new width", || {
            let screen = terminal.screen();
            let last = screen.trim_end().lines().last().unwrap_or_default();
            let is_bar = last.contains("strategy 2 of 2 ") && last.contains('─');
            is_bar && last.contains('%') && last.chars().count() < columns
        });
        // tmux breaks lines at once and tells the new width a moment later, so an old line may stay above.
        let screen = terminal.screen();
        assert!(screen.contains("✓ slow/first "), "{screen}");
        assert!(screen.contains("of-the-shop "), "{screen}");
    }
    terminal.press("C-c");
    let screen = terminal.wait_for("exit=130");
    let stopping = "stopping: finishing batches in\n  flight (press again to quit now)";
    assert!(screen.contains(stopping), "{screen}");
}

#[test]
fn a_closed_terminal_ends_the_run_and_gives_the_lock_back() {
    let (database, redis) =
        (shop::database(Dialect::Sqlite), Redis::start(&["--maxmemory", "2gb"]));
    let (_dir, definitions) = file("long.toml", ENDLESS);
    let terminal = Terminal::new(100, 30);
    let arguments = format!("warmup context long --contexts {}", definitions.display());
    terminal.type_line(&command(&arguments, &database.url(), &redis.url()));
    terminal.wait_for("keys/s");
    // Not `KEYS`: among millions of keys it would hold up the run that is to end.
    let locks = || redis.cli(&["EXISTS", "shopwarm:lock:long"]);
    assert_eq!(locks(), "1");
    drop(terminal);
    // Sooner than a lock ends by itself that nobody gives back.
    let closed = Instant::now();
    while locks() != "0" {
        assert!(closed.elapsed() < Duration::from_secs(25), "still locked");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_closed_terminal_ends_a_server_that_was_started_there() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    let terminal = Terminal::new(100, 30);
    let line = command("serve --listen 127.0.0.1:0", &database.url(), &redis.url());
    terminal.type_line(&line);
    let screen = terminal.wait_for("http://127.0.0.1:");
    let address = screen.split("http://").nth(1).expect("an address");
    let address = address.split(['/', ' ', '\n']).next().expect("an address");
    std::net::TcpStream::connect(address).expect("a server");
    drop(terminal);
    let closed = Instant::now();
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(closed.elapsed() < Duration::from_secs(25), "still there");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn twenty_columns_and_no_name_for_the_terminal_are_no_error() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&[]));
    for environment in ["unset TERM HOME", "TERM=dumb"] {
        let line = command("warmup all", &database.url(), &redis.url());
        let (_dir, script) = file("run.sh", &format!("{environment}\n{line}\n"));
        let terminal = Terminal::new(20, 60);
        terminal.type_line(&format!("clear; sh {}", script.display()));
        let screen = terminal.wait_for("exit=0");
        let has_lines = screen.contains("completed");
        assert_eq!(has_lines, environment == "TERM=dumb", "{screen}");
    }
    assert!(!redis.cli(&["KEYS", "*"]).is_empty());
}
