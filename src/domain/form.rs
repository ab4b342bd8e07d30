//! How the values of a strategy are stored, and what stored bytes mean to their reader.

use serde_json::Value as Json;

use super::coding::{Coding, Compression, Format};
use super::json_equality;
use super::strategy::{Shape, StrategySpec};

/// What values are made of, and as which bytes they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    pub shape: Shape,
    pub coding: Coding,
}

impl From<&StrategySpec> for Form {
    fn from(spec: &StrategySpec) -> Self {
        let (shape, coding) = (spec.value, spec.coding);
        Self { shape, coding }
    }
}

impl From<Shape> for Form {
    /// Stored as it is.
    fn from(shape: Shape) -> Self {
        let coding = Coding::default();
        Self { shape, coding }
    }
}

impl Form {
    /// Whether only the same bytes mean the same.
    pub fn is_bytes(self) -> bool {
        self.shape == Shape::Text && self.coding.is_plain()
    }

    /// What stored bytes mean; `None`: they are not of this form.
    pub fn read(self, stored: &[u8]) -> Option<Json> {
        match self.is_text() {
            true => Some(std::str::from_utf8(&self.coding.unpack(stored)?).ok()?.into()),
            false => self.coding.decode(stored),
        }
    }

    /// For people: `text`, `PHP, zstd`.
    pub fn name(self) -> String {
        let name = if self.is_text() { "text" } else { self.coding.format.name() };
        match self.coding.compression {
            Compression::None => name.to_owned(),
            compression => format!("{name}, {}", compression.name()),
        }
    }

    /// Whether a text is stored as it is, but for its compression.
    fn is_text(self) -> bool {
        self.shape == Shape::Text && self.coding.format == Format::Json
    }

    /// Whether a reader gets the same from both. Bytes of another form are the same only byte for
    /// byte.
    pub fn same(self, cached: &[u8], ours: &[u8]) -> bool {
        if cached == ours || self.is_bytes() {
            return cached == ours;
        }
        match (self.read(cached), self.read(ours)) {
            (Some(cached), Some(ours)) => json_equality::equal(&cached, &ours),
            _ => false,
        }
    }
}
