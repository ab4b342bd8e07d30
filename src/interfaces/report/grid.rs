//! Tables for a terminal.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};

/// Only a line below the headings: readable, and easy to process with other tools.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

#[derive(Clone, Copy, Debug)]
pub(crate) struct Heading {
    pub name: &'static str,
    /// Drop order on narrow terminals, highest first; 0 always stays.
    pub rank: u8,
    pub numeric: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Row {
    pub cells: Vec<String>,
    pub tone: Tone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Total,
}

/// Drops columns that do not fit into `width`, and wraps if that is not enough.
pub(super) fn render(headings: &[Heading], rows: &[Row], width: Option<usize>) -> String {
    let ranks = (0..=headings.iter().map(|h| h.rank).max().unwrap_or(0)).rev();
    for rank in ranks {
        let table = table_to(headings, rows, rank, None).to_string();
        let widest = table
            .lines()
            .map(console::measure_text_width)
            .max()
            .unwrap_or(0);
        if width.is_none_or(|width| widest <= width) {
            return table;
        }
    }
    table_to(headings, rows, 0, width).to_string()
}

/// The table with the columns up to a rank, wrapped at `width`.
fn table_to(headings: &[Heading], rows: &[Row], rank: u8, width: Option<usize>) -> Table {
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
    let kept = || headings.iter().enumerate().filter(|(_, h)| h.rank <= rank);
    table.set_header(
        kept().map(|(_, heading)| aligned(heading.name, heading).add_attribute(Attribute::Bold)),
    );
    for row in rows {
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

fn aligned(content: &str, heading: &Heading) -> Cell {
    let cell = Cell::new(content);
    if heading.numeric {
        cell.set_alignment(CellAlignment::Right)
    } else {
        cell
    }
}
