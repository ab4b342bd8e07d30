//! What PHP's `serialize` writes of the value that its `json_decode` makes of a JSON text, with
//! objects as arrays.

use std::io::Write as _;

use serde_json::Value as Json;

use super::lost::Lost;
use super::number::{Lossy, Number, exact, lossy};

/// Appends a value.
pub(super) fn write(value: &Json, out: &mut Vec<u8>) -> Result<(), Lost> {
    match value {
        Json::Null => push(out, "N;"),
        Json::Bool(b) => push(out, if *b { "b:1;" } else { "b:0;" }),
        Json::Number(number) => push_number(number.as_str(), out)?,
        Json::String(text) => push_string(text, out),
        Json::Array(items) => {
            push(out, &format!("a:{}:{{", items.len()));
            for (i, item) in items.iter().enumerate() {
                push(out, &format!("i:{i};"));
                write(item, out).map_err(|lost| lost.below(&format!("[{i}]")))?;
            }
            out.push(b'}');
        }
        Json::Object(fields) => {
            push(out, &format!("a:{}:{{", fields.len()));
            for (name, value) in fields {
                match key_number(name) {
                    Some(number) => push(out, &format!("i:{number};")),
                    None => push_string(name, out),
                }
                write(value, out).map_err(|lost| lost.below(name))?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// The number that PHP makes of an array's key.
fn key_number(name: &str) -> Option<i64> {
    let number: i64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn push_string(text: &str, out: &mut Vec<u8>) {
    push(out, &format!("s:{}:\"", text.len()));
    push(out, text);
    push(out, "\";");
}

fn push_number(digits: &str, out: &mut Vec<u8>) -> Result<(), Lossy> {
    match exact(digits)? {
        Number::Int(int) => push(out, &format!("i:{int};")),
        Number::Uint(_) => return Err(lossy(digits, "PHP integer")),
        Number::Float(float) => {
            push(out, "d:");
            push_float(float, out);
            out.push(b';');
        }
    }
    Ok(())
}

/// The shortest digits that mean the number, as PHP lays them out with `serialize_precision = -1`.
fn push_float(float: f64, out: &mut Vec<u8>) {
    let shortest = format!("{float:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if let Some(digits) = mantissa.strip_prefix('-') {
        out.push(b'-');
        return push_float_of(digits, exponent, out);
    }
    push_float_of(mantissa, exponent, out);
}

/// `mantissa`: one digit, and the others after a point.
fn push_float_of(mantissa: &str, exponent: i32, out: &mut Vec<u8>) {
    if !(-4..=16).contains(&exponent) {
        let zero = if mantissa.contains('.') { "" } else { ".0" };
        let written = write!(out, "{mantissa}{zero}E{exponent:+}");
        debug_assert!(written.is_ok());
        return;
    }
    let digits = mantissa.replace('.', "");
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or_default();
    if exponent < 0 {
        push(out, "0.");
        push(out, &"0".repeat(places - 1));
        return push(out, &digits);
    }
    match digits.split_at_checked(places + 1) {
        Some((whole, "")) => push(out, whole),
        Some((whole, fraction)) => push(out, &format!("{whole}.{fraction}")),
        None => push(out, &format!("{digits:0<width$}", width = places + 1)),
    }
}
