//! Policy: what each bounded context warms, a folder each. None sees another.

mod changes;
pub mod clock;
pub mod definitions;
mod documents;
pub mod ownership;

mod catalog;
mod identity;
mod ordering;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::application::ports::{Sources, WarmupStrategy};
use crate::domain::failure::Failure;
use crate::domain::strategy::{Definition, StrategyId};

/// A bounded context as it is shipped.
pub struct Context {
    pub name: &'static str,
    /// Its `warmup.toml`.
    pub definitions: &'static str,
    /// The strategies whose rows are put together in Rust.
    coded: &'static [Coded],
}

/// A strategy that SQL alone cannot say. Its definition gives everything else.
struct Coded {
    strategy: &'static str,
    build: Build,
}

/// Prepares a coded strategy on a database.
pub type Build =
    fn(Definition, Sources) -> BoxFuture<'static, Result<Arc<dyn WarmupStrategy>, Failure>>;

/// The contexts that come with the tool.
pub const SHIPPED: [Context; 3] = [catalog::CONTEXT, identity::CONTEXT, ordering::CONTEXT];

/// The Rust behind a strategy, if it has any.
pub fn coded(id: &StrategyId) -> Option<Build> {
    let context = SHIPPED.iter().find(|context| context.name == id.context)?;
    let coded = context
        .coded
        .iter()
        .find(|coded| coded.strategy == id.name)?;
    Some(coded.build)
}
