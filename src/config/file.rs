//! `shopwarm.toml`.

use std::path::{Path, PathBuf};

use serde::de::{Deserialize as _, Deserializer, Error as _};

use super::connection::ConnectionSettings;
use super::schedule::{Jobs, ScheduleSettings};
use super::secret::Secret;
use super::serve::ServeSettings;
use crate::application::settings::group::groups;
use crate::application::settings::{RunSettings, Settings};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::settings_text::parse_toml;

groups! {
    /// All settings of the file.
    pub struct FileSettings {
        connection: ConnectionSettings,
        run: RunSettings,
        serve: ServeSettings,
        schedule: ScheduleSettings,
        tables: Tables,
    }
}

#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub schedule: Jobs,
}

impl Settings for Tables {
    fn names() -> Vec<&'static str> {
        vec!["schedule"]
    }

    fn read<'de, D: Deserializer<'de>>(&mut self, name: &str, from: D) -> Result<(), D::Error> {
        if !Self::names().contains(&name) {
            return Err(D::Error::custom(name));
        }
        self.schedule = Jobs::deserialize(from)?;
        Ok(())
    }
}

impl FileSettings {
    /// # Errors
    /// It cannot be read or is not valid.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("cannot read {}", path.display());
            Failure::new(FailureKind::Config, what, error.to_string())
        })?;
        let settings: Self = parse_toml(&text, &path.display().to_string())?;
        Ok(settings.relative_to(path))
    }

    /// The connections of a file that is otherwise not valid, as far as they can be read.
    pub fn salvage(path: &Path) -> Self {
        let mut settings = Self::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for (name, value) in toml::from_str::<toml::Table>(&text).unwrap_or_default() {
            // The error has been reported.
            let _ = settings.connection.read(&name, value);
        }
        settings.relative_to(path)
    }

    /// Paths are relative to the file.
    fn relative_to(mut self, file: &Path) -> Self {
        let folder = file.parent().unwrap_or(Path::new(""));
        let connection = &mut self.connection;
        let single = [
            &mut connection.database_url_file,
            &mut connection.primary_url_file,
            &mut connection.cache_url_file,
            &mut connection.cache_ca,
            &mut connection.cache_cert,
            &mut connection.cache_key,
            &mut self.serve.token_file,
        ];
        let contexts = connection.contexts.iter_mut().flatten();
        let all: Vec<&mut PathBuf> = single.into_iter().flatten().chain(contexts).collect();
        for path in all {
            *path = folder.join(&*path);
        }
        self
    }

    /// Whether it contains a password.
    pub fn is_secret(&self) -> bool {
        let connection = &self.connection;
        let urls = [
            &connection.database_url,
            &connection.primary_url,
            &connection.cache_url,
        ];
        urls.into_iter().flatten().any(Secret::holds_password)
    }
}

/// Settings of the file.
#[cfg(test)]
pub fn file_names() -> Vec<&'static str> {
    FileSettings::names()
}
