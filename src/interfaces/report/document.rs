//! A result with rows, in any of the five formats.

use console::measure_text_width;
use serde_json::Value;

use super::grid::{self, Heading, Row};
use crate::domain::failure::Failure;
use crate::domain::verdict::{Mark, Verdict};
use crate::interfaces::output::{Format, Output, note, notes, stderr_width};

/// A table, and the same data as JSON.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub headings: Vec<Heading>,
    pub rows: Vec<Row>,
    /// Text after the table and the Markdown.
    pub footer: String,
    /// The last line, of a document about a run.
    pub verdict: Option<Verdict>,
    /// The JSON document.
    pub json: Value,
    /// The same, one line per row.
    pub lines: Vec<Value>,
    /// The fields of `lines` in a CSV row; the table's cells are rounded.
    pub csv: Vec<&'static str>,
}

impl Document {
    /// Prints it, unless it is a table and `--quiet` is set.
    pub(crate) fn show(&self, output: &Output) {
        if !(output.quiet && output.format == Format::Table) {
            output.result(&self.render(output.format, output.width()));
        }
    }

    /// Prints failures and verdict to stderr if stdout has no table.
    pub(crate) fn report_failures<'f>(
        &self,
        output: &Output,
        failures: impl Iterator<Item = &'f Failure>,
    ) {
        if !output.quiet && output.format == Format::Table {
            return;
        }
        let mut told: Vec<&Failure> = Vec::new();
        for failure in failures {
            if !told.contains(&failure) {
                output.failure(failure);
                told.push(failure);
            }
        }
        let is_shown = !output.quiet && output.format == Format::Markdown;
        if let Some(verdict) = self.verdict.as_ref().filter(|v| !v.is_good() && !is_shown) {
            note(&coloured(verdict, stderr_width()));
        }
    }

    /// The text after the table: notes, and the verdict as the last line.
    pub(crate) fn notes(&self) -> String {
        let verdict = self.verdict.as_ref();
        let last = verdict.map_or_else(String::new, |verdict| format!("{verdict}\n"));
        self.footer.clone() + &last
    }

    /// Adds a type to each NDJSON line, and the report as the last line.
    pub(crate) fn with_run_line(mut self) -> Self {
        let typed = |value: &mut Value, name: &str| {
            if let Some(object) = value.as_object_mut() {
                object.shift_insert(0, "type".into(), name.into());
            }
        };
        for line in &mut self.lines {
            typed(line, "strategy");
        }
        let mut whole = self.json.clone();
        if let Some(object) = whole.as_object_mut() {
            object.shift_remove("strategies");
        }
        typed(&mut whole, "run");
        self.lines.push(whole);
        self
    }

    /// Renders the document. `width`: of the terminal, if there is one.
    pub(crate) fn render(&self, format: Format, width: Option<usize>) -> String {
        match format {
            Format::Table => {
                let last = self.verdict.as_ref();
                let last = last.map_or_else(String::new, |verdict| coloured(verdict, width));
                let table = match self.headings.is_empty() {
                    true => String::new(),
                    false => grid::render(&self.headings, &self.rows, width) + "\n",
                };
                format!("{table}{}{last}", notes(&marked(&self.footer), width))
            }
            Format::Json => pretty(&self.json),
            Format::Ndjson => {
                let lines = self.lines.iter();
                lines.map(|line| inert(&format!("{line}\n"))).collect()
            }
            Format::Csv => self.csv(),
            Format::Markdown => format!("{}\n{}", self.markdown(), self.notes()),
        }
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // A line without any of these fields, such as the totals, is not a row.
        let is_row = |line: &&Value| line.get(self.csv[0]).is_some();
        let rows = self.lines.iter().filter(is_row);
        let head = self.csv.iter().map(|name| (*name).to_owned()).collect();
        let row = |line: &Value| self.csv.iter().map(|name| plain(&line[*name])).collect();
        let mut write = |cells: Vec<String>| {
            let written = writer.write_record(cells);
            debug_assert!(written.is_ok(), "writing to memory");
        };
        write(head);
        rows.map(row).for_each(&mut write);
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    pub(crate) fn markdown(&self) -> String {
        if self.headings.is_empty() {
            return String::new();
        }
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let heads = self.headings.iter().flat_map(|heading| {
            let dashes = if heading.numeric { "---:" } else { "---" };
            let mark = heading.is_marked.then_some(("", "---"));
            mark.into_iter().chain([(heading.name, dashes)])
        });
        let (names, dashes): (Vec<_>, Vec<_>) =
            heads.map(|(name, dashes)| (name.to_owned(), dashes.to_owned())).unzip();
        let mut text = line(names) + &line(dashes);
        for row in &self.rows {
            let cells = self.headings.iter().zip(&row.cells).flat_map(|(heading, cell)| {
                let (mark, cell) = grid::split_mark(cell, heading);
                mark.into_iter().chain([cell])
            });
            text += &line(cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect());
        }
        text
    }
}

/// Indented JSON and a newline.
pub(crate) fn pretty(json: &Value) -> String {
    inert(&(serde_json::to_string_pretty(json).unwrap_or_default() + "\n"))
}

/// Escapes the control characters that JSON allows, which could control a terminal. They occur only
/// in strings.
pub(crate) fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text
}

/// A value without JSON quotes and brackets.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Notes with the marks at the beginning of their lines in colour.
fn marked(footer: &str) -> String {
    let marks = [('✗', anstyle::AnsiColor::Red), ('!', anstyle::AnsiColor::Yellow)];
    let line = |line: &str| {
        let found = marks.iter().find(|(mark, _)| line.starts_with(*mark));
        found.map_or_else(
            || line.to_owned(),
            |(mark, colour)| {
                let style = colour.on_default();
                line.replacen(*mark, &format!("{style}{mark}{style:#}"), 1)
            },
        )
    };
    footer.split_inclusive('\n').map(line).collect()
}

/// The verdict as the last line, wrapped for a terminal.
fn coloured(verdict: &Verdict, width: Option<usize>) -> String {
    let colour = match verdict.mark {
        Mark::Good => anstyle::AnsiColor::Green,
        Mark::Bad => anstyle::AnsiColor::Red,
        Mark::Notice | Mark::Changes => anstyle::AnsiColor::Yellow,
    };
    let style = colour.on_default().bold();
    let (mark, bold) = (verdict.mark, anstyle::Style::new().bold());
    let said = format!("{style}{mark}{style:#} {bold}{}{bold:#}", verdict.text);
    let next = verdict.next.as_ref();
    let whole = next.map_or_else(|| said.clone(), |next| format!("{said}; next: {next}"));
    let Some(columns) = width.filter(|columns| measure_text_width(&whole) > *columns) else {
        return whole + "\n";
    };
    // A command is never broken, so that it can be copied.
    let next = next.map(|next| format!("  next: {next}\n"));
    notes(&format!("{said}\n"), Some(columns)) + &next.unwrap_or_default()
}

pub(crate) fn to_value(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
