//! Which file of `src` imports which, read off the syntax trees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// A module's path in the crate: `["application", "lock"]`.
type Module = Vec<String>;

/// The files of `src`, each by its path there, and the files that it imports.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

pub fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files below `src` but those of tests: path and text.
pub fn sources() -> BTreeMap<String, String> {
    let mut files = rust_files(&src());
    let tests: Vec<String> = files.iter().flat_map(|(file, text)| test_files(file, text)).collect();
    files.retain(|file, _| !tests.contains(file));
    files
}

/// The files that a file declares for tests alone.
fn test_files(file: &str, text: &str) -> Vec<String> {
    let stem = file.strip_suffix("/mod.rs").unwrap_or(file.trim_end_matches(".rs"));
    let items = syn::parse_file(text).expect("Rust").items.into_iter();
    let declared = items.filter_map(|item| match item {
        syn::Item::Mod(item) if item.content.is_none() && is_test(&item.attrs) => Some(item.ident),
        _ => None,
    });
    declared.map(|name| format!("{stem}/{name}.rs")).collect()
}

/// All Rust files below a folder: path there and text.
pub fn rust_files(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("below it");
                let text = fs::read_to_string(&path).expect("text");
                found.insert(name.display().to_string(), text);
            }
        }
    }
    found
}

/// Tests are no part of the structure.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    let test = |attribute: &syn::Attribute| {
        let tokens = attribute.meta.require_list().map(|list| list.tokens.to_string());
        attribute.path().is_ident("cfg") && tokens.is_ok_and(|tokens| tokens == "test")
    };
    attributes.iter().any(test)
}

fn module(file: &str) -> Module {
    let file = file.trim_end_matches(".rs");
    let file = file.strip_suffix("/mod").unwrap_or(file);
    match file {
        "lib" | "main" => Module::new(),
        file => file.split('/').map(str::to_owned).collect(),
    }
}

pub fn imports() -> Imports {
    let sources = sources();
    let files: BTreeMap<Module, &String> =
        sources.keys().filter(|file| *file != "main.rs").map(|file| (module(file), file)).collect();
    let mut imports = Imports::new();
    for (file, text) in &sources {
        let tree = syn::parse_file(text).expect("Rust");
        let mut reading = Reading { here: module(file), paths: Vec::new() };
        reading.visit_file(&tree);
        let targets = reading.paths.iter().filter_map(|path| {
            let mut prefixes = (1..=path.len()).rev().map(|n| &path[..n]);
            prefixes.find_map(|prefix| files.get(prefix))
        });
        let targets = targets.filter(|target| **target != file).map(|target| (*target).clone());
        imports.insert(file.clone(), targets.collect());
    }
    imports
}

/// Collects the paths in a file that may lead to another one.
struct Reading {
    here: Module,
    paths: Vec<Module>,
}

impl Reading {
    fn add(&mut self, path: &[String]) {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match path.first().map(String::as_str) {
            Some("crate") => (&self.here[..0], &path[1..]),
            Some("self") => (&self.here[..], &path[1..]),
            Some("super") => (&self.here[..self.here.len() - supers], &path[supers..]),
            // A child module, or another crate's, which leads to no file.
            _ => (&self.here[..], path),
        };
        self.paths.push([base, rest].concat());
    }

    fn add_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, before));
            }
        }
    }
}

impl<'a> Visit<'a> for Reading {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_test(&item.attrs) && item.content.is_some() {
            self.here.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.here.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.add_tree(&item.tree, &[]);
        }
    }

    /// The body of a macro is tokens: paths in it begin with `$crate`.
    fn visit_item_macro(&mut self, item: &'a syn::ItemMacro) {
        let tokens = item.mac.tokens.to_string().replace(' ', "");
        for path in tokens.split("$crate::").skip(1) {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let parts = path.split("::").map_while(|part| {
                let name: String = part.chars().take_while(|c| is_name(*c)).collect();
                (!name.is_empty()).then_some((name.len() == part.len(), name))
            });
            let mut found = vec!["crate".to_owned()];
            for (is_whole, name) in parts {
                found.push(name);
                if !is_whole {
                    break;
                }
            }
            self.add(&found);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.segments.len() > 1 {
            let parts: Module = path.segments.iter().map(|part| part.ident.to_string()).collect();
            self.add(&parts);
        }
        visit::visit_path(self, path);
    }
}

/// The groups of files that import each other, directly or through others.
pub fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reachable(imports, file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, reached) in &reach {
        if reached.contains(*file) {
            let both = reached.iter().filter(|other| reach[**other].contains(*file));
            circles.insert(both.map(|other| (*other).clone()).collect());
        }
    }
    circles.into_iter().collect()
}

fn reachable<'i>(imports: &'i Imports, from: &str) -> BTreeSet<&'i String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = imports[from].iter().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(&imports[file]);
        }
    }
    reached
}
