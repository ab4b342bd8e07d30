//! What a row of the cache file holds.

pub(super) const STORE: &str =
    "INSERT INTO entries (key, type, value, expires_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key) DO UPDATE
    SET type = excluded.type, value = excluded.value, expires_at = excluded.expires_at
    WHERE ?5 OR entries.expires_at <= ?6";

/// The fields of a stored hash.
pub(super) fn fields(value: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(value).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    object
        .into_iter()
        .map(|(name, value)| (name.into_bytes(), text(value).into_bytes()))
        .collect()
}

/// An item of a list that grows at its end: a row of its own, behind the list's key and a NUL, so
/// that the list is not written again for each.
pub(super) const ITEM: &str = "item";

/// Bytes of an item's place, at the end of its key.
const PLACE: usize = size_of::<u64>();

/// The key of a list's item: in their order.
pub(super) fn item_key(list: &[u8], place: u64) -> Vec<u8> {
    [list, &[0], &place.to_be_bytes()].concat()
}

pub(super) fn place(item_key: &[u8]) -> Option<u64> {
    let at = item_key.len().checked_sub(PLACE)?;
    Some(u64::from_be_bytes(item_key[at..].try_into().ok()?))
}
