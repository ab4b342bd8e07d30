//! The contexts that come with the tool.

use super::context::Context;
use super::{catalog, identity, ordering};

pub const SHIPPED: [Context; 3] = [catalog::CONTEXT, identity::CONTEXT, ordering::CONTEXT];
