//! The bytes that a finished value is stored as: its format, and how it is compressed.

mod compression;
mod lost;
mod msgpack;
mod number;
mod php;
mod unserialize;

use std::borrow::Cow;

use serde_json::Value as Json;

pub use self::compression::Compression;

/// What turns the text of a value into the stored bytes, and back. The default stores the text
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    pub format: Format,
    pub compression: Compression,
    /// Shorter values are stored as they are; 0: none is.
    pub compress_from: usize,
}

/// In which language a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Json,
    /// What PHP's `serialize` writes.
    Php,
    Msgpack,
}

impl Format {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Php => "PHP",
            Self::Msgpack => "MessagePack",
        }
    }

    /// Appends what is written for a JSON text.
    fn write(self, json: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let write = match self {
            Self::Json => {
                out.extend_from_slice(json);
                return Ok(());
            }
            Self::Php => php::write,
            Self::Msgpack => msgpack::write,
        };
        let value =
            serde_json::from_slice(json).map_err(|error| format!("not encoded: {error}"))?;
        write(&value, out).map_err(String::from)
    }

    /// What was written; `None`: something else.
    pub fn read(self, written: &[u8]) -> Option<Json> {
        match self {
            Self::Json => serde_json::from_slice(written).ok(),
            Self::Php => unserialize::read(written),
            Self::Msgpack => msgpack::read(written),
        }
    }
}

impl From<Format> for Coding {
    fn from(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

impl Coding {
    /// Whether the text itself is stored.
    pub fn is_plain(self) -> bool {
        self.format == Format::Json && self.compression == Compression::None
    }

    /// Appends the stored form of `text`: JSON, or for a plain text without a format the text
    /// itself. The same text always gives the same bytes.
    ///
    /// # Errors
    /// Names the place of what the format cannot hold exactly; `out` may then hold a part of it.
    pub fn encode(self, text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len();
        self.format.write(text, out)?;
        if self.compression == Compression::None || out.len() - start < self.compress_from {
            return Ok(());
        }
        let written = out.split_off(start);
        let compressed = self.compression.compress(&written, out);
        compressed.map_err(|error| format!("not compressed: {error}"))
    }

    /// The stored bytes without their compression; `None`: they are not compressed as they should
    /// be.
    pub fn unpack(self, stored: &[u8]) -> Option<Cow<'_, [u8]>> {
        let is_packed = self.compression != Compression::None
            && (self.compress_from == 0 || Compression::of(stored) == self.compression);
        match is_packed {
            true => self.compression.decompress(stored).map(Cow::Owned),
            false => Some(Cow::Borrowed(stored)),
        }
    }

    /// What the stored bytes mean; `None`: they are not of this form.
    pub fn decode(self, stored: &[u8]) -> Option<Json> {
        self.format.read(&self.unpack(stored)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(format: Format, json: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        Coding::from(format).encode(json.as_bytes(), &mut out)?;
        Ok(out)
    }

    #[test]
    fn php_reads_what_it_would_have_written() {
        for (json, expected) in [
            ("null", "N;"),
            ("true", "b:1;"),
            ("-0", "i:0;"),
            ("9223372036854775807", "i:9223372036854775807;"),
            ("12.50", "d:12.5;"),
            ("0.00001", "d:1.0E-5;"),
            ("1e16", "d:10000000000000000;"),
            ("1.5e17", "d:1.5E+17;"),
            ("-0.0", "d:-0;"),
            ("\"käse\"", "s:5:\"käse\";"),
            ("[]", "a:0:{}"),
            ("{}", "a:0:{}"),
            ("[1,\"a\"]", "a:2:{i:0;i:1;i:1;s:1:\"a\";}"),
            ("{\"7\":1,\"07\":2}", "a:2:{i:7;i:1;s:2:\"07\";i:2;}"),
            ("{\"a\":1,\"b\":2,\"a\":3}", "a:2:{s:1:\"a\";i:3;s:1:\"b\";i:2;}"),
        ] {
            let stored = stored(Format::Php, json).expect(json);
            assert_eq!(String::from_utf8_lossy(&stored), expected, "{json}");
        }
    }

    #[test]
    fn what_would_lose_digits_is_named() {
        for (json, place) in [
            ("{\"a\":[1,18446744073709551615]}", "a[1]: 18446744073709551615"),
            ("[0.1000000000000000055]", "[0]: 0.1000000000000000055"),
            ("1e999", "1e+999"),
        ] {
            let error = stored(Format::Php, json).expect_err(json);
            assert!(error.starts_with(place), "{error}");
        }
    }

    #[test]
    fn what_is_stored_means_what_was_encoded() {
        for json in [
            "{\"a\":[1,-2.5,\"x\\u0000\",null,true],\"b\":{\"5\":{}}}",
            "[[],[[]],\"\"]",
            "1.0e+100",
        ] {
            for format in [Format::Php, Format::Msgpack] {
                let bytes = stored(format, json).expect(json);
                let read = format.read(&bytes).expect("a value").to_string();
                assert_eq!(stored(format, &read), Ok(bytes), "{json}");
            }
        }
    }

    #[test]
    fn a_frame_holds_what_was_compressed_and_is_always_the_same() {
        let long = format!("[{}1]", "\"käse\",".repeat(20_000));
        for compression in [Compression::Gzip, Compression::Zstd, Compression::Lz4] {
            for text in ["[]", &long] {
                let coding = Coding { compression, ..Coding::default() };
                let stored = || {
                    let mut out = b"key".to_vec();
                    coding.encode(text.as_bytes(), &mut out).expect("frame");
                    out.split_off(3)
                };
                let bytes = stored();
                assert_eq!(bytes, stored());
                assert_eq!(Compression::of(&bytes), compression);
                assert_eq!(
                    coding.decode(&bytes).map(|json| json.to_string()).as_deref(),
                    Some(text)
                );
                assert!(text.len() < 100 || bytes.len() < text.len() / 10);
                // A reader that expects a frame has no use for anything else.
                assert_eq!(coding.decode(text.as_bytes()), None);
                let from = Coding { compress_from: 1000, ..coding };
                assert!(from.decode(text.as_bytes()).is_some());
                assert!(from.decode(&bytes).is_some());
                assert_eq!(coding.decode(&bytes[..bytes.len() - 5]), None);
            }
        }
    }

    #[test]
    fn no_bytes_do_harm() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let json = "{\"a\":[1,-2.5,\"xyz\",null,true],\"b\":{\"5\":{}}}";
        let compressions =
            [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Lz4];
        for format in [Format::Php, Format::Msgpack] {
            for compression in compressions {
                let coding = Coding { compression, ..format.into() };
                let mut good = Vec::new();
                coding.encode(json.as_bytes(), &mut good).expect("a value");
                let whole = coding.decode(&good);
                for _ in 0..1000 {
                    let mut bytes = good.clone();
                    let at = random.usize(..bytes.len());
                    bytes[at] = random.u8(..);
                    let _ = coding.decode(&bytes);
                    // What is missing may be no more than the mark at the end.
                    let cut = coding.decode(&good[..at]);
                    let is_whole = cut.is_none() || good.len() - at <= 4 && cut == whole;
                    assert!(is_whole, "{coding:?} {at}, seed {seed}");
                }
            }
        }
        for foreign in [
            "O:8:\"stdClass\":0:{}",
            "a:1:{i:0;R:1;}",
            "s:99999999999999999999:\"a\";",
            "a:999999999:{}",
            "i:1;i:2;",
            "d:INF;",
        ] {
            assert_eq!(Format::Php.read(foreign.as_bytes()), None, "{foreign}");
        }
        let deep = "a:1:{i:0;".repeat(100_000);
        assert_eq!(Format::Php.read(deep.as_bytes()), None);
        assert_eq!(Format::Msgpack.read(&[0x91; 100_000]), None);
        assert_eq!(Format::Msgpack.read(b"\xdd\xff\xff\xff\xff"), None);
    }
}
