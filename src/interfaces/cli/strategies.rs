//! `shopwarm strategies`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::target::Target;
use crate::config::Config;
use crate::contexts::definitions::{Definitions, Merged};
use crate::domain::database::Sql;
use crate::domain::failure::Failure;
use crate::domain::key::visible;
use crate::domain::selection::Variants;
use crate::domain::strategy::StrategyId;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::interfaces::report::document::{plain, to_value};
use crate::interfaces::report::grid::Tone;
use crate::interfaces::report::table::Table;
use crate::setup;

pub(super) fn run(target: &Target, config: &Config, output: &Output) -> Result<Exit, Failure> {
    let definitions = config.definitions()?;
    let mut all: Vec<(StrategyId, &Merged)> = definitions.merged().collect();
    let selection = target.selection()?;
    selection.check(all.iter().map(|(id, _)| (id, Variants::NotKnown)))?;
    let selection = selection.families();
    all.retain(|(id, _)| selection.names(id));
    all.sort_by_key(|(id, merged)| (std::cmp::Reverse(merged.priority()), id.clone()));
    let databases = &setup::databases(config);
    let checked = definitions.checked(databases, &config.vars()).into_iter();
    let read = checked.filter(|definition| definition.sql != Sql::default());
    let gaps: BTreeMap<StrategyId, Option<Arc<str>>> =
        read.map(|definition| (definition.spec.id.family(), definition.gap())).collect();
    let rows = all.iter().map(|strategy| Line {
        id: &strategy.0,
        merged: strategy.1,
        fields: strategy.1.shown(),
        protected: gaps.get(&strategy.0).is_some_and(Option::is_none),
    });
    let mut document = table(&definitions, config).document(rows, None);
    document.json = json!({ "schema_version": 1, "strategies": document.lines });
    if output.verbose {
        document.footer = all.iter().map(|(id, merged)| details(id, merged)).collect();
    }
    // Report invalid definitions even if the reader closes the pipe.
    output.result(&document.render(output.format, output.width()));
    definitions.check_vars(&config.vars())?;
    definitions.validate(databases, &config.vars())?;
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (id, _) in all.iter().filter(|(_, merged)| !merged.is_known_unprotected()) {
        if let Some(Some(why)) = gaps.get(id) {
            reasons.entry(why).or_default().push(id.to_string());
        }
    }
    if output.format != Format::Table {
        return Ok(Exit::Success);
    }
    for (why, ids) in reasons {
        let ids = ids.join(", ");
        output.note(&format!("not protected against changes during a run: {ids} ({why})"));
    }
    if !output.verbose {
        output.note("-v shows every field and where it came from");
    }
    Ok(Exit::Success)
}

/// A strategy's definition.
struct Line<'a> {
    id: &'a StrategyId,
    merged: &'a Merged,
    fields: Map<String, Value>,
    protected: bool,
}

impl Line<'_> {
    fn field(&self, name: &str) -> Option<Value> {
        self.fields.get(name).cloned()
    }

    fn text(&self, name: &str) -> String {
        self.field(name).as_ref().map_or_else(String::new, plain)
    }

    fn name(&self) -> String {
        let mark = if self.merged.is_enabled() { "" } else { " (disabled)" };
        format!("{}{mark}", self.id)
    }

    fn value(&self) -> String {
        match self.text("value") {
            none if none.is_empty() => "built-in".to_owned(),
            value => value,
        }
    }

    /// The origin of its fields.
    fn origins(&self) -> String {
        let origins: BTreeSet<String> =
            self.merged.origins.values().map(ToString::to_string).collect();
        origins.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn fields(&self) -> Map<String, Value> {
        let field = |(name, value): (&String, &Value)| {
            let origin = self.merged.origins.get(name).map(ToString::to_string);
            (name.clone(), json!({ "value": value, "from": origin }))
        };
        self.fields.iter().map(field).collect()
    }
}

fn table<'a>(definitions: &'a Definitions, config: &'a Config) -> Table<'a, Line<'a>> {
    Table::new()
        .tone(|line: &Line<'_>| if line.merged.is_enabled() { Tone::Plain } else { Tone::Bad })
        .text("strategy", 0, Line::name)
        .field("id", |line| line.id.to_string())
        .field("context", |line| line.id.context.clone())
        .field("name", |line| line.id.name.clone())
        .field("enabled", |line| line.merged.is_enabled())
        .number("priority", 1, |line| line.text("priority"))
        .field("priority", |line| line.merged.priority())
        .text("ttl", 1, |line| match line.text("ttl") {
            none if none.is_empty() => format!("{} (default)", config.run.default_ttl()),
            ttl => ttl,
        })
        .field("ttl", |line| line.field("ttl"))
        .text("value", 2, Line::value)
        .field("value", |line| line.field("value"))
        .text("key", 0, |line| format!("{}{}", config.prefix, line.text("key")))
        .field("key", |line| line.field("key"))
        .text("tags", 3, |line| line.text("tags"))
        .field("tags", |line| line.field("tags"))
        .text("protected", 3, |line| if line.protected { "yes" } else { "no" }.to_owned())
        .json("protected", |line| line.protected)
        .text("from", 2, Line::origins)
        .json("owns", |line| to_value(&definitions.owns(&line.id.context).entries()))
        .json("fields", Line::fields)
}

fn details(id: &StrategyId, merged: &Merged) -> String {
    let mut text = format!("\n{id}\n");
    for (name, value) in merged.shown() {
        let origin = merged.origins.get(&name).map(ToString::to_string).unwrap_or_default();
        let value = visible(plain(&value).trim().replace('\n', "\n      "));
        let gap = if value.contains('\n') { "\n      " } else { " " };
        text.push_str(&format!("  {name:12} [{origin}]{gap}{value}\n"));
    }
    text
}
