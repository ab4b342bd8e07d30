//! When entries expire: `--max-refill`, `--avoid`, and the curve that `dry-run` draws.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::lab::{Lab, own, strategy};
use crate::looking::Embedded;
use crate::servers::{Dialect, Sqlite};
use crate::shop::DIALECTS;
use crate::shopwarm::{Finished, Shopwarm, binary, file};
use crate::terminal::Terminal;

const KEYS: u64 = 3_000;

/// Two strategies of so many keys, of half an hour and of two hours.
fn definitions() -> String {
    let all = [("halves", "H", "30m"), ("hours", "O", "2h")].map(|(name, letter, ttl)| {
        let key = format!("{letter}:{{id}}");
        strategy(name, "object", &key, "SELECT id FROM t") + &format!("ttl = \"{ttl}\"\n")
    });
    own(&["t"], &all.concat())
}

fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    let mut sql = "CREATE TABLE t (id BIGINT PRIMARY KEY);".to_owned();
    for start in (0..KEYS).step_by(500) {
        let rows: Vec<String> = (start..start + 500).map(|id| format!("({id})")).collect();
        let _ = write!(sql, "INSERT INTO t VALUES {};", rows.join(","));
    }
    lab.database.sql(&sql);
    lab
}

fn own_run(lab: &Lab, arguments: &str) -> Shopwarm {
    lab.with(&definitions(), arguments)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.expect("after 1970").as_millis()).expect("a time")
}

/// Every key and when it ends, in milliseconds since 1970, as Redis says.
fn ends(lab: &Lab) -> BTreeMap<String, u64> {
    let script = "local all = {} \
         for _, key in ipairs(redis.call('KEYS', '*')) do \
         if not string.find(key, 'shopwarm') then \
         all[#all + 1] = key .. ' ' .. redis.call('PEXPIRETIME', key) end end \
         return table.concat(all, '\\n')";
    parsed(&lab.redis.cli(&["EVAL", script, "0"]))
}

fn parsed(lines: &str) -> BTreeMap<String, u64> {
    let lines = lines.lines().filter_map(|line| line.rsplit_once(' '));
    lines
        .map(|(key, end)| (key.to_owned(), end.parse().expect("milliseconds")))
        .collect()
}

/// The same of the embedded cache.
fn embedded_ends(cache: &Embedded) -> BTreeMap<String, u64> {
    parsed(&cache.sql(
        "SELECT CAST(key AS TEXT) || ' ' || expires_at FROM entries \
         WHERE CAST(key AS TEXT) NOT LIKE '%shopwarm%'",
    ))
}

fn peak(ends: &BTreeMap<String, u64>) -> u64 {
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    for end in ends.values() {
        *seconds.entry(end / 1000).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or_default()
}

/// Each key's end is between these, in seconds from then on.
#[track_caller]
fn within(ends: &BTreeMap<String, u64>, letter: char, from: u64, (least, most): (u64, u64)) {
    for (key, end) in ends.iter().filter(|(key, _)| key.starts_with(letter)) {
        let lives = (end - from) / 1000;
        assert!((least..=most).contains(&lives), "{key} lives {lives} s");
    }
}

fn verified(run: &Finished) -> [u64; 4] {
    let verified = &run.json()["totals"];
    ["identical", "expiring", "missing", "ttl_outside"]
        .map(|name| verified[name].as_u64().expect(name))
}

#[test]
fn no_second_sees_more_expiries_than_was_said() {
    for dialect in DIALECTS {
        let lab = lab(dialect);
        let flags = "--max-refill 20 --default-ttl 3h";
        let began = now();
        own_run(&lab, &format!("warmup context own -q {flags}"))
            .run()
            .expect(0);
        let first = ends(&lab);
        assert_eq!(first.len() as u64, 2 * KEYS);
        assert!(peak(&first) <= 20, "{dialect:?}: {}", peak(&first));
        let took = (now() - began) / 1000 + 1;
        // A tenth is left at least, and nothing lives longer than its definition says.
        within(&first, 'H', began, (180, 1800 + took));
        within(&first, 'O', began, (720, 7200 + took));
        // Some of them live much shorter than the jitter would have it.
        assert!(first.values().min() < Some(&(began + 900_000)));

        // Who knows the flags finds nothing wrong with it.
        let verify = format!("verify context own -o json --expiring-within 10m {flags}");
        let found = verified(&own_run(&lab, &verify).run().expect(0));
        assert_eq!(found[0] + found[1], 2 * KEYS);
        // Two thirds of each key's own time are not over yet.
        assert_eq!(found, [2 * KEYS, 0, 0, 0], "{dialect:?}");
        // Another run gives each key the same time again, also one by name.
        let began_again = now();
        own_run(&lab, &format!("warmup keys O:1 O:2 H:3 -q {flags}"))
            .run()
            .expect(0);
        let took_again = now() - began_again;
        let again = ends(&lab);
        for key in ["O:1", "O:2", "H:3"] {
            let moved = again[key] - first[key];
            let apart = began_again - began;
            let slack = took * 1000 + took_again;
            assert!(moved.abs_diff(apart) <= slack, "{key}: {moved} {apart}");
        }
    }
}

#[test]
fn what_cannot_be_kept_is_refused_before_anything_is_written() {
    let lab = lab(Dialect::Sqlite);
    let run = own_run(&lab, "warmup context own --max-refill 1").run();
    let run = run.expect(4);
    assert!(
        run.stderr.contains("--max-refill 1 cannot be kept"),
        "{}",
        run.stderr
    );
    let least = run.stderr.split("hint: ").nth(1).expect("a hint");
    let least = least.split(' ').next().expect("a number");
    assert!(lab.keys().is_empty());
    // What it says can be.
    let enough = format!("warmup context own -q --max-refill {least}");
    own_run(&lab, &enough).run().expect(0);
    let least: u64 = least.parse().expect("a number");
    assert!(peak(&ends(&lab)) <= least);
    for arguments in ["dry-run", "verify"] {
        own_run(&lab, &format!("{arguments} context own --max-refill 1"))
            .run()
            .expect(4);
    }
}

/// A window from so many minutes from now on to so many, as clocks show it in a zone. Seconds are
/// cut off: it begins up to a minute earlier.
fn window(zone: &str, from: i64, to: i64) -> (String, u64, u64) {
    let zone = TimeZone::get(zone).expect(zone);
    let zoned = Timestamp::now().to_zoned(zone);
    let at = |minutes: i64| {
        let at = zoned.checked_add(minutes.minutes()).expect("a time");
        let at = at
            .with()
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .expect("a time");
        let millis = u64::try_from(at.timestamp().as_millisecond()).expect("now");
        (at.strftime("%H:%M").to_string(), millis)
    };
    let ((from, begins), (to, ends)) = (at(from), at(to));
    (format!("{from}-{to}"), begins, ends)
}

/// Some end before the window, the rest after it, each as late as it would have been and its length.
#[track_caller]
fn avoided(ends: &BTreeMap<String, u64>, (began, ended): (u64, u64), (from, to): (u64, u64)) {
    let inside = ends.iter().find(|(_, end)| (from..to).contains(*end));
    assert_eq!(inside, None);
    let before = ends.values().filter(|end| **end < from).count();
    let after = ends.values().filter(|end| **end >= to).count();
    assert!(
        before > 100 && after > 100,
        "{before} before, {after} after"
    );
    let length = to - from;
    let least = began + 900_000;
    let most = ended + 7_200_000 + length + 10_000;
    assert!(ends.values().all(|end| (least..=most).contains(end)));
    let long_lived = ends.values().filter(|end| **end > ended + 7_200_000);
    assert!(long_lived.count() > 1000, "what is over it lives longer");
}

#[test]
fn nothing_expires_in_a_window_that_is_avoided() {
    for zone in ["UTC", "Asia/Kolkata", "America/St_Johns"] {
        let lab = lab(Dialect::Sqlite);
        let (window, from, to) = window(zone, 22, 90);
        let flags = format!("--ttl-jitter 50% --avoid {window} --timezone {zone}");
        let began = now();
        own_run(&lab, &format!("warmup context own -q {flags}"))
            .run()
            .expect(0);
        avoided(&ends(&lab), (began, now()), (from, to));
        // What lives longer than the definition says is right where the window is known.
        let verify = |flags: &str| {
            let verify = format!("verify context own -o json --expiring-within 1m {flags}");
            verified(&own_run(&lab, &verify).run().expect(0))
        };
        assert_eq!(verify(&flags), [2 * KEYS, 0, 0, 0], "{zone}");
        assert!(verify("")[3] > 1000, "{zone}: else it is not");
    }
}

#[test]
fn the_embedded_cache_expires_likewise() {
    let lab = lab(Dialect::Sqlite);
    let embedded = Embedded::new();
    let (window, from, to) = window("UTC", 20, 50);
    let flags = format!("--max-refill 20 --avoid {window} --timezone UTC");
    let run = own_run(&lab, &format!("warmup context own -q {flags}"));
    embedded.on(run).run().expect(0);
    let ends = embedded_ends(&embedded);
    assert_eq!(ends.len() as u64, 2 * KEYS);
    assert!(peak(&ends) <= 20, "{}", peak(&ends));
    let inside = ends.iter().find(|(_, end)| (from..to).contains(*end));
    assert_eq!(inside, None);
    let verify = format!("verify context own -o json --expiring-within 1m {flags}");
    let found = verified(&embedded.on(own_run(&lab, &verify)).run().expect(0));
    assert_eq!(found, [2 * KEYS, 0, 0, 0]);
}

#[test]
fn file_and_environment_say_it_too() {
    let lab = lab(Dialect::Sqlite);
    let (window, from, to) = window("UTC", 28, 114);
    let folder = tempfile::tempdir().expect("a folder");
    let file = format!("timezone = \"UTC\"\navoid = \"{window}\"\nmax_refill = \"0.02k\"\n");
    std::fs::write(folder.path().join("shopwarm.toml"), file).expect("a file");
    let run = own_run(&lab, "warmup context own -q").dir(folder.path());
    run.run().expect(0);
    let all = ends(&lab);
    assert!(peak(&all) <= 20);
    assert!(!all.values().any(|end| (from..to).contains(end)));
    let show = own_run(&lab, "config show -o json")
        .dir(folder.path())
        .env("SHOPWARM_AVOID", "1:00-2:00,23:00-0:30")
        .env("SHOPWARM_MAX_REFILL", "2k")
        .run()
        .expect(0);
    let settings = show.json()["settings"].clone();
    let setting = |name: &str| {
        let all = settings.as_array().expect("settings");
        let found = all.iter().find(|s| s["name"] == name).expect(name);
        found["value"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(setting("avoid"), "01:00-02:00, 23:00-00:30");
    assert_eq!(setting("max_refill"), "2000");
    for (arguments, why) in [
        ("--avoid noon", "no time of day such as 11:00-14:00"),
        ("--avoid 00:00-23:30", "less than an hour of a day"),
        ("--max-refill 0", "--max-refill"),
    ] {
        let run = own_run(&lab, &format!("warmup context own {arguments}")).run();
        assert!([2, 4].contains(&run.code), "{arguments}: {}", run.code);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
}

#[test]
fn the_curve_fits_a_narrow_terminal() {
    let lab = lab(Dialect::Sqlite);
    let (_folder, contexts) = file("own.toml", &definitions());
    let terminal = Terminal::new(40, 60);
    let (database, cache) = (lab.database.url(), lab.redis.url());
    terminal.type_line(&format!(
        "clear; DATABASE_URL={database} CACHE_URL={cache} SHOPWARM_CONTEXTS={} {} \
         dry-run context own --max-refill 20 --progress none; echo the-en''d",
        contexts.display(),
        binary().display(),
    ));
    let screen = terminal.wait_for("the-end");
    let (_, drawn) = screen
        .split_once("expiry, if all were written now:\n")
        .expect(&screen);
    let lines: Vec<&str> = drawn.lines().take(6).collect();
    let marks = |line: &str| line.chars().any(|c| ('▁'..='█').contains(&c));
    assert!(marks(lines[0]) && marks(lines[4]), "{screen}");
    assert!(
        lines[1].ends_with("2h") && lines[2].ends_with("a second"),
        "{screen}"
    );
    assert_eq!(lines[3], "without --max-refill:");
}

#[test]
fn a_dry_run_draws_the_curve_with_and_without() {
    let lab = lab(Dialect::Sqlite);
    let dry_run = |flags: &str| own_run(&lab, &format!("dry-run context own {flags}"));
    let plain = dry_run("").run().expect(0).stdout;
    let (_, drawn) = plain
        .split_once("expiry, if all were written now:\n")
        .expect("a curve");
    let lines: Vec<&str> = drawn
        .lines()
        .take_while(|line| !line.starts_with('✓'))
        .collect();
    assert_eq!(lines.len(), 3, "{drawn}");
    assert!(lines[0].contains('█') && lines[1].trim_start().starts_with("now"));
    assert!(lines[1].ends_with("2h"), "{drawn}");
    let at_most = |line: &str| -> u64 {
        let n = line.trim().strip_prefix("at most ").expect(line);
        n.strip_suffix(" a second")
            .expect(line)
            .replace(',', "")
            .parse()
            .expect(line)
    };
    let jitter = at_most(lines[2]);
    assert!(jitter > 20, "3,000 keys in three minutes");

    let both = dry_run("--max-refill 20 --avoid 11:00-14:00")
        .run()
        .expect(0)
        .stdout;
    let (_, drawn) = both
        .split_once("expiry, if all were written now:\n")
        .expect("a curve");
    let lines: Vec<&str> = drawn
        .lines()
        .take_while(|line| !line.starts_with('✓'))
        .collect();
    assert_eq!(lines.len(), 6, "{drawn}");
    assert!(at_most(lines[2]) <= 20);
    assert_eq!(lines[3], "without --max-refill and --avoid:");
    assert!(at_most(lines[5]) > 20);
    assert!(
        lines.iter().all(|line| line.chars().count() <= 62),
        "{drawn}"
    );

    let json = dry_run("--max-refill 20 -o json").run().expect(0).json();
    let expiry = &json["expiry"];
    assert!(expiry["planned"]["peak_per_second"].as_u64() <= Some(20));
    assert!(expiry["without"]["peak_per_second"].as_u64() > Some(20));
    assert_eq!(expiry["max_refill"], 20);
    for curve in ["planned", "without"] {
        let keys = expiry[curve]["keys"].as_array().expect("steps");
        let sum: u64 = keys.iter().filter_map(|n| n.as_u64()).sum();
        assert_eq!((keys.len() <= 60, sum), (true, 2 * KEYS), "{curve}");
    }
    let strategies = json["strategies"].as_array().expect("strategies");
    assert!(
        strategies
            .iter()
            .all(|s| s["spread_seconds"].as_u64() > Some(180))
    );
    let json = dry_run("-o json").run().expect(0).json();
    assert!(json["expiry"]["without"].is_null());
    assert_eq!(json["strategies"][0]["spread_seconds"], 180);

    let csv = dry_run("--max-refill 20 -o csv").run().expect(0).stdout;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(!csv.contains("now"), "{csv}");
    // An empty database has no curve.
    let empty = Sqlite::database();
    empty.sql("CREATE TABLE t (id BIGINT PRIMARY KEY)");
    let run = dry_run("--max-refill 20 --allow-empty")
        .database(empty.url())
        .run();
    assert!(
        !run.stdout.contains("if all were written"),
        "{}",
        run.stdout
    );
}
