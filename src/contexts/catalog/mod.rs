//! Products and categories.

mod category_tree;

use super::context::Context;
use super::registry::Registry;

pub(super) const CONTEXT: Context = Context {
    name: "catalog",
    definitions: include_str!("warmup.toml"),
};

/// The strategies whose values are put together in Rust.
pub(super) fn register(registry: Registry) -> Registry {
    registry.rows("catalog", "category-tree", category_tree::build)
}
