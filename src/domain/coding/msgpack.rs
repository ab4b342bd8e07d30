//! MessagePack: written as short as it can be, and read where it is plain data.

use rmp::Marker;
use rmp::encode;
use serde_json::{Map, Number as JsonNumber, Value as Json};

use super::lost::Lost;
use super::number::{Number, exact};

/// Values in values, as deep as JSON is read.
const MAX_DEPTH: usize = 127;

/// Appends a value.
pub(super) fn write(value: &Json, out: &mut Vec<u8>) -> Result<(), Lost> {
    match value {
        Json::Null => infallible(encode::write_nil(out)),
        Json::Bool(b) => infallible(encode::write_bool(out, *b)),
        Json::Number(number) => infallible(match exact(number.as_str())? {
            Number::Int(int) => encode::write_sint(out, int).map(drop),
            Number::Uint(uint) => encode::write_uint(out, uint).map(drop),
            Number::Float(float) => encode::write_f64(out, float),
        }),
        Json::String(text) => infallible(encode::write_str(out, text)),
        Json::Array(items) => {
            infallible(encode::write_array_len(out, length(items.len())).map(drop));
            for (i, item) in items.iter().enumerate() {
                write(item, out).map_err(|lost| lost.below(&format!("[{i}]")))?;
            }
        }
        Json::Object(fields) => {
            infallible(encode::write_map_len(out, length(fields.len())).map(drop));
            for (name, value) in fields {
                infallible(encode::write_str(out, name));
                write(value, out).map_err(|lost| lost.below(name))?;
            }
        }
    }
    Ok(())
}

/// No value has as many bytes as would overflow it.
fn length(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

/// Writing into a `Vec` cannot fail.
fn infallible<E>(result: Result<(), E>) {
    debug_assert!(result.is_ok());
}

/// The value of all the bytes; `None`: they are something else, or hold what JSON does not.
pub(super) fn read(bytes: &[u8]) -> Option<Json> {
    let mut reader = Reader(bytes);
    let value = reader.value(MAX_DEPTH)?;
    reader.0.is_empty().then_some(value)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Json> {
        let [marker] = self.take()?;
        Some(match Marker::from_u8(marker) {
            Marker::Null => Json::Null,
            Marker::True => true.into(),
            Marker::False => false.into(),
            Marker::FixPos(number) => number.into(),
            Marker::FixNeg(number) => number.into(),
            Marker::U8 => u8::from_be_bytes(self.take()?).into(),
            Marker::U16 => u16::from_be_bytes(self.take()?).into(),
            Marker::U32 => u32::from_be_bytes(self.take()?).into(),
            Marker::U64 => u64::from_be_bytes(self.take()?).into(),
            Marker::I8 => i8::from_be_bytes(self.take()?).into(),
            Marker::I16 => i16::from_be_bytes(self.take()?).into(),
            Marker::I32 => i32::from_be_bytes(self.take()?).into(),
            Marker::I64 => i64::from_be_bytes(self.take()?).into(),
            Marker::F32 => float(f64::from(f32::from_be_bytes(self.take()?)))?,
            Marker::F64 => float(f64::from_be_bytes(self.take()?))?,
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => {
                let length = u8::from_be_bytes(self.take()?);
                self.text(length.into())?
            }
            Marker::Str16 => {
                let length = u16::from_be_bytes(self.take()?);
                self.text(length.into())?
            }
            Marker::Str32 => {
                let length = u32::from_be_bytes(self.take()?);
                self.text(length)?
            }
            Marker::FixArray(length) => self.list(length.into(), depth)?,
            Marker::Array16 => {
                let length = u16::from_be_bytes(self.take()?);
                self.list(length.into(), depth)?
            }
            Marker::Array32 => {
                let length = u32::from_be_bytes(self.take()?);
                self.list(length, depth)?
            }
            Marker::FixMap(length) => self.object(length.into(), depth)?,
            Marker::Map16 => {
                let length = u16::from_be_bytes(self.take()?);
                self.object(length.into(), depth)?
            }
            Marker::Map32 => {
                let length = u32::from_be_bytes(self.take()?);
                self.object(length, depth)?
            }
            _ => return None,
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn text(&mut self, length: u32) -> Option<Json> {
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(std::str::from_utf8(text).ok()?.into())
    }

    fn list(&mut self, length: u32, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth)?);
        }
        Some(items.into())
    }

    /// Keys are texts or numbers, which become texts.
    fn object(&mut self, length: u32, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        let mut fields = Map::new();
        for _ in 0..length {
            let name = match self.value(0)? {
                Json::String(name) => name,
                Json::Number(number) => number.to_string(),
                _ => return None,
            };
            fields.insert(name, self.value(depth)?);
        }
        Some(Json::Object(fields))
    }
}

fn float(float: f64) -> Option<Json> {
    JsonNumber::from_f64(float).map(Json::Number)
}
