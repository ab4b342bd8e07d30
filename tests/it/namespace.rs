//! Keys of the tool's own are made by no definition, and threads that the system does not give are
//! waited for by nobody.

use std::process::Command;

use crate::support::lab::{Lab, counts, errors, own, strategy};
use crate::support::servers::{Dialect, bounded, temp_dir};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::binary;

/// A text for each of which a template makes a key of the tool's own, and one that is none.
const IDS: [&str; 4] = ["shopwarm:runs", "warm:runs", "runs", "x"];

#[test]
fn keys_of_the_tools_own_are_refused_by_name() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql("CREATE TABLE ids (id VARCHAR(40))");
        for id in IDS {
            lab.database.sql(&format!("INSERT INTO ids VALUES ('{id}')"));
        }
        for (template, refused) in [("{id}", "shopwarm:runs"), ("shop{id}", "shopwarm:runs")] {
            for prefix in ["", "p:"] {
                let one = strategy("one", "object", template, "SELECT id FROM ids");
                let run = lab.with(&own(&["ids"], &one), "warmup all -o json");
                let run = run.arg("--prefix").arg(prefix).run().expect(3);
                let one = run.strategy("own/one");
                assert_eq!(counts(&one), [3, 0, 1, 0], "{dialect:?} {template}");
                let [error] = errors(&one).try_into().expect("one error");
                let says = format!("the key `{prefix}{refused}` would be one of shopwarm's own");
                assert!(error.contains(&says), "{error}");
                let runs = lab.command("runs -o json").arg("--prefix").arg(prefix).run();
                let runs = runs.expect(0).json();
                assert!(runs["runs"][0]["run_id"].is_string(), "{runs:#}");
            }
        }
    }
}

#[test]
fn a_template_of_the_tools_own_keys_is_refused() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE ids (id TEXT)");
    let one = strategy("one", "object", "shopwarm:{id}", "SELECT id FROM ids");
    let run = lab.with(&own(&["ids"], &one), "config check").run().expect(4);
    for says in ["own/one", "key: keys that begin with `shopwarm:`"] {
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}

/// A user of whom nobody else has a process, so that only our threads count.
const NOBODY_ELSE: u32 = 61_234;

/// `shopwarm --demo warmup all` behind a limit of bash's `ulimit`: its exit code and what it said.
fn limited(ulimit: &str) -> (Option<i32>, String) {
    let dir = temp_dir();
    let chown = Command::new("chown").arg(NOBODY_ELSE.to_string()).arg(dir.path()).status();
    // Who is no other user cannot become one; the limit holds all the same.
    let user = match chown.is_ok_and(|status| status.success()) {
        true => format!("setpriv --reuid={NOBODY_ELSE} --clear-groups"),
        false => String::new(),
    };
    let line = format!(
        "exec 3<{binary}; exec {user} bash -c '{ulimit}; exec /proc/self/fd/3 --demo --demo-dir {dir} warmup all -q'",
        binary = binary().display(),
        dir = dir.path().display(),
    );
    let output = bounded(["bash", "-c", &line]).output().expect("bash");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn without_threads_it_ends_with_a_message() {
    let mut messages = 0;
    for limit in 1..=7 {
        let (code, said) = limited(&format!("ulimit -u {limit}"));
        let is_end = matches!(code, Some(0 | 1 | 4 | 5 | 6));
        assert!(is_end && !said.contains("panicked"), "{limit}: {code:?} {said}");
        assert!(!said.contains("nested too deeply"), "{limit}: {said}");
        let is_said = said.contains("cannot start a thread");
        assert!(!is_said || code == Some(1), "{limit}: {code:?} {said}");
        messages += u32::from(is_said);
    }
    assert!(messages > 0, "no limit was low enough");
}

#[test]
fn without_memory_for_a_thread_no_definition_is_blamed() {
    let mut messages = 0;
    for limit in (40_000..=400_000).step_by(24_000) {
        let (_, said) = limited(&format!("ulimit -v {limit}"));
        assert!(!said.contains("nested too deeply"), "{limit}: {said}");
        messages += u32::from(said.contains("cannot start a thread"));
    }
    assert!(messages > 0, "no limit was low enough");
}
