//! The contexts that come with the tool.

use super::context::{Build, Context};
use super::{catalog, identity, ordering};
use crate::domain::strategy::StrategyId;

pub const SHIPPED: [Context; 3] = [catalog::CONTEXT, identity::CONTEXT, ordering::CONTEXT];

/// The Rust behind a strategy, if it has any.
pub fn coded(id: &StrategyId) -> Option<Build> {
    let context = SHIPPED.iter().find(|context| context.name == id.context)?;
    let mut coded = context.coded.iter();
    let coded = coded.find(|coded| coded.strategy == id.name)?;
    Some(coded.build)
}
