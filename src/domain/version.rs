//! Which state of its rows an entry was made of.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use serde_json::Value;

use super::precision::Precision;

/// Another one whenever the rows of an entry are others than before. It is a hash: two states are
/// taken for one in one of 2^64 cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    hash: u64,
    precision: Precision,
}

impl Version {
    /// The version of a value that is made of no row.
    pub const EMPTY: Self = Self { hash: 0, precision: Precision::Exact };

    /// The version that everything in a row makes.
    pub fn of_row(row: &[u8]) -> Self {
        Self { hash: FixedState::with_seed(SEED).hash_one(row), precision: Precision::Exact }
    }

    /// The version that a row's column says, in its JSON form.
    pub fn of_column(column: &[u8]) -> Self {
        Self { precision: Precision::of(column), ..Self::of_row(column) }
    }

    /// How close in time two changes may be that it tells apart.
    pub fn precision(self) -> Precision {
        self.precision
    }

    /// The version of a value that has this row too, in whatever order the rows come.
    #[must_use]
    pub fn and(self, row: Self) -> Self {
        Self {
            hash: self.hash.wrapping_add(row.hash),
            precision: self.precision.min(row.precision),
        }
    }
}

/// Whether a value that says `old` of itself is newer than one that says `new`: numbers and texts (such
/// as times of one form) have an order, anything else has none.
pub fn is_newer(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => match (old.as_i64(), new.as_i64()) {
            (Some(old), Some(new)) => old > new,
            _ => old.as_f64() > new.as_f64(),
        },
        (Value::String(old), Value::String(new)) => {
            match (old.parse::<f64>(), new.parse::<f64>()) {
                (Ok(old), Ok(new)) => old > new,
                _ => old > new,
            }
        }
        _ => false,
    }
}

/// Any: the hashes never leave the process.
const SEED: u64 = 0x7368_6f70_7761_726d;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer_has_an_order() {
        use serde_json::json;
        assert!(is_newer(&json!(10), &json!(9)) && !is_newer(&json!(9), &json!(9)));
        assert!(is_newer(&json!("10"), &json!("9")));
        assert!(is_newer(&json!("2026-02-01T00:00:00"), &json!("2026-01-31T00:00:00")));
        assert!(is_newer(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)));
        assert!(!is_newer(&json!("b"), &json!(1)) && !is_newer(&json!(null), &json!(null)));
    }

    #[test]
    fn rows_count_in_any_order_and_each_of_them_does() {
        let [a, b, c] = [&b"1"[..], b"2", b"3"].map(Version::of_row);
        assert_eq!(a.and(b), b.and(a));
        assert_ne!(a.and(b), a.and(c));
        assert_ne!(a.and(b), a);
        assert_ne!(a.and(a), a);
    }
}
