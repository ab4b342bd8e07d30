//! `--demo`: which sample shop, and where it is.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::secret::Secret;

/// What `--demo` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Demo {
    #[value(hide = true, aliases = ["0", "false", "no", "n", "f", "off"])]
    None,
    /// A shop with an empty cache
    #[value(hide = true, aliases = ["1", "true", "yes", "y", "t", "on"])]
    Shop,
    /// A shop whose rows changed after the cache was warmed
    Stale,
    /// A shop with keys that expire soon
    Expiring,
    /// A shop with rows and a query that fail
    Failing,
}

/// A sample shop and its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub demo: Demo,
    pub folder: PathBuf,
}

impl Sample {
    /// `None`: none is wanted. Each shop has its own folder in `dir`.
    pub(super) fn new(demo: Demo, dir: &Path) -> Option<Self> {
        let folder = match demo {
            Demo::None => return None,
            Demo::Shop => dir.to_owned(),
            Demo::Stale => dir.join("stale"),
            Demo::Expiring => dir.join("expiring"),
            Demo::Failing => dir.join("failing"),
        };
        Some(Self { demo, folder })
    }

    /// The URL of its database or cache.
    pub fn url(&self, file: &str) -> Secret {
        let path = self.folder.join(file).display().to_string();
        let path = path.replace('%', "%25").replace('?', "%3F");
        Secret::new(format!("sqlite:{}", path.replace('#', "%23")))
    }
}
