//! Numbers of a format that has 64 bits for each.

use crate::domain::json_equality::is_same_number;

/// A JSON number as such a format has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    /// Above the largest signed one.
    Uint(u64),
    Float(f64),
}

/// Why a number would lose digits: a wrong price or id is worse than none.
pub(super) struct Lossy(pub(super) String);

/// The number with exactly these digits.
///
/// # Errors
/// No 64-bit number has them all.
pub(super) fn exact(digits: &str) -> Result<Number, Lossy> {
    let is_integer = !digits.contains(['.', 'e', 'E']);
    if is_integer {
        let int = digits.parse().map(Number::Int);
        let number = int.or_else(|_| digits.parse().map(Number::Uint));
        return number.map_err(|_| lossy(digits, "64-bit integer"));
    }
    match digits.parse::<f64>() {
        Ok(float) if is_same_number(digits, &format!("{float:e}")) => Ok(Number::Float(float)),
        _ => Err(lossy(digits, "64-bit float")),
    }
}

/// That a number has more digits than a type holds, and the way out.
pub(super) fn lossy(digits: &str, kind: &str) -> Lossy {
    Lossy(format!(
        "{digits} does not fit a {kind} without loss; numbers = \"string\" keeps its digits"
    ))
}
