//! Who is logged in.

use super::context::Context;

pub(super) const CONTEXT: Context =
    Context { name: "identity", definitions: include_str!("warmup.toml") };
