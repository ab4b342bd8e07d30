//! What is stored at a key.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Text(&'a [u8]),
    /// A document, where the cache has a type for them.
    Json(&'a [u8]),
    Collection(Collection, Pairs<'a>),
}

/// The types of values that have several parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Collection {
    /// Fields and their values.
    Hash,
    /// Members, each with an empty text.
    Set,
    /// Members and their scores.
    SortedSet,
}

/// The parts of a collection, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairs<'a> {
    pub(super) buffer: &'a [u8],
    pub(super) start: usize,
    /// Where each name, and each value, ends in the buffer.
    pub(super) ends: &'a [usize],
}

impl<'a> Pairs<'a> {
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut start = self.start;
        let mut part = move |end: usize| &self.buffer[std::mem::replace(&mut start, end)..end];
        let pairs = self.ends.chunks_exact(2);
        pairs.map(move |pair| (part(pair[0]), part(pair[1])))
    }

    pub fn len(self) -> usize {
        self.ends.len() / 2
    }

    pub fn is_empty(self) -> bool {
        self.ends.is_empty()
    }
}

impl Value<'_> {
    pub fn bytes(self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Collection(_, pairs) => pairs.iter().map(|(n, v)| n.len() + v.len()).sum(),
        }
    }
}
