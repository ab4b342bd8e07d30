//! Values that are made of all rows of one key.

mod document;
mod forest;
mod members;
mod rows;

use super::layout::Layout;
use crate::domain::entry::Collection;
use crate::domain::strategy::Shape;

use document::Document;
use forest::Forest;
use members::Members;
pub(super) use rows::Collect;

/// What takes the rows of one key.
pub(super) fn collector(layout: &Layout) -> Box<dyn Collect> {
    match layout.shape {
        Shape::HashOfRows => Box::new(Members::of(Collection::Hash)),
        Shape::Set => Box::new(Members::of(Collection::Set)),
        Shape::SortedSet => Box::new(Members::of(Collection::SortedSet)),
        Shape::Tree => Box::new(Forest::default()),
        _ => Box::new(Document::new(&layout.place)),
    }
}
