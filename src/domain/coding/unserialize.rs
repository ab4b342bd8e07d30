//! Reads what PHP's `serialize` writes of scalars and arrays. Objects and references are no data.

use std::str::FromStr;

use serde_json::{Map, Number, Value as Json};

/// Arrays in arrays, as deep as JSON is read.
const MAX_DEPTH: usize = 127;

/// The value of all the bytes; `None`: they are something else.
pub(super) fn read(bytes: &[u8]) -> Option<Json> {
    let mut reader = Reader(bytes);
    let value = reader.value(MAX_DEPTH)?;
    reader.0.is_empty().then_some(value)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Json> {
        let (kind, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        match kind {
            b"N;" => Some(Json::Null),
            b"b:" => match self.until(b';')? {
                "0" => Some(false.into()),
                "1" => Some(true.into()),
                _ => None,
            },
            b"i:" | b"d:" => number(self.until(b';')?),
            b"s:" => self.string().map(Json::from),
            b"a:" => self.array(depth.checked_sub(1)?),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<String> {
        let length = self.until(b':')?.parse().ok()?;
        self.skip(b"\"")?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        self.skip(b"\";")?;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }

    /// A list where its keys count from 0, else an object.
    fn array(&mut self, depth: usize) -> Option<Json> {
        let length: usize = self.until(b':')?.parse().ok()?;
        self.skip(b"{")?;
        let (mut fields, mut is_list) = (Map::new(), true);
        for i in 0..length {
            let key = match self.value(0)? {
                Json::String(name) => {
                    is_list = false;
                    name
                }
                Json::Number(number) => {
                    is_list &= number.as_u64() == Some(i as u64);
                    number.to_string()
                }
                _ => return None,
            };
            fields.insert(key, self.value(depth)?);
        }
        self.skip(b"}")?;
        Some(match is_list {
            true => fields.into_iter().map(|(_, value)| value).collect(),
            false => Json::Object(fields),
        })
    }

    fn until(&mut self, end: u8) -> Option<&'a str> {
        let at = self.0.iter().position(|byte| *byte == end)?;
        let text = std::str::from_utf8(&self.0[..at]).ok()?;
        self.0 = &self.0[at + 1..];
        Some(text)
    }

    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }
}

fn number(text: &str) -> Option<Json> {
    Number::from_str(text).ok().map(Json::Number)
}
