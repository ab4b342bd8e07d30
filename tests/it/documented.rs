//! What the documentation names as its proof is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// `module::test`, as the documentation writes it.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_name = |name: &str| {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !name.is_empty() && name.chars().all(word)
    };
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once("::"))
        .filter(move |(module, test)| is_name(module) && is_name(test))
}

#[test]
fn every_test_that_the_documentation_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut missing, mut found) = (BTreeSet::new(), 0);
    for page in fs::read_dir(root.join("docs")).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for (module, test) in named(&text) {
            let source = fs::read_to_string(root.join(format!("tests/it/{module}.rs")));
            let source = source.unwrap_or_default();
            let declared = format!("#[test]\nfn {test}()");
            match source.contains(&declared) {
                true => found += 1,
                false => drop(missing.insert(format!("{}: {module}::{test}", page.display()))),
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(found > 60, "only {found} tests are named");
}
