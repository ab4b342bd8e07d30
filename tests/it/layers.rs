//! Imports point inward only; the rule is the crate's own documentation.

use std::path::Path;

use crate::support::imports::{imports, rust_files, sources};

/// Who may name whom. A layer may always name itself.
const MAY_NAME: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("application", &["domain"]),
    ("contexts", &["application", "domain"]),
    ("infrastructure", &["application", "domain"]),
    ("config", &["application", "contexts", "domain"]),
    ("setup", &["infrastructure", "contexts", "config", "application", "domain"]),
    ("interfaces", &["setup", "config", "contexts", "application", "domain"]),
];

/// The layer of a file: its folder, or its own name.
fn layer(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.trim_end_matches(".rs")
}

#[test]
fn imports_point_inward() {
    let mut wrong = Vec::new();
    for (file, imported) in imports() {
        let layer_of_file = layer(&file);
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == layer_of_file) else {
            assert!(["main", "lib"].contains(&layer_of_file), "{file} is in no layer");
            continue;
        };
        for other in imported {
            let layer_of_other = layer(&other);
            let is_inward = layer_of_other == layer_of_file || allowed.contains(&layer_of_other);
            let is_neighbour =
                context(&file).is_some_and(|own| context(&other).is_some_and(|of| own != of));
            if !is_inward || is_neighbour {
                wrong.push(format!("{file} imports {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The bounded context that a file belongs to: they do not know each other.
fn context(file: &str) -> Option<&str> {
    let (context, _) = file.strip_prefix("contexts/")?.split_once('/')?;
    ["catalog", "ordering", "identity"].contains(&context).then_some(context)
}

#[test]
fn only_one_file_prints() {
    for (file, text) in sources() {
        let prints =
            ["println!", "print!(", "eprint!", "io::stdout()", "io::stderr()", "anstream::std"];
        let found = prints.iter().find(|word| text.contains(*word));
        let may = ["interfaces/output.rs", "main.rs"].contains(&file.as_str());
        assert!(found.is_none() || may, "{file} has {found:?}");
    }
}

/// What tests share is in `support`; a test file may be read, moved and deleted alone.
#[test]
fn tests_import_no_other_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).expect("main.rs");
    let modules: Vec<&str> = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .filter(|module| *module != "support")
        .collect();
    let mut wrong = Vec::new();
    for (file, text) in rust_files(&folder) {
        for module in &modules {
            let [item, whole] = ["::", ";"].map(|end| ["crate::", module, end].concat());
            if text.contains(&item) || text.contains(&whole) {
                wrong.push(format!("{file} imports {module}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
