//! Products and categories.

pub mod category_tree;

use super::context::{Coded, Context};

pub(super) const CONTEXT: Context = Context {
    name: "catalog",
    definitions: include_str!("warmup.toml"),
    coded: &[Coded {
        strategy: "category-tree",
        build: category_tree::build,
    }],
};
