//! Which texts are times: where a database has no type for them, only the rows say it.

use super::fit::Field;
use super::form::Form;
use super::select::says_changes;
use crate::application::ports::Dialect;
use crate::domain::row::Row;
use crate::domain::schema::Kind;

/// `2026-01-31 12:30:00`, each digit as a 0.
const TIME: &str = "0000-00-00 00:00:00";

/// The places of texts that are named as when a row changed, each with its format as far as known.
pub(super) struct Moments(Vec<(usize, Option<String>)>);

impl Moments {
    pub(super) fn of(fields: &[Field], dialect: Dialect) -> Self {
        let may_be = |field: &Field| {
            let is_text = field.kind == Kind::Text && field.form == Form::Plain;
            dialect.stores_anything() && is_text && says_changes(&field.column)
        };
        let places = fields.iter().enumerate().filter(|(_, field)| may_be(field));
        Self(places.map(|(place, _)| (place, None)).collect())
    }

    /// A row without a value counts as changed in each run, so it is no danger.
    pub(super) fn add(&mut self, row: Row<'_>) {
        self.0.retain_mut(|(place, known)| {
            let Ok(Some(text)) = row.text(*place) else {
                return true;
            };
            let format = format_of(&text);
            let is_same = known.is_none() || *known == format;
            *known = format;
            is_same && known.is_some()
        });
    }

    pub(super) fn columns(self, fields: &[Field]) -> Vec<String> {
        let found = self.0.into_iter().filter(|(_, format)| format.is_some());
        found.map(|(place, _)| fields[place].column.clone()).collect()
    }
}

/// The format of a date with a time to the second: what separates them, and the zone. Fractions come
/// and go within one format.
fn format_of(text: &[u8]) -> Option<String> {
    let text = str::from_utf8(text).ok()?;
    let form = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let form: String = text.chars().map(form).collect();
    let (time, rest) = form.split_at_checked(TIME.len())?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with('0') => fraction.trim_start_matches('0'),
        Some(_) => return None,
        None => rest,
    };
    let is_time = time.replacen('T', " ", 1) == TIME;
    let is_zone = matches!(rest, "" | "Z" | "+00:00" | "-00:00");
    // West and east of UTC are one format.
    (is_time && is_zone).then(|| format!("{}{}", &time[10..11], rest.replace('-', "+")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_iso_text_to_the_second() {
        for (text, format) in [
            ("2026-01-31 12:30:00", Some(" ")),
            ("2026-01-31T12:30:00.125Z", Some("TZ")),
            ("2026-01-31 12:30:00-05:00", Some(" +00:00")),
            ("2026-01-31", None),
            ("2026-01-31 12:30", None),
            ("31.01.2026 12:30:00", None),
            ("2026-01-31 12:30:00 UTC", None),
            ("2026-01-31 12:30:00.", None),
            ("1769862600", None),
            ("2026-01-31é12:30:00", None),
            ("", None),
        ] {
            assert_eq!(format_of(text.as_bytes()).as_deref(), format, "{text}");
        }
    }
}
