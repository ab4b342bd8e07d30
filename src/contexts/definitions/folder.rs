//! The files of a definitions folder.

use std::path::{Path, PathBuf};

use super::file::unreadable;
use crate::domain::failure::{Failure, FailureKind};

/// Folders in folders are read up to here; deeper ones are a circle of links.
const MAX_DEPTH: usize = 16;

/// What a path to definitions means.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The `.toml` files, by name.
    pub(super) files: Vec<PathBuf>,
    /// Files that may be meant as definitions and are not read.
    pub(super) ignored: Vec<PathBuf>,
}

/// A file, or the files of a folder and its folders. Hidden ones are left out.
pub(super) fn find(path: &Path) -> Result<Found, Failure> {
    let mut found = Found::default();
    if !path.is_dir() {
        found.files.push(path.to_owned());
        return Ok(found);
    }
    search(path, 0, &mut found)?;
    found.files.sort();
    found.ignored.sort();
    if found.files.is_empty() {
        let what = format!("no definitions in {}", path.display());
        let why = "the folder has no .toml file";
        return Err(Failure::new(FailureKind::Config, what, why));
    }
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Found) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        let what = format!("cannot read {}", folder.display());
        let why = format!("it is more than {MAX_DEPTH} folders deep; does a link lead back up?");
        return Err(Failure::new(FailureKind::Config, what, why));
    }
    for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
        let path = entry.map_err(|e| unreadable(folder, &e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let has_ending = |ending: &str| path.extension().is_some_and(|found| found == ending);
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            search(&path, depth + 1, found)?;
        } else if has_ending("toml") {
            found.files.push(path);
        } else if !has_ending("md") && !name.starts_with("README") {
            found.ignored.push(path);
        }
    }
    Ok(())
}
