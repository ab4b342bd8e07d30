//! What the documentation names as its proof is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The tests that a table names in its last column: `module::test`, or the test alone.
fn named(page: &str) -> impl Iterator<Item = &str> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let proofs = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit('|').next());
    let code = proofs.flat_map(|proof| proof.split('`').skip(1).step_by(2));
    // A name of a test is a sentence.
    code.filter(|name| name.matches('_').count() > 2 && !name.contains(['/', '.', ' ']))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn every_test_that_the_documentation_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests/it"] {
        sources(&root.join(folder), &mut files);
    }
    let is_test = |name: &str| {
        let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
        let declared = format!("fn {test}()");
        files.iter().any(|file| {
            let is_there = module.is_empty() || file.ends_with(format!("tests/it/{module}.rs"));
            is_there && fs::read_to_string(file).is_ok_and(|text| text.contains(&declared))
        })
    };
    let (mut missing, mut found) = (BTreeSet::new(), 0);
    for page in fs::read_dir(root.join("docs")).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        for name in named(&fs::read_to_string(&page).unwrap()) {
            match is_test(name) {
                true => found += 1,
                false => drop(missing.insert(format!("{}: {name}", page.display()))),
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(found > 100, "only {found} tests are named");
}
