//! The keys of a job that go to one server together.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::node::Node;

/// Some of a job's keys, by index.
#[derive(Clone)]
pub(super) enum Picks {
    Run(Range<usize>),
    Some(Vec<usize>),
}

impl Picks {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Run(range) => range.len(),
            Self::Some(list) => list.len(),
        }
    }

    pub(super) fn at(&self, n: usize) -> usize {
        match self {
            Self::Run(range) => range.start + n,
            Self::Some(list) => list[n],
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).map(|n| self.at(n))
    }

    /// The first `n`, and the rest.
    pub(super) fn split(self, n: usize) -> (Self, Self) {
        match self {
            Self::Run(range) => {
                let middle = range.start + n;
                (Self::Run(range.start..middle), Self::Run(middle..range.end))
            }
            Self::Some(mut list) => {
                let rest = list.split_off(n);
                (Self::Some(list), Self::Some(rest))
            }
        }
    }
}

/// A part of a job, for one server.
pub(super) struct Part {
    pub node: Arc<Node>,
    pub picks: Picks,
    /// Attempts without an answer.
    pub losses: u32,
    /// Its keys are migrating to this node (ASK).
    pub asking: bool,
}

impl Part {
    pub(super) fn new(node: Arc<Node>, picks: Picks, losses: u32) -> Self {
        Self { node, picks, losses, asking: false }
    }
}

/// Migrating keys, by target node.
pub(super) fn asking(keys: Vec<(usize, Arc<Node>)>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, node) in keys {
        let part = parts.iter_mut().find(|part| Arc::ptr_eq(&part.node, &node));
        match part.map(|part| &mut part.picks) {
            Some(Picks::Some(list)) => list.push(i),
            _ => parts.push(Part { asking: true, ..Part::new(node, Picks::Some(vec![i]), 0) }),
        }
    }
    parts
}

pub(super) fn push_front(parts: &mut VecDeque<Part>, new: VecDeque<Part>) {
    for part in new.into_iter().rev() {
        parts.push_front(part);
    }
}

/// Chunks of consecutive items, with at most `max` items and about `max_bytes`; a single item may
/// be larger.
pub(super) fn chunks(
    sizes: impl Iterator<Item = usize>,
    max: usize,
    max_bytes: usize,
) -> Vec<Range<usize>> {
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (i, size) in sizes.enumerate() {
        bytes += size;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < max && bytes <= max_bytes => chunk.end = i + 1,
            _ => {
                bytes = size;
                chunks.push(i..i + 1);
            }
        }
    }
    chunks
}
