//! Affinities of columns.

/// What a column does with a value of another type, see <https://sqlite.org/datatype3.html>, 3.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Text,
    Number,
    /// It keeps every value as it is.
    None,
}

/// `declared`: in capital letters.
pub(super) fn affinity(declared: &str) -> Affinity {
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        Affinity::Number
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) || declared == "ANY" {
        Affinity::None
    } else {
        Affinity::Number
    }
}
