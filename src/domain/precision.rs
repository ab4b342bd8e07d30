//! How finely a version tells two changes apart.

/// What tells two changes within a second apart, for people.
pub const FINER: &str = "a version column that every change raises, microseconds, a hash of the row, \
                         or xmin::text on PostgreSQL";

/// The smallest step of a moment; a version that is no moment has none. In order: the finest is the
/// greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    Day,
    Second,
    /// Finer than a second, or no moment at all.
    Exact,
}

impl Precision {
    /// That of a column's value, in its JSON form; of several moments in a text, `a/b`, the coarsest.
    /// Unix seconds look like any other number.
    pub fn of(json: &[u8]) -> Self {
        let Some(text) = json.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")) else {
            return Self::Exact;
        };
        let parts = text.split(|byte| b"/|;".contains(byte)).map(Self::of_text);
        // What is no moment may tell more than the moments do.
        let has_other = parts.clone().any(|part| part == Self::Exact);
        parts.min().filter(|_| !has_other).unwrap_or(Self::Exact)
    }

    fn of_text(text: &[u8]) -> Self {
        let Some((date, time)) = text.split_at_checked("2026-01-31".len()) else {
            return Self::Exact;
        };
        if !has_form(date, b"dddd-dd-dd") {
            return Self::Exact;
        }
        match time {
            [] => Self::Day,
            [b'T' | b' ', time @ ..] => of_time(time),
            _ => Self::Exact,
        }
    }
}

/// That of a time of day, with a zone or without.
fn of_time(time: &[u8]) -> Precision {
    let zone = time.iter().position(|b| matches!(b, b'Z' | b'+' | b'-' | b' '));
    let time = &time[..zone.unwrap_or(time.len())];
    let (time, fraction) = match time.iter().position(|b| matches!(b, b'.' | b',')) {
        Some(point) => (&time[..point], &time[point + 1..]),
        None => (time, &[][..]),
    };
    let is_time = has_form(time, b"dd:dd:dd") || has_form(time, b"dd:dd");
    match is_time && fraction.iter().all(|digit| *digit == b'0') {
        true => Precision::Second,
        false => Precision::Exact,
    }
}

/// Whether a text has a digit wherever the form has a `d`, and the form's own bytes elsewhere.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let is_alike = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        form => byte == form,
    };
    text.len() == form.len() && text.iter().zip(form).all(is_alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_as_fine_as_its_smallest_digit() {
        for (json, precision) in [
            ("\"2026-01-31\"", Precision::Day),
            ("\"2026-01-31T10:20:30\"", Precision::Second),
            ("\"2026-01-31T10:20:30Z\"", Precision::Second),
            ("\"2026-01-31 10:20:30+08:00\"", Precision::Second),
            ("\"2026-01-31 10:20\"", Precision::Second),
            ("\"2026-01-31 10:20:30.000000\"", Precision::Second),
            ("\"2026-01-31 10:20:30.000001\"", Precision::Exact),
            ("\"2026-01-31T10:20:30.5Z\"", Precision::Exact),
            ("\"2026-01-31/7\"", Precision::Exact),
            ("\"2026-01-31 10:20:30/2026-01-31 10:20:31+00\"", Precision::Second),
            ("\"2026-01-31 10:20:30/2026-01-31\"", Precision::Day),
            ("\"2026-01-31 10:20:30/2026-01-31 10:20:31.5\"", Precision::Exact),
            ("\"2026-01-31 10:20:30/7\"", Precision::Exact),
            ("\"4711\"", Precision::Exact),
            ("\"\"", Precision::Exact),
            ("4711", Precision::Exact),
            ("true", Precision::Exact),
        ] {
            assert_eq!(Precision::of(json.as_bytes()), precision, "{json}");
        }
    }
}
