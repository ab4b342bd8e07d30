//! `shopwarm.toml`.

use std::path::{Path, PathBuf};

use serde::de::{Deserialize as _, Deserializer, Error as _};
use toml::de::{DeTable, ValueDeserializer};

use super::connection::ConnectionSettings;
use super::schedule::{Jobs, ScheduleSettings};
use super::secret::Secret;
use super::serve::ServeSettings;
use super::variables;
use crate::application::settings::group::groups;
use crate::application::settings::{RunSettings, Settings};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::settings_text::{invalid, line_of};

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
pub(super) struct Tables {
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

/// The file as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub settings: FileSettings,
    /// It contains a password, not only the name of a variable with one.
    pub is_secret: bool,
    /// Values in `[vars]` come from environment variables.
    pub fills_vars: bool,
}

impl File {
    /// # Errors
    /// It cannot be read or is not valid.
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("cannot read {}", path.display());
            Failure::new(FailureKind::Config, what, error.to_string())
        })?;
        let shown = path.display().to_string();
        let mut table = DeTable::parse(&text).map_err(|error| invalid(&text, &shown, &error))?;
        let is_secret = is_secret(table.get_ref());
        let fills_vars = fills_vars(table.get_ref());
        variables::fill(table.get_mut()).map_err(|(place, why)| {
            let line = line_of(&text, place.start);
            Failure::new(FailureKind::Config, format!("{shown}, line {line}"), why)
        })?;
        let settings = FileSettings::deserialize(toml::Deserializer::from(table));
        let settings = settings.map_err(|error| invalid(&text, &shown, &error))?;
        Ok(Self { settings: settings.relative_to(path), is_secret, fills_vars })
    }

    /// The connections of a file that is otherwise not valid, as far as they can be read.
    pub(crate) fn salvage(path: &Path) -> Self {
        let mut settings = FileSettings::default();
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut is_secret = false;
        if let Ok(table) = DeTable::parse(&text) {
            is_secret = self::is_secret(table.get_ref());
            for (name, mut value) in table.into_inner() {
                // The errors have been reported.
                if variables::fill_value(&mut value).is_ok() {
                    let value = ValueDeserializer::from(value);
                    let _ = settings.connection.read(name.get_ref(), value);
                }
            }
        }
        Self { settings: settings.relative_to(path), is_secret, fills_vars: false }
    }
}

/// Whether a URL in the file has a password.
fn is_secret(table: &DeTable<'_>) -> bool {
    let urls = ["database_url", "primary_url", "cache_url"];
    let said = urls.iter().filter_map(|name| table.get(*name)?.get_ref().as_str());
    said.map(variables::without).any(|url| Secret::new(url).holds_password())
}

/// Whether a value of `[vars]` is filled in.
fn fills_vars(table: &DeTable<'_>) -> bool {
    let vars = table.get("vars").and_then(|vars| vars.get_ref().as_table());
    let mut values = vars.into_iter().flatten();
    values.any(|(_, value)| value.get_ref().as_str().is_some_and(|text| text.contains("${")))
}

impl FileSettings {
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
}

/// Settings of the file.
#[cfg(test)]
pub fn file_names() -> Vec<&'static str> {
    FileSettings::names()
}
