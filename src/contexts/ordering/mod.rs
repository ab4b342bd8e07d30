//! Orders with their items.

use super::context::Context;

pub(super) const CONTEXT: Context =
    Context { name: "ordering", definitions: include_str!("warmup.toml") };
