//! What a shop misses in its cache: which strategy makes the key, and the patterns of keys that none
//! makes.

use std::collections::HashMap;

use serde::Deserialize;

use crate::application::run_state::lookup;
use crate::domain::key::{KeyTemplate, printable, shortened};
use crate::domain::namespace;

/// Patterns that are counted at the same time, at most; then the rarest are dropped.
const MAX_PATTERNS: usize = 10_000;

/// Longer patterns are cut.
const MAX_LENGTH: usize = 200;

/// From this length on a run of hexadecimal digits, or of letters and digits mixed, is no word.
const MIN_HEX: usize = 12;
const MIN_MIXED: usize = 20;

/// What was missed, so far.
pub struct Probe {
    names: Vec<String>,
    templates: Vec<KeyTemplate>,
    own: String,
    pub misses: u64,
    /// Of an access log: keys that were found.
    pub hits: u64,
    /// Of an access log: lines that are none.
    pub unreadable: u64,
    covered: Vec<u64>,
    patterns: HashMap<String, u64>,
    /// Misses of patterns that were dropped.
    pub others: u64,
}

/// A line of an access log that is JSON.
#[derive(Deserialize)]
struct Access {
    key: String,
    #[serde(default)]
    hit: bool,
}

impl Probe {
    /// For strategies by their ids, with the templates of their keys as the cache has them.
    pub fn new(prefix: &str, strategies: Vec<(String, KeyTemplate)>) -> Self {
        let (names, templates): (Vec<_>, Vec<_>) = strategies.into_iter().unzip();
        Self {
            covered: vec![0; names.len()],
            names,
            templates,
            own: namespace::all(prefix),
            misses: 0,
            hits: 0,
            unreadable: 0,
            patterns: HashMap::new(),
            others: 0,
        }
    }

    /// Counts a key that was asked for and not there. The tool's own do not count.
    pub fn miss(&mut self, key: &[u8]) {
        if key.starts_with(self.own.as_bytes()) {
            return;
        }
        self.misses += 1;
        let text = std::str::from_utf8(key).ok();
        match text.and_then(|key| lookup::maker(self.templates.iter(), key)) {
            Some(at) => self.covered[at] += 1,
            None => self.count(pattern(&printable(key))),
        }
    }

    /// Counts a line of an access log: a missed key, or a JSON object with `key` and perhaps `hit`.
    pub fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.first() {
            None => {}
            Some(b'{') => match serde_json::from_slice::<Access>(line) {
                Ok(Access { hit: true, .. }) => self.hits += 1,
                Ok(Access { key, .. }) => self.miss(key.as_bytes()),
                Err(_) => self.unreadable += 1,
            },
            Some(_) => self.miss(line),
        }
    }

    fn count(&mut self, pattern: String) {
        *self.patterns.entry(pattern).or_default() += 1;
        if self.patterns.len() > MAX_PATTERNS {
            self.drop_rarest();
        }
    }

    /// Keeps the half that was seen most.
    fn drop_rarest(&mut self) {
        let mut all: Vec<(String, u64)> = self.patterns.drain().collect();
        most_first(&mut all);
        let rest = all.split_off(MAX_PATTERNS / 2);
        self.others += rest.iter().map(|(_, count)| count).sum::<u64>();
        self.patterns = all.into_iter().collect();
    }

    /// Misses of keys that a strategy makes.
    pub fn all_covered(&self) -> u64 {
        self.covered.iter().sum()
    }

    /// Misses by strategy, the most first; those that have none are left out.
    pub fn by_strategy(&self) -> Vec<(&str, u64)> {
        let names = self.names.iter().map(String::as_str);
        let missed = names.zip(self.covered.iter().copied());
        let mut all: Vec<_> = missed.filter(|(_, count)| *count > 0).collect();
        most_first(&mut all);
        all
    }

    /// The patterns of keys that no strategy makes, the most frequent first.
    pub fn uncovered(&self, max: usize) -> Vec<(&str, u64)> {
        let patterns = self.patterns.iter();
        let mut all: Vec<_> = patterns.map(|(pattern, count)| (&**pattern, *count)).collect();
        most_first(&mut all);
        all.truncate(max);
        all
    }
}

fn most_first<S: Ord>(counts: &mut [(S, u64)]) {
    counts.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
}

/// A key with `*` for what looks like a variable part: digits, UUIDs, long hexadecimal numbers and
/// tokens.
fn pattern(key: &str) -> String {
    let mut out = String::new();
    let mut rest = key;
    while let Some(first) = rest.chars().next() {
        let taken = match variable(rest) {
            0 => first.len_utf8(),
            length => {
                if !out.ends_with('*') {
                    out.push('*');
                }
                rest = &rest[length..];
                continue;
            }
        };
        // A word is taken whole: what is in the middle of it is no number.
        let word = rest.bytes().take_while(u8::is_ascii_alphabetic).count().max(taken);
        out.push_str(&rest[..word]);
        rest = &rest[word..];
    }
    shortened(&out, MAX_LENGTH)
}

/// How much of a text is a variable part, from its begin on.
fn variable(text: &str) -> usize {
    let run = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let word = &text.as_bytes()[..run];
    if is_uuid(text.as_bytes()) {
        return UUID.len();
    }
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_hex = word.iter().all(u8::is_ascii_hexdigit);
    let is_mixed = digits > 0 && digits < run;
    if is_mixed && (is_hex && run >= MIN_HEX || run >= MIN_MIXED) {
        return run;
    }
    word.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where a UUID has its digits and its dashes.
const UUID: &[u8; 36] = b"00000000-0000-0000-0000-000000000000";

fn is_uuid(text: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'-' => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() >= UUID.len() && text.iter().zip(UUID).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_collapsed() {
        for (key, expected) in [
            ("cart:42", "cart:*"),
            ("Product:id:prod-0011:v2", "Product:id:prod-*:v*"),
            ("user:550e8400-e29b-41d4-a716-446655440000:cart", "user:*:cart"),
            ("sess:9f86d081884c7d659a2feaa0c55ad015", "sess:*"),
            ("token/eyJhbGciOiJIUzI1NiIsInR5cCI6", "token/*"),
            ("2026-11-23", "*-*-*"),
            ("deadbeef:facade:cafe", "deadbeef:facade:cafe"),
            ("a12345678901b:x", "*:x"),
            ("plain", "plain"),
            ("", ""),
            ("käse:7🙂8", "käse:*🙂*"),
            ("12", "*"),
        ] {
            assert_eq!(pattern(key), expected, "{key}");
        }
        assert!(pattern(&"ab:".repeat(1000)).len() < 1000);
    }

    fn probe() -> Probe {
        let template =
            |text: &str| text.parse::<KeyTemplate>().expect("a template").with_prefix("p:");
        let strategies = [("own/a", "A:{id}"), ("own/b", "A:{id}:x")];
        let strategies = strategies.map(|(id, text)| (id.to_owned(), template(text)));
        Probe::new("p:", strategies.into())
    }

    #[test]
    fn misses_belong_to_the_strategy_that_makes_the_key() {
        let mut probe = probe();
        for key in ["p:A:1", "p:A:2", "p:A:3:x", "A:1", "p:C:1", "p:C:2", "p:shopwarm:runs"] {
            probe.miss(key.as_bytes());
        }
        probe.miss(b"p:A:\xff");
        assert_eq!((probe.misses, probe.all_covered()), (7, 3));
        assert_eq!(probe.by_strategy(), [("own/a", 2), ("own/b", 1)]);
        let uncovered = probe.uncovered(20);
        assert_eq!(uncovered[..2], [("p:C:*", 2), ("A:*", 1)]);
        assert_eq!(probe.uncovered(1).len(), 1);
    }

    #[test]
    fn an_access_log_may_be_keys_or_json() {
        let mut probe = probe();
        for line in [
            "p:A:1\r",
            "",
            r#"{"key":"p:A:2"}"#,
            r#"{"key":"p:A:2","hit":true,"more":1}"#,
            r#"{"key":"C:1","hit":false}"#,
            "{broken",
        ] {
            probe.line(line.as_bytes());
        }
        let counts = (probe.misses, probe.all_covered(), probe.hits, probe.unreadable);
        assert_eq!(counts, (3, 2, 1, 1));
    }

    #[test]
    fn memory_is_bounded_and_the_frequent_stay() {
        let mut probe = probe();
        let name = |n: usize| -> String {
            let letter = |shift: u32| char::from(b'a' + (n / 26_usize.pow(shift) % 26) as u8);
            (0..5).map(letter).collect()
        };
        for n in 0..50_000 {
            probe.miss(name(n).as_bytes());
            if n % 5 == 0 {
                probe.miss(b"often:1");
            }
        }
        assert!(probe.patterns.len() <= MAX_PATTERNS);
        assert_eq!(probe.uncovered(1), [("often:*", 10_000)]);
        let kept: u64 = probe.patterns.values().sum();
        assert_eq!(kept + probe.others, probe.misses);
    }
}
