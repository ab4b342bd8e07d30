//! Definition files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::merged::StrategyPatch;
use super::origin::Origin;
use super::places::places;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::parameter::{Vars, is_parameter_name};
use crate::domain::quantity::Quantity;
use crate::domain::settings_text::parse_toml;
use crate::domain::strategy::{StrategySpec, is_name};
use crate::domain::ttl::shown;
use crate::domain::written::Fields;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) extends: Option<Base>,
    /// Values for its SQL and that of other files.
    #[serde(default)]
    pub(super) vars: Vars,
    pub(super) context: Option<ContextTable>,
    #[serde(default)]
    pub(super) strategies: BTreeMap<String, StrategyPatch>,
    /// Where the fields of each strategy are written.
    #[serde(skip)]
    pub(super) places: BTreeMap<String, Fields>,
}

/// What a file builds on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Base {
    Shipped,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextTable {
    pub(super) name: String,
    pub(super) owns: Option<Vec<String>>,
    pub(super) enabled: Option<bool>,
}

/// A definition file, its names checked.
pub(super) fn parse(text: &str, origin: &Origin) -> Result<File, Failure> {
    let name = origin.to_string();
    let mut file: File = parse_toml(text, &name)?;
    file.places = places(text, &name);
    check_names(&file, origin)?;
    Ok(file)
}

/// What differs from the default.
fn said_in_code<T: Default + PartialEq>(value: T) -> Option<T> {
    Some(value).filter(|value| *value != T::default())
}

/// A registered strategy as a file would define it.
pub(super) fn of_code(spec: &StrategySpec) -> Result<File, Failure> {
    let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let patch = StrategyPatch {
        description: said(&spec.description),
        key: Some(spec.key.to_string()),
        value: Some(spec.value),
        format: said_in_code(spec.coding.format),
        compress: said_in_code(spec.coding.compression),
        compress_from: Quantity::of(spec.coding.compress_from as u64),
        priority: Some(spec.priority),
        ttl: spec.ttl.map(shown),
        tags: Some(spec.tags.clone()).filter(|tags| !tags.is_empty()),
        min_keys: Some(spec.min_keys),
        version_field: spec.version_field.as_deref().map(str::to_owned),
        ..StrategyPatch::default()
    };
    let file = File {
        extends: None,
        vars: Vars::new(),
        context: Some(ContextTable { name: spec.id.context.clone(), owns: None, enabled: None }),
        strategies: BTreeMap::from([(spec.id.name.clone(), patch)]),
        places: BTreeMap::new(),
    };
    check_names(&file, &Origin::Code)?;
    Ok(file)
}

fn check_names(file: &File, origin: &Origin) -> Result<(), Failure> {
    if file.context.is_none() && (file.vars.is_empty() || !file.strategies.is_empty()) {
        let why = "missing [context]: a file with strategies must name their context";
        return Err(Failure::new(FailureKind::Config, origin.to_string(), why)
            .hint("add [context] with name = \"...\""));
    }
    if let Some(name) = file.vars.keys().find(|name| !is_parameter_name(name)) {
        let why = format!("vars: `{name}` cannot be a name: letters, digits and _ only");
        return Err(Failure::new(FailureKind::Config, origin.to_string(), why));
    }
    let context = file.context.iter().map(|context| &context.name);
    for name in file.strategies.keys().chain(context) {
        if !is_name(name) || name == "all" {
            let why = format!(
                "`{name}` cannot be a name: a lower-case letter, then lower-case letters, digits, \
                 - and _; not `all`"
            );
            return Err(Failure::new(FailureKind::Config, origin.to_string(), why));
        }
    }
    Ok(())
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Config, format!("cannot read {}", path.display()), error.to_string())
}
