//! Text on its way into JSON.

use std::io::Write as _;

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| format!("invalid UTF-8 at byte {}", e.valid_up_to()))
}

pub(super) fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Writing into a `Vec` cannot fail.
pub(super) fn infallible(result: std::io::Result<()>) {
    debug_assert!(result.is_ok());
}

/// Appends a JSON string literal: non-ASCII as it is, only what must be escaped is.
pub(super) fn push_string(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if needs_escapes(text.as_bytes()) {
        return serde_json::to_writer(out, text).map_err(|e| e.to_string());
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    push(out, text);
    out.push(b'"');
    Ok(())
}

/// Looked at in blocks without a branch for each byte: most text has nothing to escape, and this
/// was the costliest part of a run.
fn needs_escapes(text: &[u8]) -> bool {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut blocks = text.chunks_exact(32);
    let in_block = |block: &[u8]| block.iter().fold(false, |found, byte| found | special(*byte));
    blocks.any(in_block) || in_block(blocks.remainder())
}

pub(super) fn push_uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        infallible(write!(out, "{byte:02x}"));
    }
}
