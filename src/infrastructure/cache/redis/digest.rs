//! Digests for comparing values where they are, computed here and by scripts.

use sha1::{Digest as _, Sha1};

use crate::domain::double;
use crate::domain::entry::{Collection, Value};
use crate::domain::standing::Kind;

pub(super) fn hex_digest(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha1::digest(text);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// A Lua function: the type and the digest of what a key holds, of any type that a run writes; nil:
/// there is no key. [`fingerprint`] is the same of a value.
///
/// The parts of a collection come in no order, so their digests are added up: two sums of 48 bits,
/// which Lua's numbers hold.
pub(super) const FINGERPRINT: &str = include_str!("scripts/fingerprint.lua");

/// What the script says of a document that the cache writes so.
pub(super) fn fingerprint_of_document(text: &[u8]) -> Vec<u8> {
    [b"json ", &hex_digest(text)[..]].concat()
}

/// What the script says of a key that holds this value; of a document, where the cache writes it as
/// is likely.
pub(super) fn fingerprint(value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Text(text) => [b"string ", &hex_digest(text)[..]].concat(),
        Value::Json(text) => fingerprint_of_document(&double::document_as_held(text)),
        Value::Collection(collection, pairs) => {
            let (mut a, mut b) = (0, 0);
            for (name, value) in pairs.iter() {
                let value = match collection {
                    Collection::SortedSet => score(value),
                    _ => value.to_vec(),
                };
                let length = name.len().to_string();
                let sum = hex_digest(&[length.as_bytes(), b":", name, &value].concat());
                a = (a + number(&sum[..12])) % SUMS;
                b = (b + number(&sum[12..24])) % SUMS;
            }
            let kind = Kind::from(collection);
            format!("{} {} {a} {b}", kind.name(), pairs.len()).into_bytes()
        }
    }
}

const SUMS: u64 = 1 << 48;

fn number(hex: &[u8]) -> u64 {
    hex.iter().fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(16).unwrap_or_default();
        number * 16 + u64::from(digit)
    })
}

/// A score as C's `%.16e` writes it: its exponent has a sign and two digits.
fn score(text: &[u8]) -> Vec<u8> {
    let score: f64 = String::from_utf8_lossy(text).parse().unwrap_or_default();
    let text = format!("{score:.16e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs()).into_bytes()
}
