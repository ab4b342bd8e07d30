//! Which state of its rows an entry was made of.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

/// Another one whenever the rows of an entry are others than before. It is a hash: two states are
/// taken for one in one of 2^64 cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u64);

impl Version {
    /// The version that a row's column says.
    pub fn of(column: &[u8]) -> Self {
        Self(FixedState::with_seed(SEED).hash_one(column))
    }

    /// The version of a value that has this row too, in whatever order the rows come.
    #[must_use]
    pub fn and(self, row: Self) -> Self {
        Self(self.0.wrapping_add(row.0))
    }
}

/// Any: the hashes never leave the process.
const SEED: u64 = 0x7368_6f70_7761_726d;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_in_any_order_and_each_of_them_does() {
        let [a, b, c] = [&b"1"[..], b"2", b"3"].map(Version::of);
        assert_eq!(a.and(b), b.and(a));
        assert_ne!(a.and(b), a.and(c));
        assert_ne!(a.and(b), a);
        assert_ne!(a.and(a), a);
    }
}
