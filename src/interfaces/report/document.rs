//! A result that has rows, in any of the five forms.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};
use serde_json::Value;

use crate::domain::failure::Failure;
use crate::domain::verdict::{Mark, Verdict};
use crate::interfaces::output::{Format, Output, note};

/// A line under the headings and nothing else: readable, and easy to cut with other tools.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Rows under headings, and the same as JSON.
#[derive(Debug, Default)]
pub struct Document {
    pub headings: Vec<Heading>,
    pub rows: Vec<Row>,
    /// Stands under the table and the markdown.
    pub footer: String,
    /// The last line, of a document about a run.
    pub verdict: Option<Verdict>,
    /// The whole as one JSON document.
    pub json: Value,
    /// The same a line each.
    pub lines: Vec<Value>,
    /// The fields of `lines` that make a CSV row; rows for people are rounded.
    pub csv: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug)]
pub struct Heading {
    pub name: &'static str,
    /// How soon the column goes where the terminal is narrow; 0 stays.
    pub rank: u8,
    pub numeric: bool,
}

#[derive(Debug, Default)]
pub struct Row {
    pub cells: Vec<String>,
    pub tone: Tone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Total,
}

impl Document {
    /// Prints it, unless it is a table that nobody wants to see.
    pub fn show(&self, output: &Output) {
        if !(output.quiet && output.format == Format::Table) {
            output.result(&self.render(output.format, output.width()));
        }
    }

    /// Says what failed, and the verdict, where no table does: a person beside a machine's reader
    /// would not know what to do next.
    pub fn tell<'f>(&self, output: &Output, failures: impl Iterator<Item = &'f Failure>) {
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
            note(&format!("{}\n", coloured(verdict)));
        }
    }

    /// What stands under the table: notes, and the verdict as the last line.
    pub fn notes(&self) -> String {
        let verdict = self.verdict.as_ref();
        let last = verdict.map_or_else(String::new, |verdict| format!("{verdict}\n"));
        self.footer.clone() + &last
    }

    /// Puts into NDJSON what each line is, and the whole behind the strategies.
    pub fn with_run_line(mut self) -> Self {
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

    /// The whole in one form. `width`: the terminal's, if it is one.
    pub fn render(&self, format: Format, width: Option<usize>) -> String {
        match format {
            Format::Table => {
                let last = self.verdict.as_ref().map(coloured);
                let last = last.map_or_else(String::new, |line| line + "\n");
                format!("{}\n{}{last}", self.table(width), self.footer)
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

    fn table(&self, width: Option<usize>) -> String {
        let ranks = (0..=self.headings.iter().map(|h| h.rank).max().unwrap_or(0)).rev();
        for rank in ranks {
            let table = self.table_to(rank, None).to_string();
            let widest = table
                .lines()
                .map(console::measure_text_width)
                .max()
                .unwrap_or(0);
            if width.is_none_or(|width| widest <= width) {
                return table;
            }
        }
        self.table_to(0, width).to_string()
    }

    /// The table with the columns up to a rank, wrapped into `width` if there is one.
    fn table_to(&self, rank: u8, width: Option<usize>) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE).enforce_styling();
        if let Some(width) = width {
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        let kept = || {
            self.headings
                .iter()
                .enumerate()
                .filter(|(_, h)| h.rank <= rank)
        };
        table.set_header(
            kept()
                .map(|(_, heading)| aligned(heading.name, heading).add_attribute(Attribute::Bold)),
        );
        for row in &self.rows {
            table.add_row(kept().map(|(i, heading)| {
                let cell = aligned(row.cells.get(i).map_or("", String::as_str), heading);
                match row.tone {
                    Tone::Plain => cell,
                    Tone::Good if i == 0 => cell.fg(Color::Green),
                    Tone::Good => cell,
                    Tone::Bad => cell.fg(Color::Red),
                    Tone::Total => cell.add_attribute(Attribute::Bold),
                }
            }));
        }
        table
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // A line that has none of them is no row: the totals, say.
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

    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.headings.iter().map(|h| h.name.to_owned()).collect());
        text += &line(
            self.headings
                .iter()
                .map(|h| if h.numeric { "---:" } else { "---" }.to_owned())
                .collect(),
        );
        for row in &self.rows {
            text += &line(
                row.cells
                    .iter()
                    .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
                    .collect(),
            );
        }
        text
    }
}

/// JSON for people's eyes, and a newline.
pub fn pretty(json: &Value) -> String {
    inert(&(serde_json::to_string_pretty(json).unwrap_or_default() + "\n"))
}

/// JSON that cannot touch a terminal: what JSON itself lets stand raw, and a terminal obeys, is
/// escaped. Such characters stand in texts only, where the escape means the same.
pub fn inert(json: &str) -> String {
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

/// A value without the quotes and brackets of JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The verdict for a terminal.
fn coloured(verdict: &Verdict) -> String {
    let colour = match verdict.mark {
        Mark::Good => anstyle::AnsiColor::Green,
        Mark::Bad => anstyle::AnsiColor::Red,
        Mark::Notice => anstyle::AnsiColor::Yellow,
    };
    let style = colour.on_default().bold();
    format!("{style}{}{style:#} {}", verdict.mark, verdict.text)
}

fn aligned(content: &str, heading: &Heading) -> Cell {
    let cell = Cell::new(content);
    if heading.numeric {
        cell.set_alignment(CellAlignment::Right)
    } else {
        cell
    }
}

pub fn to_value(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
