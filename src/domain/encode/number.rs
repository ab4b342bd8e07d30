//! Numbers as JSON has them.

use super::text::push;

pub(super) fn not_finite() -> String {
    "NaN and infinity have no JSON form".into()
}

pub(super) fn push_number(digits: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if matches!(
        digits.to_ascii_lowercase().trim_start_matches(['-', '+']),
        "nan" | "inf" | "infinity"
    ) {
        return Err(not_finite());
    }
    if !is_json_number(digits.as_bytes()) {
        return Err("is not a JSON number".into());
    }
    push(out, digits);
    Ok(())
}

/// RFC 8259, section 6.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |s: &[u8]| s.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let int = digits(rest);
    if int == 0 || (int > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[int..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let n = digits(fraction);
        if n == 0 {
            return false;
        }
        rest = &fraction[n..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}
