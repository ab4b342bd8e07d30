//! JSON documents.

/// Whether an escape in a JSON document is one half of a surrogate pair without the other: readers
/// refuse it, though the grammar does not.
fn has_half_a_character(json: &[u8]) -> bool {
    let mut high_ends = None;
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + found;
        at = (escape + 2).min(json.len());
        let digits = match json.get(escape..escape + 6) {
            Some([_, b'u', digits @ ..]) => std::str::from_utf8(digits).unwrap_or_default(),
            _ => continue,
        };
        let low_belongs = high_ends == Some(escape);
        match u16::from_str_radix(digits, 16) {
            Ok(0xD800..=0xDBFF) if high_ends.is_none() => high_ends = Some(escape + 6),
            Ok(0xDC00..=0xDFFF) if low_belongs => high_ends = None,
            Ok(0xD800..=0xDFFF) => return true,
            _ => {}
        }
    }
    high_ends.is_some()
}

/// Appends a JSON document without the white space between its tokens, so that a document is the
/// same bytes whichever database formatted it.
pub(super) fn push_compact_json(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    serde_json::from_str::<&serde_json::value::RawValue>(text)
        .map_err(|e| format!("invalid JSON: {e}"))?;
    if has_half_a_character(text.as_bytes()) {
        return Err("invalid JSON: half of a surrogate pair, which is not a character".to_owned());
    }
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text.as_bytes() {
        if !in_string && matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        out.push(byte);
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            in_string = !in_string;
        }
    }
    Ok(())
}
