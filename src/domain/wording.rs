//! Numbers as every output writes them.

use std::time::Duration;

/// With commas: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 key`, `1,234 keys`.
pub fn keys(n: u64) -> String {
    format!("{} key{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// `1 strategy`, `2 strategies`.
pub fn strategies(n: usize) -> String {
    format!("{n} strateg{}", if n == 1 { "y" } else { "ies" })
}

/// The same of a noun with a regular plural: `1 field`, `2 fields`.
pub fn counted(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n as u64), if n == 1 { "" } else { "s" })
}

/// The first names, and how many more there are.
pub fn first<'n>(names: impl Iterator<Item = &'n str>, shown: usize) -> String {
    let mut all: Vec<&str> = names.collect();
    let more = all.len().saturating_sub(shown);
    all.truncate(shown);
    match more {
        0 => all.join(", "),
        more => format!("{} and {more} more", all.join(", ")),
    }
}

/// Rounded down, so that only all of it is 100.0%; `–`: there is no such share.
pub fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}%", (rate * 1000.0).floor() / 10.0))
}

/// `512 B`, `9.3 KiB`, `27 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut amount, mut unit) = (bytes as f64 / 1024.0, 0);
    while amount >= 1024.0 && unit < UNITS.len() - 1 {
        (amount, unit) = (amount / 1024.0, unit + 1);
    }
    let digits = usize::from(amount < 9.95);
    format!("{amount:.digits$} {}", UNITS[unit])
}

/// A duration as settings write it, with nothing left out: `1d 12h`, `500ms`.
pub fn exactly(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), u64::from(duration.subsec_nanos()));
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (nanos / 1_000_000, "ms"),
        (nanos / 1000 % 1000, "us"),
        (nanos % 1000, "ns"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, unit)| format!("{n}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// How long something took or takes: `<1 ms`, `20 ms`, `4.9 s`, `2m 05s`, `4h 44m`.
pub fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.as_millis() == 0 => "<1 ms".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        s @ 1..60 => format!("{}.{} s", s, duration.subsec_millis() / 100),
        s @ 60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        s => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
    }
}

/// An estimate: `<1 s`, `15 s`, `2m 05s`.
pub fn time_left(left: Duration) -> String {
    match left.as_secs() {
        0 => "<1 s".to_owned(),
        s @ 1..60 => format!("{s} s"),
        _ => seconds(left),
    }
}

/// An error of the system without its number: `No such file or directory`.
pub fn without_number(error: &str) -> String {
    match error.split_once(" (os error ") {
        Some((said, rest)) => {
            format!("{said}{}", rest.split_once(')').map_or("", |(_, rest)| rest))
        }
        None => error.to_owned(),
    }
}

/// A word for a shell.
pub fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,%+@…".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (990_018, "990,018"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(n), text);
        }
    }

    #[test]
    fn sizes_and_durations_have_one_spelling() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10_188, "9.9 KiB"),
            (10_239, "10 KiB"),
            (27_303, "27 KiB"),
            (5 << 20, "5.0 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(1500), "1s 500ms"),
            (Duration::from_hours(36), "1d 12h"),
            (Duration::from_hours(31 * 24), "31d"),
        ] {
            assert_eq!(exactly(duration), text);
            assert_eq!(humantime::parse_duration(text), Ok(duration));
        }
        assert_eq!(seconds(Duration::from_micros(400)), "<1 ms");
    }

    #[test]
    fn errors_have_no_numbers() {
        let error = "cannot open x: No such file or directory (os error 2)";
        assert_eq!(without_number(error), "cannot open x: No such file or directory");
        assert_eq!(without_number("a (os error 2) b"), "a b");
    }

    #[test]
    fn nothing_is_rounded_up_to_all() {
        assert_eq!(rate(Some(0.999_99)), "99.9%");
        assert_eq!(rate(Some(1.0)), "100.0%");
        assert_eq!(rate(None), "–");
    }
}
