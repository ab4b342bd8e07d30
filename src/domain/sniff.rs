//! What the bytes of a value are that somebody else has stored.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::ZlibDecoder;
use serde_json::Value as Json;

use super::coding::{Coding, Compression, Format};
use super::encode::MAX_VALUE_BYTES;

/// How a stored value is written, as far as its bytes tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Sniffed {
    pub packing: Packing,
    pub content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One that can be written too, or none.
    Known(Compression),
    /// By its name.
    Foreign(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A value in a format that can be written too.
    Known(Format, Json),
    Text,
    /// What is never written, by its name.
    Foreign(&'static str),
    Unknown,
}

/// The bytes that foreign formats begin with.
const FOREIGN: [(&[u8], &str); 9] = [
    (b"\x00\x00\x00\x02", "igbinary"),
    (b"\x00\x00\x00\x01", "igbinary"),
    (b"\xac\xed\x00\x05", "serialized Java objects"),
    (b"\x04\x08", "Ruby's Marshal"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"\x00\x01\x00\x00\x00\xff\xff\xff\xff", ".NET's BinaryFormatter"),
];

const PICKLE: &str = "a Python pickle";

impl Sniffed {
    /// For people: `PHP, gzip`.
    pub fn name(&self) -> String {
        let content = match &self.content {
            Content::Known(format, _) => format.name(),
            Content::Text => "text",
            Content::Foreign(name) => name,
            Content::Unknown => "binary",
        };
        match self.packing {
            Packing::Known(Compression::None) => content.to_owned(),
            Packing::Known(known) => format!("{content}, {}", known.name()),
            Packing::Foreign(name) => format!("{content}, {name}"),
        }
    }

    /// How it can be read; `None`: it cannot.
    pub fn coding(&self) -> Option<Coding> {
        match (self.packing, &self.content) {
            (Packing::Known(compression), Content::Known(format, _)) => {
                Some(Coding { compression, ..(*format).into() })
            }
            _ => None,
        }
    }
}

pub fn sniff(stored: &[u8]) -> Sniffed {
    let (packing, bytes) = unpacked(stored);
    Sniffed { packing, content: content(&bytes) }
}

fn unpacked(stored: &[u8]) -> (Packing, Cow<'_, [u8]>) {
    let known = Compression::of(stored);
    if known != Compression::None
        && let Some(inside) = known.decompress(stored)
    {
        return (Packing::Known(known), Cow::Owned(inside));
    }
    if stored.starts_with(b"\xff\x06\x00\x00sNaPpY") {
        return (Packing::Foreign("snappy"), Cow::Borrowed(&[]));
    }
    match unzipped(stored) {
        Some(inside) => (Packing::Foreign("zlib"), Cow::Owned(inside)),
        None => (Packing::Known(Compression::None), Cow::Borrowed(stored)),
    }
}

/// RFC 1950: the first two bytes are a multiple of 31.
fn unzipped(stored: &[u8]) -> Option<Vec<u8>> {
    let head = u16::from_be_bytes(*stored.first_chunk()?);
    if stored[0] & 0x0f != 8 || !head.is_multiple_of(31) {
        return None;
    }
    let mut out = Vec::new();
    let mut limited = ZlibDecoder::new(stored).take(MAX_VALUE_BYTES as u64);
    limited.read_to_end(&mut out).ok()?;
    Some(out)
}

fn content(bytes: &[u8]) -> Content {
    for format in [Format::Json, Format::Php] {
        if let Some(value) = format.read(bytes) {
            return Content::Known(format, value);
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(|c: char| c.is_control() && !c.is_whitespace())
    {
        return match is_php_object(text) {
            true => Content::Foreign("serialized PHP objects"),
            false => Content::Text,
        };
    }
    if is_php_object(&String::from_utf8_lossy(bytes)) {
        return Content::Foreign("serialized PHP objects");
    }
    let mut foreign = FOREIGN.iter();
    if let Some((_, name)) = foreign.find(|(begin, _)| bytes.starts_with(begin)) {
        return Content::Foreign(name);
    }
    match Format::Msgpack.read(bytes) {
        Some(value) if value.is_object() || value.is_array() => {
            Content::Known(Format::Msgpack, value)
        }
        _ => Content::Unknown,
    }
}

/// `O:8:"stdClass":...}`, or an array that holds one.
fn is_php_object(text: &str) -> bool {
    let is_object = |text: &str| {
        let rest = text.strip_prefix("O:").unwrap_or_default();
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        digits.len() < rest.len() && digits.starts_with(":\"")
    };
    let is_array = text.starts_with("a:");
    let has_object = || text.match_indices(";O:").any(|(at, _)| is_object(&text[at + 1..]));
    text.ends_with('}') && (is_object(text) || is_array && has_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_bytes() {
        let known = |format| move |content: &Content| matches!(content, Content::Known(f, _) if *f == format);
        let json = known(Format::Json);
        assert!(json(&sniff(b"{\"a\": 1}").content));
        assert!(json(&sniff(b"42").content));
        assert!(known(Format::Php)(&sniff(b"a:1:{s:1:\"a\";i:1;}").content));
        assert!(known(Format::Msgpack)(&sniff(b"\x81\xa1a\xc3").content));
        for (bytes, expected) in [
            (&b"O:8:\"stdClass\":1:{s:1:\"a\";i:1;}"[..], "serialized PHP objects"),
            (b"a:1:{i:0;O:1:\"P\":1:{s:4:\"\0*\0a\";i:1;}}", "serialized PHP objects"),
            (b"\x00\x00\x00\x02\x14\x01\x11\x01a\x06\x01", "igbinary"),
            (b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94.", "a Python pickle"),
            (b"\xac\xed\x00\x05sr\x00\x04Shop", "serialized Java objects"),
            (b"\x04\x08{\x06I\"\x06a", "Ruby's Marshal"),
        ] {
            assert_eq!(sniff(bytes).content, Content::Foreign(expected), "{bytes:?}");
        }
        assert_eq!(sniff(b"<p>page</p>").content, Content::Text);
        assert_eq!(sniff(b"\xfe\xff\x00\x00").content, Content::Unknown);
        assert_eq!(sniff(b"").content, Content::Text);
    }

    #[test]
    fn what_is_compressed_is_looked_into() {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Lz4] {
            let coding = Coding { compression, ..Format::Php.into() };
            let mut stored = Vec::new();
            coding.encode(b"[1]", &mut stored).expect("a value");
            let sniffed = sniff(&stored);
            assert_eq!(sniffed.packing, Packing::Known(compression));
            assert!(matches!(sniffed.content, Content::Known(Format::Php, _)));
        }
        let zlib = b"\x78\x9c\x8b\x36\x8c\x05\x00\x01\xd3\x00\xea";
        let sniffed = sniff(zlib);
        assert_eq!(sniffed.packing, Packing::Foreign("zlib"), "{sniffed:?}");
    }
}
