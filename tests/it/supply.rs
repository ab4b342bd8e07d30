//! What is built in: licences, sources, what is never used, and a reason for each direct dependency.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn toml(name: &str) -> toml::Value {
    toml::from_str(&read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// All packages that can be built in, on any system and with any feature, as cargo knows them.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--format-version=1"]);
    // Packages for other systems need not be on this one.
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu", "--all-features"]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata");
    metadata["packages"].as_array().expect("packages").clone()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn is_ours(package: &Value) -> bool {
    text(package, "name") == "shopwarm"
}

fn names(list: &toml::Value, field: &str) -> BTreeSet<String> {
    let list = list.as_array().expect("a list").iter();
    let name = |entry: &toml::Value| match entry {
        toml::Value::String(name) => name.clone(),
        table => table[field].as_str().expect("a name").to_owned(),
    };
    list.map(name).collect()
}

/// Whether an SPDX expression can be met with these licences alone. Slashes are the older OR.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let words = words.join(" ");
    // In the trees of these packages AND binds the groups, and OR stands within them.
    words.split(" AND ").all(|group| group.split(" OR ").any(|licence| allowed.contains(licence)))
}

#[test]
fn every_licence_and_source_is_allowed() {
    let rules = toml("deny.toml");
    let allowed = names(&rules["licenses"]["allow"], "");
    let index = "registry+https://github.com/rust-lang/crates.io-index";
    let packages = packages();
    assert!(packages.len() > 100);
    let mut used = BTreeSet::new();
    for package in packages.iter().filter(|package| !is_ours(package)) {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(is_met(licence, &allowed), "{name}: {licence}");
        assert_eq!(text(package, "source"), index, "{name}");
        used.extend(allowed.iter().filter(|allowed| licence.contains(*allowed)));
    }
    assert_eq!(used.len(), allowed.len(), "a licence in deny.toml that nothing has");
    assert!(!is_met("GPL-3.0", &allowed) && !is_met("MIT AND GPL-3.0", &allowed));
}

#[test]
fn nothing_banned_is_locked_and_nothing_is_there_twice_without_a_reason() {
    let rules = toml("deny.toml");
    let banned = names(&rules["bans"]["deny"], "name");
    let skipped = names(&rules["bans"]["skip"], "crate");
    let lock = toml("Cargo.lock");
    let locked: Vec<(String, String)> = lock["package"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let field = |name: &str| package[name].as_str().expect("text").to_owned();
            (field("name"), field("version"))
        })
        .collect();
    let built: BTreeSet<(String, String)> = packages()
        .iter()
        .map(|package| (text(package, "name").to_owned(), text(package, "version").to_owned()))
        .collect();
    for (name, version) in &locked {
        assert!(!banned.contains(name), "{name} {version}");
    }
    let is_skipped = |(name, version): &(String, String)| {
        skipped.iter().any(|skip| {
            let (of, from) = skip.split_once('@').expect("NAME@VERSION");
            of == name && format!("{version}.").starts_with(&format!("{from}."))
        })
    };
    let mut single = BTreeSet::new();
    for package in built.iter().filter(|package| !is_skipped(package)) {
        assert!(single.insert(&package.0), "{} is there twice", package.0);
    }
    for skip in &skipped {
        let (of, _) = skip.split_once('@').expect("NAME@VERSION");
        assert!(single.contains(&of.to_owned()), "{skip} in deny.toml skips nothing");
    }
}

#[test]
fn each_direct_dependency_has_its_reason() {
    let packages = packages();
    let ours = packages.iter().find(|package| is_ours(package)).expect("this crate");
    let dependencies = ours["dependencies"].as_array().expect("a list");
    let named: BTreeSet<&str> = dependencies.iter().map(|of| text(of, "name")).collect();
    let document = read("docs/dependencies.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| "));
    let mut explained = BTreeSet::new();
    for row in rows.filter(|row| !row.starts_with("crate |")) {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
        assert!(explained.insert(cells[0]), "{row} is there twice");
    }
    assert_eq!(named, explained);
    for of in dependencies {
        assert!(text(of, "req").starts_with('^'), "{of:#}");
        assert!(of["path"].is_null(), "{of:#}");
    }
}

#[test]
fn no_unsafe_code_and_the_compiler_is_named() {
    let manifest = toml("Cargo.toml");
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    assert!(manifest["package"]["rust-version"].is_str());
    // A patch would build something else than its name says.
    assert!(manifest.get("patch").is_none() && manifest.get("replace").is_none());
}
