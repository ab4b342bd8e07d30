//! Frames that any reader of the format takes apart.

use std::cell::RefCell;
use std::io::{Read, Write as _};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{FrameDecoder, FrameEncoder, FrameInfo};
use zstd::bulk::Compressor;

use crate::domain::encode::MAX_VALUE_BYTES;

#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "kebab-case")]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
    Lz4,
}

const LEVEL: i32 = 3;

thread_local! {
    /// Making one costs more than compressing a value.
    static ZSTD: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

impl Compression {
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The bytes that a frame begins with.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Gzip => b"\x1f\x8b",
            Self::Zstd => b"\x28\xb5\x2f\xfd",
            Self::Lz4 => b"\x04\x22\x4d\x18",
        }
    }

    /// What bytes are compressed with, as far as their begin tells.
    pub fn of(stored: &[u8]) -> Self {
        let all = [Self::Gzip, Self::Zstd, Self::Lz4];
        let found = all.into_iter().find(|one| stored.starts_with(one.magic()));
        found.unwrap_or_default()
    }

    /// Appends one frame: the same bytes for the same value, without a time or a name.
    pub(super) fn compress(self, value: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::None => out.extend_from_slice(value),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::default());
                encoder.write_all(value)?;
                encoder.finish()?;
            }
            Self::Zstd => out.extend(zstd_frame(value)?),
            Self::Lz4 => {
                let info = FrameInfo::new().content_size(Some(value.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, out);
                encoder.write_all(value)?;
                encoder.finish()?;
            }
        }
        Ok(())
    }

    /// What is in a frame; `None`: it is none, or holds more than a value may have.
    pub fn decompress(self, stored: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::None => Some(stored.to_vec()),
            Self::Gzip => all(GzDecoder::new(stored)),
            Self::Zstd => all(zstd::Decoder::with_buffer(stored).ok()?),
            Self::Lz4 => all(FrameDecoder::new(stored)),
        }
    }
}

fn zstd_frame(value: &[u8]) -> std::io::Result<Vec<u8>> {
    ZSTD.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(LEVEL)?),
        };
        compressor.compress(value)
    })
}

fn all(reader: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let limit = MAX_VALUE_BYTES as u64 + 1;
    reader.take(limit).read_to_end(&mut out).ok()?;
    (out.len() <= MAX_VALUE_BYTES).then_some(out)
}
