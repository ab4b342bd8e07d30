//! Which value was stored at a key, in few bytes.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

use super::json_equality;
use super::value::Value;

/// Bytes of a digest: two values are taken for one in one of 2^48 cases.
pub const DIGEST_BYTES: usize = 6;

/// Another one for another value. It is kept in the cache, so it must stay the same for a value: where
/// it changes, lists of keys need another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; DIGEST_BYTES]);

impl Digest {
    pub fn of(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::of_text(text),
            Value::Json(text) => Self::of_json(text),
            Value::Collection(_, pairs) => Self::of_pairs(pairs.iter()),
        }
    }

    /// Of a document that its cache may write in another way.
    pub fn of_json(text: &[u8]) -> Self {
        Self::cut(hash(&json_equality::normal_form(text)[..]))
    }

    pub fn of_text(text: &[u8]) -> Self {
        Self::cut(hash(text))
    }

    /// Of a collection; the order of its parts does not matter.
    pub fn of_pairs<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>) -> Self {
        let each = pairs.map(|(name, value)| hash(&(name, value)));
        Self::cut(each.fold(0, u64::wrapping_add))
    }

    fn cut(hash: u64) -> Self {
        let [a, b, c, d, e, f, ..] = hash.to_le_bytes();
        Self([a, b, c, d, e, f])
    }

    /// The value is not known: no value has this digest.
    pub fn is_unknown(self) -> bool {
        self == Self::default()
    }

    pub fn bytes(self) -> [u8; DIGEST_BYTES] {
        self.0
    }
}

impl From<[u8; DIGEST_BYTES]> for Digest {
    fn from(bytes: [u8; DIGEST_BYTES]) -> Self {
        Self(bytes)
    }
}

fn hash(value: &(impl std::hash::Hash + ?Sized)) -> u64 {
    FixedState::with_seed(SEED).hash_one(value)
}

const SEED: u64 = 0x6f77_6e20_6b65_7973;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_values_apart_and_stays_the_same() {
        let text = Digest::of_text(b"{\"id\":1}");
        assert_eq!(text, Digest::of(Value::Text(b"{\"id\":1}")));
        assert_ne!(text, Digest::of_text(b"{\"id\":2}"));
        assert!(!text.is_unknown());
        let fields: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"b", b"2")];
        let same = Digest::of_pairs(fields.into_iter());
        assert_eq!(same, Digest::of_pairs(fields.into_iter().rev()));
        let moved: [(&[u8], &[u8]); 2] = [(b"a", b"2"), (b"b", b"1")];
        assert_ne!(same, Digest::of_pairs(moved.into_iter()));
        // What older runs left in caches must be known again.
        assert_eq!(Digest::of_text(b"kept").bytes(), KEPT);
    }

    const KEPT: [u8; DIGEST_BYTES] = [17, 151, 255, 23, 244, 25];
}
