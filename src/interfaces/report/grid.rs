//! Tables for a terminal.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};
use console::measure_text_width;

use crate::interfaces::output::{notes, shortened_name};

/// Only a line below the headings: readable, and easy to process with other tools.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Names are not made shorter than this.
const SHORTEST_NAME: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heading {
    pub name: &'static str,
    /// Drop order on narrow terminals, highest first; 0 always stays.
    pub rank: u8,
    pub numeric: bool,
    /// Names of strategies, which may be shortened.
    pub is_name: bool,
    /// Before the name there is a mark.
    pub is_marked: bool,
    /// It was asked for, so it stays even if it is all zero.
    pub is_asked: bool,
    /// Columns that it takes at least.
    pub least: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub cells: Vec<String>,
    pub tone: Tone,
}

impl Row {
    /// The cell that has the row's colour: the one with the mark.
    fn coloured_cell(&self) -> usize {
        let is_marked = |cell: &String| cell.starts_with(['✓', '✗', '!', '~']);
        self.cells.iter().position(is_marked).unwrap_or(0)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Total,
}

/// A table that fits into `width` where it can, and below it the columns that are hidden.
pub(super) fn render(headings: &[Heading], rows: &[Row], width: Option<usize>) -> String {
    let mut grid = Grid {
        headings,
        rows: rows.to_vec(),
        kept: (0..headings.len()).collect(),
        is_dense: false,
    };
    let Some(width) = width else {
        return grid.table(None).to_string();
    };
    grid.fit(width);
    let text = grid.table((grid.width() > width).then_some(width));
    // What says nothing here is not missed.
    let is_missed = |at: &usize| !grid.is_zero(*at);
    let hidden = (0..headings.len()).filter(|at| !grid.kept.contains(at));
    let hidden = hidden.filter(is_missed);
    let hidden: Vec<&str> = hidden.map(|at| headings[at].name).collect();
    if hidden.is_empty() {
        return text.to_string();
    }
    let hidden = hidden.join(", ");
    let hint = format!("(hidden: {hidden}; a wider terminal or -o csv shows them)\n");
    format!("{text}\n{}", notes(&hint, Some(width)).trim_end())
}

/// Rows, and the columns of them that are kept.
struct Grid<'a> {
    headings: &'a [Heading],
    rows: Vec<Row>,
    kept: Vec<usize>,
    /// Less space between the columns.
    is_dense: bool,
}

impl Grid<'_> {
    /// Makes the table narrower until it fits: columns go that are all zero, then those that are no
    /// numbers of keys, and these only when shorter names are not enough.
    fn fit(&mut self, width: usize) {
        self.is_dense = self.width() > width;
        while self.width() > width {
            let zero = || self.kept.iter().copied().rfind(|at| self.is_zero(*at));
            let first = self.last_of(|at| self.is_zero(at)).or_else(zero);
            let first = first.or_else(|| self.last_of(|at| self.headings[at].rank > 1));
            if first.is_none() && self.shorten_names(width) {
                break;
            }
            let Some(at) = first.or_else(|| self.last_of(|_| true)) else {
                break;
            };
            self.kept.retain(|kept| *kept != at);
        }
    }

    /// The column to drop first of those that are like this.
    fn last_of(&self, is_like: impl Fn(usize) -> bool) -> Option<usize> {
        let rank = |at: usize| self.headings[at].rank;
        let some = self.kept.iter().copied();
        some.filter(|at| rank(*at) > 0 && is_like(*at)).max_by_key(|at| (rank(*at), *at))
    }

    fn is_zero(&self, at: usize) -> bool {
        let mut cells = self.rows.iter().map(|row| row.cells[at].as_str());
        let heading = &self.headings[at];
        heading.numeric && !heading.is_asked && cells.all(is_nothing)
    }

    /// Shortens names by as much as the table is too wide; `false`: that would be too much.
    fn shorten_names(&mut self, width: usize) -> bool {
        let Some(at) = self.headings.iter().position(|heading| heading.is_name) else {
            return false;
        };
        let heading = self.headings[at];
        let longest = self.rows.iter().map(|row| measure_text_width(&row.cells[at]));
        let longest = longest.max().unwrap_or(0);
        let room = (longest + width).saturating_sub(self.width());
        if room < SHORTEST_NAME || room >= longest {
            return false;
        }
        for Row { cells, .. } in &mut self.rows {
            cells[at] = match split_mark(&cells[at], &heading) {
                (Some(mark @ ("✓" | "✗" | "–" | "!" | "~")), name) => {
                    format!("{mark} {}", shortened_name(name, room - 2))
                }
                // Of a command the beginning says more.
                _ if cells[at].contains(' ') && measure_text_width(&cells[at]) > room => {
                    let start: String = cells[at].chars().take(room - 1).collect();
                    format!("{}…", start.trim_end_matches('…'))
                }
                _ => shortened_name(&cells[at], room),
            };
        }
        true
    }

    fn width(&self) -> usize {
        let text = self.table(None).to_string();
        text.lines().map(measure_text_width).max().unwrap_or(0)
    }

    /// The table, wrapped at `width`.
    fn table(&self, width: Option<usize>) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE).enforce_styling();
        if let Some(width) = width {
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        } else {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        let kept = || self.kept.iter().map(|at| (*at, &self.headings[*at]));
        let bold = |cell: Cell| cell.add_attribute(Attribute::Bold);
        table.set_header(kept().flat_map(|(_, heading)| {
            let mark = heading.is_marked.then(|| Cell::new(""));
            mark.into_iter()
                .chain([bold(aligned(&format!("{:>1$}", heading.name, heading.least), heading))])
        }));
        for row in &self.rows {
            let coloured_cell = row.coloured_cell();
            table.add_row(kept().flat_map(|(at, heading)| {
                let cell = row.cells.get(at).map_or("", String::as_str);
                let (mark, cell) = split_mark(cell, heading);
                let mark = mark.map(|mark| coloured(Cell::new(mark), row.tone));
                let cell = match row.tone {
                    Tone::Total => bold(aligned(cell, heading)),
                    tone if at == coloured_cell && mark.is_none() => {
                        coloured(aligned(cell, heading), tone)
                    }
                    _ if heading.numeric && is_nothing(cell) => {
                        aligned(cell, heading).add_attribute(Attribute::Dim)
                    }
                    _ => aligned(cell, heading),
                };
                mark.into_iter().chain([cell])
            }));
        }
        let left = u16::from(!self.is_dense);
        let is_marked = self.headings[0].is_marked;
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding(match at {
                // A mark and its name need no second space between them.
                0 if is_marked => (left, 0),
                1 if is_marked => (0, 1),
                _ => (left, 1),
            });
        }
        table
    }
}

/// The mark before a name, and the name; a total has no mark.
pub(super) fn split_mark<'a>(cell: &'a str, heading: &Heading) -> (Option<&'a str>, &'a str) {
    match (heading.is_marked, cell.split_once(' ')) {
        (true, Some((mark, name))) => (Some(mark), name),
        (true, None) => (Some(""), cell),
        (false, _) => (None, cell),
    }
}

fn is_nothing(cell: &str) -> bool {
    matches!(cell, "" | "0" | "–" | "0 B")
}

fn coloured(cell: Cell, tone: Tone) -> Cell {
    match tone {
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Bad => cell.fg(Color::DarkRed),
        Tone::Plain | Tone::Total => cell,
    }
}

fn aligned(content: &str, heading: &Heading) -> Cell {
    let cell = Cell::new(content);
    if heading.numeric { cell.set_alignment(CellAlignment::Right) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(name: &'static str, rank: u8) -> Heading {
        Heading {
            name,
            rank,
            numeric: rank > 0,
            is_name: rank == 0,
            is_marked: rank == 0,
            is_asked: false,
            least: 0,
        }
    }

    #[test]
    fn a_zero_that_always_stays_goes_before_words_are_cut() {
        let numbers = ["equal", "missing", "not compared"].map(|name| Heading {
            numeric: true,
            is_marked: false,
            ..heading(name, 0)
        });
        let headings = [&[heading("strategy", 0)], numbers.as_slice()].concat();
        let cells = ["✗ m/prices", "29,994", "0", "6"].map(str::to_owned);
        let row = Row { cells: cells.to_vec(), tone: Tone::Bad };
        let text = render(&headings, &[row], Some(40));
        let text = console::strip_ansi_codes(&text);
        assert!(text.contains("strategy  ") && text.contains("not compared"));
        assert!(!text.contains("missing"), "{text}");
    }

    #[test]
    fn zeros_go_first_and_numbers_of_keys_last() {
        let headings =
            [heading("strategy", 0), heading("failed", 1), heading("kept", 1), heading("bytes", 2)];
        let row =
            |cells: [&str; 4]| Row { cells: cells.map(str::to_owned).to_vec(), tone: Tone::Good };
        let rows = [row(["✓ catalog/hot-products", "7", "0", "123 MiB"])];
        let shown = |width| {
            let text = render(&headings, &rows, Some(width));
            console::strip_ansi_codes(&text).into_owned()
        };
        for (width, expected, hidden) in [
            (60, ["strategy", "failed", "kept", "bytes"].as_slice(), ""),
            (42, &["strategy", "failed", "bytes"], ""),
            (34, &["strategy", "failed"], "bytes"),
            (25, &["strategy", "failed", "hot-products"], "bytes"),
        ] {
            let text = shown(width);
            let words = expected.iter().all(|word| text.contains(word));
            let is_said = match hidden {
                "" => !text.contains("hidden"),
                hidden => text.replace("\n  ", " ").contains(&format!("(hidden: {hidden};")),
            };
            assert!(words && is_said, "{width}:\n{text}");
            assert!(text.lines().all(|l| measure_text_width(l) <= width), "{text}");
        }
    }
}
