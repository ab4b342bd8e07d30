//! A table that declares each column once: heading, cell, JSON member and CSV column.

use serde_json::{Map, Value};

use super::document::Document;
use super::grid::{Heading, Row, Tone};
use super::words::Marked;
use crate::domain::key::visible;
use crate::domain::wording::grouped;

type Get<'a, R, T> = Box<dyn Fn(&R) -> T + 'a>;

/// The columns of rows of `R`, in the order of the table and of CSV.
pub(crate) struct Table<'a, R> {
    headings: Vec<Heading>,
    cells: Vec<Get<'a, R, String>>,
    tone: Get<'a, R, Tone>,
    base: Get<'a, R, Value>,
    members: Vec<(&'static str, Get<'a, R, Value>)>,
    csv: Vec<&'static str>,
}

impl<'a, R> Table<'a, R> {
    pub(crate) fn new() -> Self {
        Self::of(|_| Value::Object(Map::new()))
    }

    /// Sets the JSON of a row.
    pub(crate) fn of(json: impl Fn(&R) -> Value + 'a) -> Self {
        Self {
            headings: Vec::new(),
            cells: Vec::new(),
            tone: Box::new(|_| Tone::Plain),
            base: Box::new(json),
            members: Vec::new(),
            csv: Vec::new(),
        }
    }

    /// Sets the style of a row.
    pub(crate) fn tone(mut self, tone: impl Fn(&R) -> Tone + 'a) -> Self {
        self.tone = Box::new(tone);
        self
    }

    /// The first column of a table of strategies; `None`: the total.
    pub(crate) fn strategy(self, of: impl Fn(&R) -> Option<Marked> + Copy + 'a) -> Self {
        let name = move |row: &R| match of(row) {
            Some(Marked { mark, id, .. }) => format!("{mark} {id}"),
            None => "total".to_owned(),
        };
        let tone = move |row: &R| of(row).map_or(Tone::Total, |marked| marked.tone);
        let mut table = self.tone(tone).text("strategy", 0, name).csv(["id"]);
        table.headings[0].is_marked = true;
        table
    }

    /// A column for people. `rank`: drop order on narrow terminals. Numbers of keys have 1 and go
    /// last, unless they are all zero; 0 always stays.
    pub(crate) fn text(
        mut self,
        name: &'static str,
        rank: u8,
        cell: impl Fn(&R) -> String + 'a,
    ) -> Self {
        self.headings.push(Heading {
            name,
            rank,
            is_name: matches!(name, "strategy" | "run"),
            ..Heading::default()
        });
        self.cells.push(Box::new(cell));
        self
    }

    /// The same with numbers, aligned to the right.
    pub(crate) fn number(
        self,
        name: &'static str,
        rank: u8,
        cell: impl Fn(&R) -> String + 'a,
    ) -> Self {
        let mut table = self.text(name, rank, cell);
        if let Some(heading) = table.headings.last_mut() {
            heading.numeric = true;
        }
        table
    }

    /// Keeps the last column, even if it is all zero.
    pub(crate) fn asked(mut self) -> Self {
        if let Some(heading) = self.headings.last_mut() {
            heading.is_asked = true;
        }
        self
    }

    /// Makes the last column at least as wide as a text, so that the choice of columns does not depend on
    /// the times in it.
    pub(crate) fn wide_as(mut self, text: &str) -> Self {
        if let Some(heading) = self.headings.last_mut() {
            heading.least = text.chars().count();
        }
        self
    }

    /// A number of keys, with the same name in all formats.
    pub(crate) fn count(self, name: &'static str, rank: u8, of: impl Fn(&R) -> u64 + 'a) -> Self {
        self.number(name, rank, move |row| grouped(of(row))).csv([name])
    }

    /// A member of the row's JSON that is a CSV column too.
    pub(crate) fn field<V: Into<Value>>(
        self,
        name: &'static str,
        value: impl Fn(&R) -> V + 'a,
    ) -> Self {
        self.json(name, value).csv([name])
    }

    /// A member of the row's JSON.
    pub(crate) fn json<V: Into<Value>>(
        mut self,
        name: &'static str,
        value: impl Fn(&R) -> V + 'a,
    ) -> Self {
        let value = move |row: &R| value(row).into();
        self.members.push((name, Box::new(value)));
        self
    }

    /// CSV columns of members that the row's JSON has.
    pub(crate) fn csv<const N: usize>(mut self, names: [&'static str; N]) -> Self {
        self.csv.extend(names);
        self
    }

    /// Adds columns if `holds`.
    pub(crate) fn when(self, holds: bool, more: impl FnOnce(Self) -> Self) -> Self {
        if holds { more(self) } else { self }
    }

    /// The rows, and a total that only people see.
    pub(crate) fn document(&self, rows: impl IntoIterator<Item = R>, total: Option<R>) -> Document {
        let mut document = Document {
            headings: self.headings.clone(),
            csv: self.csv.clone(),
            ..Document::default()
        };
        for row in rows {
            document.lines.push(self.line(&row));
            document.rows.push(self.row(&row, (self.tone)(&row)));
        }
        let total = total.map(|total| self.row(&total, Tone::Total));
        document.rows.extend(total);
        document
    }

    fn row(&self, row: &R, tone: Tone) -> Row {
        let cells = self.cells.iter().map(|cell| visible(cell(row))).collect();
        Row { cells, tone }
    }

    fn line(&self, row: &R) -> Value {
        let mut line = (self.base)(row);
        for (name, value) in &self.members {
            line[*name] = value(row);
        }
        line
    }
}
