//! `--demo`: the sample shops.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::shopwarm::{Finished, Shopwarm, binary, shopwarm};

fn demo(dir: &TempDir, arguments: &str) -> Shopwarm {
    shopwarm(arguments).arg("--demo-dir").arg(dir.path())
}

fn run(dir: &TempDir, arguments: &str) -> Finished {
    demo(dir, arguments).run()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

const NOTE: &str = "sample shop: ";

#[test]
fn a_new_shop_says_what_it_is_and_what_to_try_once() {
    let dir = folder();
    let first = run(&dir, "--demo warmup all -o json").expect(0);
    for words in [
        "1,000 products, 200 orders and 40 users",
        "/shop.db",
        "/cache.db",
        " verify\n",
        " serve\n",
    ] {
        assert!(first.stderr.contains(words), "{words}: {}", first.stderr);
    }
    assert!(first.stderr.starts_with(NOTE), "{}", first.stderr);
    assert_eq!(first.json()["outcome"], "complete");
    let second = run(&dir, "--demo verify").expect(0);
    assert!(!second.stderr.contains(NOTE), "{}", second.stderr);
    // What it says to try works.
    let tried = first.stderr.lines().filter_map(|line| line.split_once("shopwarm "));
    for (_, command) in tried.filter(|(_, command)| !command.ends_with("serve")) {
        shopwarm(command).run().expect(0);
    }
    let dir = folder();
    let log = run(&dir, "--demo=stale warmup all -q --log-format json").expect(0).stderr;
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    let log = run(&dir, "--demo=failing warmup all -q --log-format text").expect(4).stderr;
    let failed = log.lines().find(|line| line.contains("strategy failed"));
    let failed = failed.unwrap_or_else(|| panic!("{log}"));
    assert!(failed.contains("run_id=") && failed.contains("strategy{id="), "{failed}");
    let log = run(&dir, "--demo warmup all --log-format json").expect(0).stderr;
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    let dir = folder();
    assert_eq!(run(&dir, "--demo runs -q").expect(0).stderr, "");
    assert!(!run(&dir, "--demo runs").stderr.contains(NOTE));
}

#[test]
fn the_variable_may_say_yes_no_or_which() {
    for (value, code, words) in [
        ("true", 0, "1,000 products"),
        ("1", 0, "1,000 products"),
        ("STALE", 0, "rows that changed"),
        ("no", 4, "no cache is configured"),
        ("0", 4, "no cache is configured"),
        ("", 4, "no cache is configured"),
        ("nonsense", 2, "possible values"),
    ] {
        let dir = folder();
        let run = demo(&dir, "runs").env("SHOPWARM_DEMO", value).run();
        let run = run.expect(code);
        assert!(run.stderr.contains(words), "{value}: {}", run.stderr);
    }
}

/// Its definitions are of another shop.
#[test]
fn a_file_that_is_only_found_is_not_read() {
    let (dir, own) = (folder(), folder());
    let path = |file: &str| own.path().join(file);
    fs::write(path("shopwarm.toml"), "contexts = [\"own.toml\"]\n").expect("a file");
    let definitions = "[context]\nname = \"own\"\n[strategies.one]\nkey = \"O:{id}\"\n\
        value = \"object\"\nsql = \"SELECT id FROM gone\"\n";
    fs::write(path("own.toml"), definitions).expect("a file");
    let in_it = |arguments: &str| demo(&dir, arguments).dir(own.path()).run();
    let note = "warning: shopwarm.toml is not read with --demo";
    let warmed = in_it("--demo warmup all -o json").expect(0);
    assert!(warmed.stderr.contains(note), "{}", warmed.stderr);
    assert_eq!(warmed.json()["totals"]["strategies"], 7);
    assert_eq!(in_it("--demo verify -q").expect(0).stderr, "");
    let doctor = in_it("--demo doctor").expect(0);
    assert!(doctor.stdout.contains("7 strategies"), "{}", doctor.stdout);
    for named in ["--config shopwarm.toml", "--contexts own.toml"] {
        let named = in_it(&format!("--demo strategies {named} -o csv")).expect(0);
        assert!(named.stdout.contains("own/one"), "{}", named.stdout);
        assert!(!named.stdout.contains("catalog/"), "{}", named.stdout);
    }
    let without = demo(&dir, "warmup all").dir(own.path()).run().expect(4);
    assert!(!without.stderr.contains(note), "{}", without.stderr);
}

/// Keys of each state, as `dry-run` counts them.
fn states(dir: &TempDir, demo: &str) -> [u64; 5] {
    let report = run(dir, &format!("{demo} dry-run -o json")).expect(0).json();
    ["identical", "different", "missing", "expiring", "wrong_type"]
        .map(|state| report["totals"][state].as_u64().expect("a number"))
}

#[test]
fn a_stale_shop_can_be_put_right_and_is_made_anew_later() {
    let dir = folder();
    assert_eq!(states(&dir, "--demo=stale"), [161, 13, 1, 0, 0]);
    let key = "--demo=stale keys get Product:id:prod-0001";
    let shown = run(&dir, key).expect(0).stdout;
    let next = shown.lines().find_map(|line| line.strip_prefix("next"));
    let next = next.expect("what to do").trim();
    shopwarm(next.strip_prefix("shopwarm ").expect("a command")).run().expect(0);
    assert!(run(&dir, key).stdout.contains("identical"));
    run(&dir, "--demo=stale warmup all -q").expect(0);
    assert_eq!(states(&dir, "--demo=stale"), [175, 0, 0, 0, 0]);

    // What changed is recent, so that a run may read only that.
    let other = folder();
    let changed = run(&other, "--demo=stale warmup all --changed -o json").expect(0);
    let read = |of: &serde_json::Value| of["read"] == "changed" && of["unchanged"] == 11;
    let report = changed.json();
    let strategies = report["strategies"].as_array().expect("a list");
    assert!(strategies.iter().any(read), "{report:#}");
    run(&other, "--demo=stale verify").expect(0);

    // A file of somebody else stays.
    let other = dir.path().join("stale/notes.txt");
    fs::write(&other, "mine").expect("a file");
    let made = fs::File::open(dir.path().join("stale/made")).expect("a file");
    let long_ago = SystemTime::now() - Duration::from_mins(11);
    made.set_modified(long_ago).expect("a time");
    let later = run(&dir, "--demo=stale verify").expect(10);
    assert!(later.stderr.starts_with(NOTE), "{}", later.stderr);
    assert_eq!(states(&dir, "--demo=stale"), [161, 13, 1, 0, 0]);
    assert!(other.exists());
}

#[test]
fn keys_expire_soon_and_rows_fail_on_request() {
    let dir = folder();
    assert_eq!(states(&dir, "--demo=expiring"), [88, 0, 5, 82, 0]);
    let listed = run(&dir, "--demo=expiring keys list --state expiring").expect(0).stdout;
    let key = listed.lines().next().expect("a key");
    let got = run(&dir, &format!("--demo=expiring keys get {key}")).expect(0).stdout;
    assert!(got.contains("state      expiring\n"), "{got}");
    let next = format!("next       shopwarm warmup keys {key} ");
    assert!(got.contains(&next), "{got}");
    run(&dir, "--demo=expiring warmup all -q").expect(0);
    assert_eq!(states(&dir, "--demo=expiring"), [175, 0, 0, 0, 0]);

    let failing = run(&dir, "--demo=failing warmup all -o json").expect(4).json();
    assert_eq!(failing["totals"]["strategies_failed"], 1);
    assert_eq!(failing["totals"]["failed"], 5);
    let doctor = run(&dir, "--demo=failing doctor").expect(4).stdout;
    assert!(doctor.contains("no such column: email"), "{doctor}");
    // Each has its own folder.
    run(&dir, "--demo warmup all -q").expect(0);
    // Nor does it matter what else is configured.
    let dir = folder();
    let prefixed = run(&dir, "--demo=stale keys list --prefix p: --state missing").expect(0);
    assert_eq!(prefixed.stdout.lines().count(), 175);
    assert_eq!(states(&dir, "--demo=stale"), [161, 13, 1, 0, 0]);
}

#[test]
fn both_ends_of_a_pipe_may_make_it() {
    let dir = folder();
    let (binary, folder) = (binary().display(), dir.path().display());
    let shopwarm = format!("{binary} --demo=stale --demo-dir {folder}");
    let script = format!(
        "{shopwarm} keys list --state different | {shopwarm} warmup keys - -q && {shopwarm} verify -o json"
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("bash");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let totals = &report["totals"];
    assert_eq!((&totals["different"], &totals["missing"]), (&0.into(), &1.into()));
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_doctor_has_a_line_for_it() {
    let dir = folder();
    fs::write(dir.path().join("stale"), "").expect("a file");
    let run_ = run(&dir, "--demo=stale verify").expect(4);
    assert!(run_.stderr.contains("cannot make the sample shop at"), "{}", run_.stderr);
    let doctor = run(&dir, "--demo=stale doctor").expect(4).stdout;
    assert!(doctor.contains("definitions: 7 strategies"), "{doctor}");
    assert!(doctor.contains("cannot make the sample shop at"), "{doctor}");
}
