//! Products and categories.

use super::context::Context;

pub(super) const CONTEXT: Context =
    Context { name: "catalog", definitions: include_str!("warmup.toml") };
