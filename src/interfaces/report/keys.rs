//! Streams keys in any format, optionally with their state in the cache.

use std::sync::Mutex;

use glob::Pattern;
use serde_json::{Map, Value, json};

use super::document::inert;
use super::key_line::{Line, SHOWN_KEY, is_plain, row};
use crate::application::run_state::event::{Event, Reporter};
use crate::application::run_state::stop::StopSignal;
use crate::domain::key::{printable, shortened};
use crate::domain::report::Stop;
use crate::domain::standing::Class;
use crate::domain::sync::lock;
use crate::interfaces::output::{Format, Stream, stdout_width};

/// Format of a list of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The key alone, one per line.
    Lines,
    /// The raw keys, each followed by a NUL byte.
    Nul,
    /// A table with the state of each key.
    Columns,
    /// The same for other programs: separated by tabs, no heading, the numbers of CSV.
    Tabs,
    Json,
    Ndjson,
    Csv,
    Markdown,
}

impl Form {
    pub(crate) fn of(format: Format) -> Self {
        match format {
            Format::Table => Self::Columns,
            Format::Json => Self::Json,
            Format::Ndjson => Self::Ndjson,
            Format::Csv => Self::Csv,
            Format::Markdown => Self::Markdown,
        }
    }
}

/// Filter for keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub pattern: Option<Pattern>,
    /// The prefix of all keys; the pattern applies to the rest.
    pub prefix: String,
    /// Only these classes; empty: all.
    pub classes: Vec<Class>,
    /// Include orphans.
    pub orphans: bool,
    /// A report follows, so each line states its type.
    pub before_report: bool,
}

/// Columns of the line below the headings where there is no terminal.
const UNBOUNDED_RULE: usize = 80;

pub(crate) struct KeyWriter {
    form: Form,
    /// Include the state in the cache.
    cached: bool,
    wanted: Wanted,
    stop: StopSignal,
    /// Of the terminal, for columns.
    width: Option<usize>,
    written: Mutex<Written>,
}

struct Written {
    out: Stream,
    keys: u64,
    /// Number of escaped or shortened keys.
    altered: u64,
}

impl KeyWriter {
    /// Stops the run when the reader has gone.
    pub(crate) fn new(
        form: Form,
        cached: bool,
        wanted: Wanted,
        out: Stream,
        stop: StopSignal,
    ) -> Self {
        let writer = Self {
            form,
            cached,
            wanted,
            stop,
            width: stdout_width(),
            written: Mutex::new(Written { out, keys: 0, altered: 0 }),
        };
        let head = match form {
            Form::Json => "{\"schema_version\":1,\"keys\":[".to_owned(),
            Form::Csv => format!("{}\n", writer.columns().join(",")),
            Form::Markdown => {
                let columns = writer.columns();
                let rule = vec!["---"; columns.len()];
                format!("| {} |\n| {} |\n", columns.join(" | "), rule.join(" | "))
            }
            Form::Columns if cached => {
                let headings = row(["state", "ttl", "size", "type", "key"], writer.width);
                headings + &"─".repeat(writer.width.unwrap_or(UNBOUNDED_RULE)) + "\n"
            }
            _ => String::new(),
        };
        writer.write(head.as_bytes());
        writer
    }

    /// Ends the list, with more members of a JSON document. Returns how many keys were written, and
    /// how many of them escaped or shortened.
    pub(crate) fn finish(&self, more: &Map<String, Value>) -> (u64, u64) {
        let (keys, altered) = {
            let written = self.written();
            (written.keys, written.altered)
        };
        if self.form == Form::Json {
            let mut end = json!({ "total": keys });
            if let Some(end) = end.as_object_mut() {
                end.extend(more.clone());
            }
            // The members belong to the open document.
            let end = end.to_string();
            self.write(format!("\n],{}\n", &end[1..]).as_bytes());
        }
        self.written().out.flush();
        (keys, altered)
    }

    fn columns(&self) -> &'static [&'static str] {
        const ALL: [&str; 6] = ["strategy", "key", "state", "ttl_seconds", "bytes", "type"];
        if self.cached { &ALL } else { &ALL[..2] }
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        lock(&self.written)
    }

    fn write(&self, bytes: &[u8]) {
        if !self.written().out.write(bytes) {
            self.stop.stop(Stop::Enough);
        }
    }

    fn wants(&self, key: &[u8]) -> bool {
        self.wanted.pattern.as_ref().is_none_or(|pattern| {
            let key = String::from_utf8_lossy(key);
            let bare = key.strip_prefix(&self.wanted.prefix);
            pattern.matches(&key) || bare.is_some_and(|bare| pattern.matches(bare))
        })
    }

    fn write_lines<'a>(&self, lines: impl Iterator<Item = Line<'a>>) {
        let mut text = Vec::new();
        let mut csv = csv::Writer::from_writer(Vec::new());
        let (mut keys, mut altered) = (0, 0);
        let before = self.written().keys;
        for line in lines.filter(|line| self.wants(line.key)) {
            if self.form == Form::Json {
                text.extend_from_slice(if before + keys > 0 { b",\n" } else { b"\n" });
            }
            keys += 1;
            altered += u64::from(self.append(&line, &mut text, &mut csv));
        }
        text.extend(csv.into_inner().unwrap_or_default());
        {
            let mut written = self.written();
            written.keys += keys;
            written.altered += altered;
        }
        self.write(&text);
    }

    /// Appends a key; `true`: escaped or shortened.
    fn append(&self, line: &Line<'_>, text: &mut Vec<u8>, csv: &mut csv::Writer<Vec<u8>>) -> bool {
        let end = match self.form {
            Form::Nul => Some(0),
            Form::Lines if is_plain(line.key) => Some(b'\n'),
            _ => None,
        };
        if let Some(end) = end {
            text.extend_from_slice(line.key);
            text.push(end);
            return false;
        }
        let key = shortened(&printable(line.key), SHOWN_KEY);
        let altered = key.as_bytes() != line.key;
        match self.form {
            Form::Lines | Form::Nul => text.extend_from_slice(format!("{key}\n").as_bytes()),
            Form::Columns if !self.cached => text.extend_from_slice(format!("{key}\n").as_bytes()),
            Form::Columns => text.extend_from_slice(line.columns(&key, self.width).as_bytes()),
            Form::Tabs => {
                let cells: Vec<String> = self.cells(line, &key).collect();
                // The key is the last, as in the table.
                let [strategy, key, state @ ..] = cells.as_slice() else {
                    return altered;
                };
                let row = [state, &[strategy.clone(), key.clone()]].concat();
                text.extend_from_slice((row.join("\t") + "\n").as_bytes());
            }
            Form::Json => text.extend_from_slice(self.object(line).as_bytes()),
            Form::Ndjson => text.extend_from_slice((self.object(line) + "\n").as_bytes()),
            Form::Csv => {
                let written = csv.write_record(self.cells(line, &key));
                debug_assert!(written.is_ok(), "writing to memory");
            }
            Form::Markdown => {
                let cells = self.cells(line, &key).map(|cell| cell.replace('|', "\\|"));
                let cells: Vec<String> = cells.collect();
                text.extend_from_slice(format!("| {} |\n", cells.join(" | ")).as_bytes());
            }
        }
        altered
    }

    /// JSON has its own escapes: only very long keys are shortened.
    fn object(&self, line: &Line<'_>) -> String {
        let key = shortened(&String::from_utf8_lossy(line.key), SHOWN_KEY);
        let mut object = Map::new();
        if self.wanted.before_report {
            object.insert("type".to_owned(), "key".into());
        }
        object.insert("key".to_owned(), key.into());
        object.insert("strategy".to_owned(), line.strategy.to_string().into());
        if self.cached {
            let kind = if self.wanted.before_report { "stored_as" } else { "type" };
            let held = line.held();
            object.insert("state".to_owned(), line.state.replace('-', "_").into());
            object.insert("ttl_seconds".to_owned(), line.ttl_seconds().into());
            object.insert("bytes".to_owned(), held.and_then(|held| held.bytes).into());
            object.insert(kind.to_owned(), held.map(|held| held.kind.name()).into());
        }
        inert(&Value::Object(object).to_string())
    }

    fn cells(&self, line: &Line<'_>, key: &str) -> impl Iterator<Item = String> {
        let held = line.held();
        let number = |n: Option<String>| n.unwrap_or_default();
        let all = [
            line.strategy.to_string(),
            key.to_owned(),
            line.state.to_owned(),
            number(line.ttl_seconds().map(|ttl| ttl.to_string())),
            number(held.and_then(|held| held.bytes).map(|n| n.to_string())),
            held.map_or("", |held| held.kind.name()).to_owned(),
        ];
        all.into_iter().take(self.columns().len())
    }
}

impl Reporter for KeyWriter {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::Inspected { id, batch, inspected } => {
                let classes = &self.wanted.classes;
                let is_wanted = |class: Option<Class>| {
                    classes.is_empty() || class.is_some_and(|class| classes.contains(&class))
                };
                let lines = batch.iter().zip(*inspected);
                let lines = lines.filter(|(_, inspected)| is_wanted(inspected.class));
                self.write_lines(lines.map(|(entry, inspected)| Line {
                    strategy: id,
                    key: entry.key,
                    standing: Some(&inspected.standing),
                    state: inspected.class.map_or("unknown", Class::name),
                }));
            }
            Event::Orphans { id, keys } if self.wanted.orphans => {
                self.write_lines(keys.iter().map(|key| Line {
                    strategy: id,
                    key: key.as_bytes(),
                    standing: None,
                    state: "orphan",
                }));
            }
            _ => {}
        }
    }
}
