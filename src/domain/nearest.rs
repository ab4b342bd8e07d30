//! What a misspelled name was meant to be.

/// The known name that `name` is a near spelling of, in any case of letters, if one is.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    let scored = known.into_iter().filter_map(|known| {
        let other = known.to_lowercase();
        let score = strsim::jaro_winkler(&lower, &other);
        (score > 0.75 && is_near(&lower, &other)).then_some((score, known))
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, known)| known)
}

/// Whether at most a quarter of the letters differ: names that only share an ending, such as `order_id`
/// and `customer_id`, are different names.
fn is_near(one: &str, other: &str) -> bool {
    let longer = one.chars().count().max(other.chars().count());
    strsim::osa_distance(one, other) <= (longer / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_spelling_is_meant() {
        for (name, known, meant) in [
            ("order_id", "customer_id", None),
            ("created_at", "updated_at", None),
            ("catalogue", "catalog", Some("catalog")),
            ("stoer", "store", Some("store")),
            ("tll", "ttl", Some("ttl")),
            ("createdat", "createdAt", Some("createdAt")),
            ("costumer_id", "customer_id", Some("customer_id")),
        ] {
            assert_eq!(nearest(name, [known, "x"]), meant, "{name}");
        }
    }
}
