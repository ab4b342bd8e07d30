//! The query of a definition, as it stands in its file.

use super::facts::Facts;
use super::fit::{Field, Fit};
use super::form::Form;
use super::names::words;
use super::quoting::quoted;
use crate::application::ports::Dialect;
use crate::domain::encode::Hint;
use crate::domain::schema::{Kind, TableColumn};
use crate::domain::strategy::{CHANGED_AT, VERSION};

/// Columns of lines of SQL.
const WIDTH: usize = 88;

/// What counts up whenever a row changes.
const COUNTERS: &str = "lock_version optlock record_version row_version rowversion version";

/// When a row changed, the surest name first.
const CHANGES: &str = "updated_at modified_at changed_at last_updated_at last_modified_at last_updated \
    last_update last_modified date_modified date_updated date_upd updated_on modified_on changed_on \
    updated_date modified_date update_date modification_date update_time modify_time mtime write_date \
    updated_date_time post_modified_gmt comment_date_gmt updated modified changed sys_updated";

/// Columns that say in which order a person put the rows.
const PLACES: &str = "display_order line_no line_number menu_order ordinal position rank seq sequence \
    sort sort_order";

/// A table being read: its columns, in the forms that fit, and what its rows say.
pub(super) struct Reading<'a> {
    pub(super) dialect: Dialect,
    pub(super) fit: &'a Fit<'a>,
    pub(super) facts: &'a Facts,
    pub(super) fields: Vec<Field>,
}

/// A column that keys are made of.
pub(super) struct KeyPart {
    /// Its name in the template.
    pub(super) placeholder: String,
    /// What SELECT needs beside the stored columns.
    pub(super) item: Option<String>,
    /// The word in `types` that the item needs.
    pub(super) hint: Option<Hint>,
    /// The rows that have no value for it.
    condition: Option<String>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(dialect: Dialect, fit: &'a Fit<'a>, facts: &'a Facts) -> Self {
        let fields = fit.fields();
        Self { dialect, fit, facts, fields }
    }

    pub(super) fn field(&self, column: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.column == column)
    }

    /// Whether all columns of a key can be read.
    pub(super) fn has_all(&self, columns: &[String]) -> bool {
        columns.iter().all(|column| self.field(column).is_some())
    }

    /// The columns of a key. `is_apart`: they are not stored; `has_blanks`: some rows have no value.
    pub(super) fn key_parts(
        &self,
        columns: &[String],
        is_apart: bool,
        has_blanks: bool,
    ) -> Vec<KeyPart> {
        let mut parts: Vec<KeyPart> = Vec::new();
        let fields = columns.iter().filter_map(|column| self.field(column));
        for field in fields {
            let column = self.fit.table.column(&field.column);
            let is_comparable = self.is_comparable(field);
            let is_name = field.name.chars().all(|c| c.is_alphanumeric() || c == '_');
            let mut part = KeyPart {
                placeholder: field.name.clone(),
                item: None,
                hint: None,
                condition: column.and_then(|column| self.filled(field, column, has_blanks)),
            };
            if is_apart || !is_name || !is_comparable {
                part.placeholder = hidden_name(&field.name, &parts);
                let expression = match is_comparable {
                    true => field.expression.clone(),
                    false => format!("CAST({} AS {})", field.expression, self.dialect.text_type()),
                };
                part.item =
                    Some(format!("{expression} AS {}", quoted(self.dialect, &part.placeholder)));
                part.hint = field.hint.filter(|_| is_comparable);
            }
            parts.push(part);
        }
        parts
    }

    /// Whether a key's text finds the row again.
    fn is_comparable(&self, field: &Field) -> bool {
        let described = self.facts.columns.as_ref().and_then(|columns| {
            let mut columns = columns.iter();
            columns.find(|column| column.name == field.name)
        });
        described.is_none_or(|column| self.dialect.finds_by_text(column))
    }

    /// That a column has a value, where some rows may have none.
    fn filled(&self, field: &Field, column: &TableColumn, has_blanks: bool) -> Option<String> {
        let plain = quoted(self.dialect, &field.column);
        let declared = column.declared.to_ascii_lowercase();
        let is_text = ["char", "text", "clob", "enum("].iter().any(|name| declared.contains(name));
        let may_be_empty = is_text || self.dialect.stores_anything();
        let is_number = matches!(field.kind, Kind::Integer | Kind::Number);
        let holds_numbers = is_number && field.form == Form::Plain;
        match has_blanks {
            true if may_be_empty && !holds_numbers => Some(format!("{plain} <> ''")),
            true => Some(format!("{plain} IS NOT NULL")),
            false => None,
        }
    }

    /// What tells that a row has changed: the database, or else a counter or the moment of its last
    /// change, which not every writer may maintain.
    pub(super) fn version(&self) -> Option<String> {
        let expression = self.version_expression()?;
        Some(format!("{expression} AS {VERSION}"))
    }

    pub(super) fn version_expression(&self) -> Option<String> {
        if let Some(own) = self.fit.table.row_version {
            return Some(own.to_owned());
        }
        let is_counter = |field: &&Field| {
            let column = self.fit.table.column(&field.column);
            let is_filled = column.is_some_and(|column| !column.is_nullable);
            let name = words(&field.column).join("_");
            field.kind == Kind::Integer
                && is_filled
                && COUNTERS.split_whitespace().any(|counter| counter == name)
        };
        if let Some(counter) = self.fields.iter().find(is_counter) {
            return Some(counter.expression.clone());
        }
        let changed = self.changed()?;
        let plain = quoted(self.dialect, &changed.column);
        let column = self.fit.table.column(&changed.column);
        let is_nullable = column.is_none_or(|column| column.is_nullable);
        match changed.form {
            Form::Plain if !is_nullable => Some(plain),
            // As a text it is also there where it is no date.
            _ => Some(format!("COALESCE({plain}, '')")),
        }
    }

    /// The column that says when a row changed.
    pub(super) fn changed(&self) -> Option<&Field> {
        let is_moment = |field: &Field| {
            field.kind == Kind::Moment || self.facts.moments.contains(&field.column)
        };
        let named = |name: &str| {
            let mut fields = self.fields.iter();
            fields.find(|field| is_moment(field) && words(&field.column).join("_") == name)
        };
        CHANGES.split_whitespace().find_map(named)
    }

    pub(super) fn changed_at(&self) -> Option<String> {
        let changed = self.changed()?;
        let is_moment = matches!(changed.form, Form::Plain | Form::NoZeros);
        is_moment.then(|| format!("{} AS {CHANGED_AT}", quoted(self.dialect, &changed.column)))
    }

    /// `SELECT ... FROM ...`, in lines.
    pub(super) fn sql(&self, items: &[String], key: &[KeyPart]) -> String {
        let mut sql = format!("SELECT {}", lines(items, 7));
        sql.push_str("\nFROM ");
        sql.push_str(&quoted(self.dialect, &self.fit.table.name));
        let conditions: Vec<&str> =
            key.iter().filter_map(|part| part.condition.as_deref()).collect();
        if !conditions.is_empty() {
            sql.push_str("\nWHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        sql
    }
}

/// Whether a column is named as one that says when a row changed.
pub(super) fn says_changes(column: &str) -> bool {
    let name = words(column).join("_");
    CHANGES.split_whitespace().any(|known| known == name)
}

/// Items with commas between them; further lines are indented.
pub(super) fn lines(items: &[String], indent: usize) -> String {
    let mut text = String::new();
    let mut column = indent;
    for (nth, item) in items.iter().enumerate() {
        let comma = if nth + 1 < items.len() { "," } else { "" };
        let width = item.chars().count() + comma.len();
        let begins = nth > 0 && is_hidden(item) && !is_hidden(&items[nth - 1]);
        if nth > 0 && (begins || column + 1 + width > WIDTH) {
            text.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        } else if nth > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(item);
        text.push_str(comma);
        column += width;
    }
    text
}

/// The columns that a list is ordered by: the place that a person gave a row, and the table's key, or
/// else everything.
pub(super) fn places<'r>(reading: &'r Reading<'_>, columns: &[String]) -> Vec<&'r Field> {
    let is_place = |field: &&Field| {
        let name = words(&field.column).join("_");
        field.kind == Kind::Integer && PLACES.split_whitespace().any(|place| place == name)
    };
    let has_order = |field: &&Field| !matches!(field.kind, Kind::Document | Kind::Other);
    let key = reading.fit.table.key();
    let others: Vec<&Field> = match key {
        [] => reading.fields.iter().filter(has_order).collect(),
        key => key.iter().filter_map(|column| reading.field(column)).collect(),
    };
    let mut order: Vec<&Field> = Vec::new();
    for field in reading.fields.iter().find(is_place).into_iter().chain(others) {
        if !columns.contains(&field.column) && !order.contains(&field) {
            order.push(field);
        }
    }
    order
}

/// The same as `order_by` has it.
pub(super) fn order(reading: &Reading<'_>, columns: &[String]) -> Option<String> {
    let places = places(reading, columns).into_iter();
    let names: Vec<String> = places.map(|field| quoted(reading.dialect, &field.name)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The stored columns, and what the key needs beside them.
pub(super) fn items<'f>(
    stored: impl IntoIterator<Item = &'f Field>,
    key: &[KeyPart],
) -> Vec<String> {
    let stored = stored.into_iter().map(|field| field.item.clone());
    let hidden = key.iter().filter_map(|part| part.item.clone());
    stored.chain(hidden).collect()
}

/// Whether an item of SELECT is not stored.
fn is_hidden(item: &str) -> bool {
    [" AS _", " AS \"_", " AS `_"].iter().any(|name| item.contains(name))
}

/// `_order_id` of `order id`; a name with a meaning of its own is not taken.
fn hidden_name(name: &str, taken: &[KeyPart]) -> String {
    let known = |c: char| if c.is_alphanumeric() { c } else { '_' };
    let mut hidden = format!("_{}", name.chars().map(known).collect::<String>());
    let is_taken = |hidden: &String| {
        [VERSION, CHANGED_AT].contains(&hidden.as_str())
            || taken.iter().any(|part| part.placeholder == *hidden)
    };
    while is_taken(&hidden) {
        hidden.push_str("_key");
    }
    hidden
}
