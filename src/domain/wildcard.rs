//! Patterns of names: `*` is any text.

/// Whether a text is what a pattern says; a pattern without `*` says itself.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(left) = text.strip_prefix(start) else {
        return false;
    };
    let mut ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    ends.any(|at| matches(rest, &left[at..]))
}

pub fn is_pattern(text: &str) -> bool {
    text.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text) in [
            ("catalog/*", "catalog/hot-products"),
            ("*/hot-*s", "catalog/hot-products"),
            ("*", ""),
            ("catalog", "catalog"),
            ("é*", "éa"),
        ] {
            assert!(matches(pattern, text), "{pattern}: {text}");
        }
        for (pattern, text) in [
            ("catalog/*", "catalog"),
            ("*/hot-*x", "catalog/hot-products"),
            ("cat", "catalog"),
            ("a?", "ab"),
        ] {
            assert!(!matches(pattern, text), "{pattern}: {text}");
        }
    }
}
