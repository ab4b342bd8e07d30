//! Numbers in caches that keep doubles: scores, and the numbers of JSON documents.

use serde_json::{Number, Value};

use super::json_equality::decimal;
use super::key::printable;

/// The double that has exactly these digits; `None`: there is none.
pub fn exact(digits: &str) -> Option<f64> {
    let double: f64 = digits.parse().ok()?;
    let is_exact = double.is_finite() && decimal(digits) == decimal(&format!("{double:e}"));
    // There is one zero.
    is_exact.then_some(double + 0.0)
}

/// The shortest digits that give the double back.
pub fn shown(double: f64) -> String {
    let text = format!("{double:?}");
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Checks that a cache of JSON documents gives a document back as it is.
///
/// # Errors
/// It is nested too deeply, or a number in it would be another one.
pub fn check_document(text: &[u8]) -> Result<(), String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut left = vec![&value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => left.extend(fields.values()),
            Value::Number(number) if held(number).is_none() => {
                let number = printable(number.to_string().as_bytes());
                return Err(format!(
                    "{number} has more digits than a JSON document of the cache keeps"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A document as a cache of JSON documents writes it: as RedisJSON does.
pub fn document_as_held(text: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(text) {
        Ok(mut value) => {
            hold(&mut value);
            value.to_string().into_bytes()
        }
        Err(_) => text.to_vec(),
    }
}

fn hold(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hold),
        Value::Object(fields) => fields.values_mut().for_each(hold),
        Value::Number(number) => {
            if let Some(held) = held(number) {
                *number = held;
            }
        }
        _ => {}
    }
}

/// An integer, or a double with the same digits.
fn held(number: &Number) -> Option<Number> {
    let text = number.to_string();
    let is_integer = text.parse::<i64>().is_ok_and(|n| n != 0) || text.parse::<u64>().is_ok();
    if is_integer { Some(number.clone()) } else { Number::from_f64(exact(&text)?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_has_the_digits_or_there_is_none() {
        for (digits, text) in [
            ("12.50", "12.5"),
            ("0.1", "0.1"),
            ("-0.0", "0"),
            ("1e3", "1000"),
            ("9007199254740992", "9007199254740992.0"),
            ("100000000000000000000", "1e20"),
        ] {
            let double = exact(digits).expect(digits);
            let text = text.strip_suffix(".0").unwrap_or(text);
            assert_eq!(shown(double).parse::<f64>(), text.parse::<f64>(), "{digits}");
        }
        assert_eq!(shown(12.5), "12.5");
        assert_eq!(shown(7.0), "7");
        for digits in ["9007199254740993", "0.12345678901234567890", "1e999", "x"] {
            assert_eq!(exact(digits), None, "{digits}");
        }
    }

    #[test]
    fn a_document_keeps_its_digits_or_is_refused() {
        let held = |text: &str| String::from_utf8(document_as_held(text.as_bytes()));
        assert_eq!(
            held(r#"{"b":12.50,"a":1.0,"c":1e3,"d":18446744073709551615}"#).as_deref(),
            Ok(r#"{"b":12.5,"a":1.0,"c":1000.0,"d":18446744073709551615}"#)
        );
        assert_eq!(check_document(br#"[1.50,{"a":-7}]"#), Ok(()));
        let refused = check_document(br#"{"a":[0.1,12345678901234567.89]}"#);
        assert!(refused.expect_err("refused").starts_with("12345678901234567.89 has"));
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(check_document(deep.as_bytes()).is_err());
    }
}
