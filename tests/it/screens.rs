//! What a person sees: each screen in a terminal of 40, 80 and 120 columns, and in colour.
//! `INSTA_UPDATE=always cargo test screens` takes the screens of today.

use crate::support::sample::Sample;
use crate::support::servers::Redis;

#[test]
fn first_contact() {
    Sample::new().scene("first-contact", "shopwarm");
}

#[test]
fn a_complete_run() {
    Sample::new().scene("complete", "shopwarm --demo warmup all");
}

#[test]
fn an_incomplete_run() {
    let line = "shopwarm --demo --contexts trouble.toml warmup all";
    Sample::new().scene("incomplete", line);
}

#[test]
fn a_failed_run() {
    let sample = Sample::new();
    let broken = "[context]\nname = \"extra\"\n[strategies.broken]\nkey = \"Broken:{id}\"\nvalue = \"object\"\n\
        sql.any = \"SELECT id, no_such_column FROM products\"\n";
    std::fs::write(sample.dir.path().join("broken.toml"), broken).expect("a file");
    let line = "shopwarm --demo --contexts broken.toml warmup all";
    sample.scene("failed", line);
}

/// One strategy that ends at once, and one that never ends and has no rows.
const SLOW: &str = r#"
[context]
name = "extra"
[strategies.quick]
key = "Quick:{id}"
value = "object"
priority = 2
sql.any = "SELECT id, name FROM categories"
[strategies.slow]
key = "Slow:{n}"
value = "object"
priority = 1
sql.any = "WITH RECURSIVE long(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM long WHERE n < 1e12) SELECT n FROM long WHERE n < 0"
"#;

#[test]
fn an_interrupted_run() {
    let sample = Sample::new();
    std::fs::write(sample.dir.path().join("slow.toml"), SLOW).expect("a file");
    let line = ": >events; shopwarm --demo --contexts slow.toml warmup all --progress json 2>events & \
        until grep -q stalled.*slow events; do sleep 0.1; done; kill -INT $!; wait $!";
    sample.scene("interrupted", line);
}

#[test]
fn a_dry_run() {
    let sample = Sample::new();
    sample.command("warmup context catalog -q").run().expect(0);
    sample.scene("dry-run", "shopwarm --demo dry-run --orphans");
}

#[test]
fn a_comparison() {
    let sample = Sample::new();
    sample.command("warmup context catalog -q").run().expect(0);
    sample.scene("verify", "shopwarm --demo verify --require 99%");
}

#[test]
fn a_failed_check() {
    let line = "shopwarm --demo --cache-url sqlite:/nowhere/cache.db doctor";
    Sample::new().scene("doctor-failed", line);
}

#[test]
fn keys() {
    let sample = Sample::warm();
    let list = "shopwarm --demo keys list --cached --strategy identity/active-user-sessions";
    sample.scene("keys-list", list);
    let get = "shopwarm --demo keys get Category:id:cat-tea";
    sample.scene("keys-get", get);
}

#[test]
fn earlier_runs() {
    let sample = Sample::new();
    let named = "warmup strategy catalog/categories catalog/category-list catalog/category-tree -q";
    for arguments in ["warmup context catalog -q", named, "warmup all -q"] {
        sample.command(arguments).run().expect(0);
    }
    sample.scene("runs", "shopwarm --demo runs");
    sample.scene("runs-diff", "shopwarm --demo runs last~1 --diff last");
    sample.scene("usage", "shopwarm --demo usage");
}

#[test]
fn used_keys() {
    let (sample, redis) = (Sample::new(), Redis::start(&[]));
    let cache = format!("--cache-url {}", redis.url());
    sample.command(&format!("warmup all -q {cache}")).run().expect(0);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"redis://127\.0\.0\.1:\d+", "redis://[cache]");
    settings.add_filter(r" *\d+(\.\d)? (KiB|B)\b", " [size]");
    settings.add_filter(r"\d+s ago", "[ago]");
    let line = format!("shopwarm --demo {cache} usage");
    settings.bind(|| sample.scene("usage-table", &line));
}

#[test]
fn jobs() {
    let sample = Sample::new();
    // One job, far away: neither order nor widths depend on the time of day.
    let job = "[schedule]\nnightly.enabled = false\ncatalog-incremental.enabled = false\n\
        new-year = { cron = \"0 2 1 1 *\", warmup = \"all\" }\n";
    std::fs::write(sample.dir.path().join("jobs.toml"), job).expect("a file");
    let line = "shopwarm --demo --config jobs.toml schedule list --next 1";
    sample.scene("schedule", line);
}

#[test]
fn the_commonest_mistakes() {
    let sample = Sample::new();
    let nobody = "--database-url postgres://shop@127.0.0.1:1/shop --cache-url redis://127.0.0.1:1";
    for (name, line) in [
        ("no-servers", "shopwarm warmup all".to_owned()),
        ("nothing-named", "shopwarm --demo warmup".to_owned()),
        ("a-key", "shopwarm --demo warmup Product:id:7".to_owned()),
        ("misspelt", "shopwarm --demo warmup context catalgo".to_owned()),
        ("no-amount", "shopwarm --demo warmup all --rate fast".to_owned()),
        ("nobody-answers", format!("shopwarm {nobody} warmup all")),
    ] {
        sample.scene(&format!("mistake-{name}"), &line);
    }
}
