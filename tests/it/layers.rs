//! Imports point inward only; the rule is the crate's own documentation.

use std::fs;
use std::path::{Path, PathBuf};

/// Who may name whom. A layer may always name itself.
const MAY_NAME: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("application", &["domain"]),
    ("contexts", &["application", "domain"]),
    ("infrastructure", &["application", "domain"]),
    ("config", &["application", "contexts", "domain"]),
    (
        "setup",
        &[
            "infrastructure",
            "contexts",
            "config",
            "application",
            "domain",
        ],
    ),
    (
        "interfaces",
        &["setup", "config", "contexts", "application", "domain"],
    ),
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("src is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The first word of every `crate::...` path in a file.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let paths = text.split("crate::").skip(1);
    paths.map(|path| {
        path.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or("")
    })
}

#[test]
fn imports_point_inward() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in sources(&src) {
        let inside = file.strip_prefix(&src).expect("below src").to_owned();
        let first = inside
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let layer = first.trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == layer) else {
            assert!(
                ["main", "lib"].contains(&layer),
                "{} is in no layer",
                inside.display()
            );
            continue;
        };
        let text = fs::read_to_string(&file).expect("text");
        for name in named(&text).filter(|name| *name != layer && !allowed.contains(name)) {
            wrong.push(format!("{} names crate::{name}", inside.display()));
        }
        for other in ["catalog", "ordering", "identity"] {
            let own = format!("contexts/{other}");
            let text = text.replace("mod ", "");
            if layer == "contexts"
                && inside.components().count() > 2
                && !inside.starts_with(&own)
                && text.contains(&format!("{other}::"))
            {
                wrong.push(format!("{} names the context {other}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_one_file_prints() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&src) {
        let text = fs::read_to_string(&file).expect("text");
        let prints = [
            "println!",
            "print!(",
            "eprint!",
            "io::stdout()",
            "io::stderr()",
            "anstream::std",
        ];
        let found = prints.iter().find(|word| text.contains(*word));
        let may = file.ends_with("interfaces/output.rs") || file.ends_with("main.rs");
        assert!(found.is_none() || may, "{} has {found:?}", file.display());
    }
}
