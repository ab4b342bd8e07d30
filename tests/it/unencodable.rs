//! A row that has no JSON form is a row: its key is failed, and never taken for one without a row.

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;

const SQL: &str = "SELECT id, available FROM things";

fn lab() -> (Lab, String) {
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql(
        "SET sql_mode = ''; CREATE TABLE things (id INTEGER PRIMARY KEY, available DATE);
         INSERT INTO things VALUES (1, '2026-01-01'), (2, '2026-01-02')",
    );
    let definitions = own(&["things"], &strategy("things", "object", "T:{id}", SQL));
    lab.with(&definitions, "warmup all").run().expect(0);
    lab.database.sql("SET sql_mode = ''; UPDATE things SET available = '0000-00-00' WHERE id = 2");
    (lab, definitions)
}

#[test]
fn a_row_without_a_json_form_is_a_state_of_its_own() {
    let (lab, definitions) = lab();
    let shown = lab.with(&definitions, "keys get T:2").run().expect(3).stdout;
    for says in ["no JSON form: column `available`: a zero date", "NULLIF(", "'0000-00-00'"] {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    assert!(!shown.contains("orphan"), "{shown}");
    let json = lab.with(&definitions, "keys get T:2 -o json").run().expect(3).json();
    assert_eq!(json["state"], "no_json_form", "{json:#}");
    lab.with(&definitions, "keys get T:1").run().expect(0);
}

#[test]
fn a_row_without_a_json_form_is_no_orphan_and_is_not_pruned() {
    let (lab, definitions) = lab();
    let looked = lab.with(&definitions, "dry-run -o json --orphans").run().expect(3);
    assert_eq!(looked.strategy("own/things")["orphans"], 0);
    for command in ["warmup all --prune --yes", "warmup all --changed"] {
        let run = lab.with(&definitions, command).run().expect(3);
        assert!(run.stdout.contains("NULLIF("), "{}", run.stdout);
        assert_eq!(lab.keys(), ["T:1", "T:2"], "{command}");
    }
}
