//! What a definition must say to store values as those are that the cache already has.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::coding::{Compression, Format};
use super::form::Form;
use super::sniff::{Content, Packing, Sniffed, sniff};

/// One thing in which stored values differ from ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advice {
    /// `are PHP-serialized; this definition writes JSON`, about the values.
    pub what: String,
    /// What to do, as a line of the definition where one does it.
    pub todo: String,
}

/// In what a stored value differs from what would be stored; `ours`: what that means.
pub fn advice(stored: &[u8], ours: Option<&Json>, form: Form) -> Vec<Advice> {
    let Sniffed { packing, content } = sniff(stored);
    let mut all: Vec<Advice> = about_packing(packing, form).into_iter().collect();
    match content {
        Content::Foreign(name) => all.push(Advice {
            what: format!(
                "are {name}; this definition writes {}",
                form.coding.format.name()
            ),
            todo: "shopwarm does not write that; use JSON, PHP's serialize or MessagePack in the application"
                .to_owned(),
        }),
        Content::Known(format, value) => {
            let is_scalar = !value.is_object() && !value.is_array();
            if format != form.coding.format && !(is_scalar && form.is_bytes()) {
                all.push(about_format(format, form.coding.format));
            }
            all.extend(ours.into_iter().flat_map(|ours| about_values(&value, ours)));
        }
        Content::Text if form.coding.format != Format::Json => {
            all.push(about_format(Format::Json, form.coding.format));
        }
        Content::Text | Content::Unknown => {}
    }
    all
}

fn about_format(there: Format, here: Format) -> Advice {
    let (what, line) = match there {
        Format::Json => ("JSON or text", "leave out `format`"),
        Format::Php => ("PHP-serialized", "add format = \"php\""),
        Format::Msgpack => ("MessagePack", "add format = \"msgpack\""),
    };
    Advice {
        what: format!("are {what}; this definition writes {}", here.name()),
        todo: line.to_owned(),
    }
}

fn about_packing(packing: Packing, form: Form) -> Option<Advice> {
    let here = form.coding.compression;
    let (what, todo) = match packing {
        Packing::Foreign(name) => {
            (format!("are compressed with {name}"), "shopwarm writes gzip, zstd and lz4".to_owned())
        }
        Packing::Known(there) if there == here => return None,
        // Short ones are not compressed then.
        Packing::Known(Compression::None) if form.coding.compress_from > 0 => return None,
        Packing::Known(Compression::None) => (
            "are not compressed; this definition compresses".to_owned(),
            "leave out `compress`".to_owned(),
        ),
        Packing::Known(there) => (
            format!("are compressed with {0}", there.name()),
            format!("add compress = \"{}\"", there.name()),
        ),
    };
    Some(Advice { what, todo })
}

/// Names under which envelopes keep the value.
const ENVELOPES: [&str; 5] = ["value", "data", "v", "payload", "item"];

fn about_values(stored: &Json, ours: &Json) -> Vec<Advice> {
    if let (Json::Object(stored), false) = (stored, is_alike(stored, ours)) {
        let inside = ENVELOPES.iter().find(|name| {
            let inside = stored.get(**name);
            inside.is_some_and(|inside| is_alike(inside, ours))
        });
        if let Some(name) = inside {
            return vec![Advice {
                what: format!("are in an envelope, at `{name}`"),
                todo: format!("build the envelope in the query, with the row under `{name}`"),
            }];
        }
    }
    let mut seen = Seen::default();
    seen.compare("", stored, ours);
    seen.advice()
}

/// Whether both are lists, or objects that share most of their names.
fn is_alike(stored: &Json, ours: &Json) -> bool {
    match (stored, ours) {
        (Json::Array(_), Json::Array(_)) => true,
        (Json::Object(stored), Json::Object(ours)) => {
            let shared = ours.keys().filter(|name| stored.contains_key(*name)).count();
            2 * shared >= ours.len()
        }
        _ => false,
    }
}

/// The fields in which values of the same name are written in another way.
#[derive(Default)]
struct Seen {
    /// Numbers here, texts of numbers there.
    as_texts: BTreeSet<String>,
    as_numbers: bool,
    sql_dates: bool,
    unix_dates: bool,
    class: Option<String>,
}

impl Seen {
    fn compare(&mut self, name: &str, stored: &Json, ours: &Json) {
        match (stored, ours) {
            (Json::Object(stored), Json::Object(ours)) => self.compare_objects(stored, ours),
            (Json::Array(stored), Json::Array(ours)) => {
                if let (Some(stored), Some(ours)) = (stored.first(), ours.first()) {
                    self.compare(name, stored, ours);
                }
            }
            (Json::String(text), Json::Number(_)) if text.parse::<f64>().is_ok() => {
                self.as_texts.insert(name.to_owned());
            }
            (Json::Number(_), Json::Number(_)) => self.as_numbers = true,
            (Json::String(there), Json::String(here)) if is_iso(here) => {
                self.sql_dates |= there.get(10..11) == Some(" ") && there.len() >= 19;
            }
            (Json::Number(_), Json::String(here)) if is_iso(here) => self.unix_dates = true,
            _ => {}
        }
    }

    fn compare_objects(&mut self, stored: &Map<String, Json>, ours: &Map<String, Json>) {
        for (name, ours) in ours {
            if let Some(stored) = stored.get(name) {
                self.compare(name, stored, ours);
            }
        }
        if let (Some(Json::String(class)), None) = (stored.get("@class"), ours.get("@class")) {
            self.class = Some(class.clone());
        }
    }

    fn advice(self) -> Vec<Advice> {
        let advice = |what: String, todo: String| Advice { what, todo };
        let mut all = Vec::new();
        if !self.as_texts.is_empty() {
            let names: Vec<&str> = self.as_texts.iter().map(String::as_str).collect();
            let types = names.iter().map(|name| format!("{name} = \"string\""));
            let line = match self.as_numbers {
                true => format!("add types = {{ {} }}", types.collect::<Vec<_>>().join(", ")),
                false => "add numbers = \"string\"".to_owned(),
            };
            all.push(advice(format!("have numbers as strings ({})", names.join(", ")), line));
        }
        if self.sql_dates {
            let what = "have dates as SQL prints them".to_owned();
            all.push(advice(what, "add dates = \"sql\"".to_owned()));
        }
        if self.unix_dates {
            let what = "have dates as seconds since 1970".to_owned();
            all.push(advice(what, "add dates = \"unix\"".to_owned()));
        }
        if let Some(class) = self.class {
            let what = "name their class in `@class`".to_owned();
            let class = Json::from(class);
            all.push(advice(what, format!("add fields = {{ \"@class\" = {class} }}")));
        }
        all
    }
}

/// A date and a time in ISO 8601.
fn is_iso(text: &str) -> bool {
    text.get(10..11) == Some("T")
        && text.len() >= 19
        && text.starts_with(|c: char| c.is_ascii_digit())
}

/// Fields whose values are documents in strings, in all of these objects (or lists of them).
pub fn documents_in_strings<'a>(values: impl Iterator<Item = &'a Json>) -> Vec<String> {
    let (mut found, mut others) = (BTreeSet::new(), BTreeSet::new());
    for value in values {
        let objects = match value {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for (name, value) in objects.iter().filter_map(Json::as_object).flatten() {
            match value {
                Json::Null => {}
                Json::String(text) if is_document(text) => _ = found.insert(name.clone()),
                _ => _ = others.insert(name.clone()),
            }
        }
    }
    found.difference(&others).cloned().collect()
}

fn is_document(text: &str) -> bool {
    let value = text.trim_start().starts_with(['{', '[']);
    value && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::strategy::Shape;

    fn todo(stored: &[u8], ours: &Json) -> Vec<String> {
        let all = advice(stored, Some(ours), Shape::Object.into()).into_iter();
        all.map(|advice| advice.todo).collect()
    }

    #[test]
    fn what_differs_is_a_line_to_add() {
        let ours = json!({"id": 1, "price": 1.5, "at": "2026-01-02T12:00:00", "name": "1"});
        for (stored, expected) in [
            (r#"{"id":1,"price":2,"at":"2026-01-02T12:00:00","name":"a"}"#, &[][..]),
            ("a:1:{s:2:\"id\";i:1;}", &["add format = \"php\""]),
            (
                r#"{"id":"1","price":"2.00","at":"2026-01-02 12:00:00","name":"2"}"#,
                &["add numbers = \"string\"", "add dates = \"sql\""],
            ),
            (
                r#"{"id":1,"price":"2.00","at":1767355200}"#,
                &["add types = { price = \"string\" }", "add dates = \"unix\""],
            ),
            (r#"{"@class":"shop.P","id":1}"#, &["add fields = { \"@class\" = \"shop.P\" }"]),
            (
                r#"{"value":{"id":1,"price":2,"name":""},"expires":1}"#,
                &["build the envelope in the query, with the row under `value`"],
            ),
        ] {
            assert_eq!(todo(stored.as_bytes(), &ours), expected, "{stored}");
        }
        let pickle = todo(b"\x80\x04}\x94.", &ours);
        assert!(pickle[0].starts_with("shopwarm does not write that"));
    }

    #[test]
    fn documents_in_strings_are_found_if_all_are() {
        let values = [
            json!({"a": "[1]", "b": "{}", "c": "[", "d": "1", "e": null}),
            json!([{"a": "{\"x\": 1}", "b": "no", "e": "[]"}]),
        ];
        assert_eq!(documents_in_strings(values.iter()), ["a", "e"]);
    }
}
