//! `shopwarm strategies`.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::contexts::definitions::{Definitions, Merged};
use crate::domain::Dialect;
use crate::domain::failure::Failure;
use crate::domain::strategy::StrategyId;
use crate::interfaces::document::{Document, Row, Tone, number, plain, text};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::setup;

pub(super) fn run(config: &Config, output: &Output) -> Result<Exit, Failure> {
    let definitions = Definitions::load(&config.contexts)?;
    let mut all: Vec<(StrategyId, &Merged)> = definitions.merged().collect();
    all.sort_by_key(|(id, merged)| (std::cmp::Reverse(merged.priority()), id.clone()));
    let dialect = setup::dialect(config);
    let lines: Vec<Value> = all
        .iter()
        .map(|(id, merged)| strategy_json(&definitions, id, merged, dialect))
        .collect();
    let details = if output.verbose {
        all.iter().map(|(id, merged)| details(id, merged)).collect()
    } else {
        String::new()
    };
    let document = Document {
        headings: vec![
            text("strategy", 0),
            number("priority", 1),
            text("ttl", 1),
            text("value", 2),
            text("key", 0),
            text("tags", 3),
            text("protected", 3),
            text("from", 2),
        ],
        rows: all
            .iter()
            .map(|(id, merged)| row(id, merged, dialect))
            .collect(),
        footer: details,
        verdict: None,
        json: json!({ "schema_version": 1, "strategies": lines }),
        lines,
        csv: &[
            "id", "context", "name", "enabled", "priority", "ttl", "value", "key", "tags",
        ],
    };
    // A person may cut the list short; a wrong definition must be seen all the same.
    output.result(&document.render(output.format, output.width()));
    definitions.validate(setup::dialect(config))?;
    let open = all.iter().filter(|(_, merged)| merged.is_enabled());
    let open = open.filter(|(_, merged)| !merged.is_versioned(dialect));
    let open: Vec<String> = open.map(|(id, _)| id.to_string()).collect();
    if output.format == Format::Table && !open.is_empty() {
        output.note(&format!(
            "not protected against changes while they are written, as their queries select no _version: {}",
            open.join(", ")
        ));
    }
    if output.format == Format::Table && !output.verbose {
        output.note("-v shows every field and where it came from");
    }
    Ok(Exit::Success)
}

fn row(id: &StrategyId, merged: &Merged, dialect: Option<Dialect>) -> Row {
    let fields = merged.shown();
    let field = |name: &str| {
        let value = fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value);
        value.map_or_else(String::new, plain)
    };
    let mut origins: Vec<String> = merged.origins.values().map(ToString::to_string).collect();
    origins.sort();
    origins.dedup();
    let (mark, tone) = if merged.is_enabled() {
        ("", Tone::Plain)
    } else {
        (" (disabled)", Tone::Bad)
    };
    let value = field("value");
    Row {
        cells: vec![
            format!("{id}{mark}"),
            field("priority"),
            field("ttl"),
            if value.is_empty() {
                "coded".to_owned()
            } else {
                value
            },
            field("key"),
            field("tags"),
            if merged.is_versioned(dialect) {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
            origins.join(", "),
        ],
        tone,
    }
}

fn details(id: &StrategyId, merged: &Merged) -> String {
    let mut text = format!("\n{id}\n");
    for (name, value) in merged.shown() {
        let origin = merged
            .origins
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default();
        let value = plain(&value).trim().replace('\n', "\n      ");
        let gap = if value.contains('\n') {
            "\n      "
        } else {
            " "
        };
        text.push_str(&format!("  {name:12} [{origin}]{gap}{value}\n"));
    }
    text
}

fn strategy_json(
    definitions: &Definitions,
    id: &StrategyId,
    merged: &Merged,
    dialect: Option<Dialect>,
) -> Value {
    let mut fields = Map::new();
    for (name, value) in merged.shown() {
        let origin = merged.origins.get(name).map(ToString::to_string);
        fields.insert(name.to_owned(), json!({ "value": value, "from": origin }));
    }
    let field = |name: &str| {
        merged
            .shown()
            .into_iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    };
    json!({
        "id": id.to_string(),
        "context": id.context,
        "name": id.name,
        "enabled": merged.is_enabled(),
        "priority": merged.priority(),
        "ttl": field("ttl"),
        "value": field("value"),
        "key": field("key"),
        "tags": field("tags"),
        "protected": merged.is_versioned(dialect),
        "owns": definitions.owns(&id.context),
        "fields": fields,
    })
}
