//! The interface of a database's module.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::options::SessionOptions;
use super::rows::Reader;
use super::sessions::Sessions;
use super::sql_source::SqlSource;
use crate::application::ports::{Dialect, RowSource};
use crate::domain::failure::Failure;

/// A database and its entry points.
pub(super) struct Adapter {
    pub(super) schemes: &'static [&'static str],
    pub(super) dialect: Dialect,
    /// Parses a URL, and connects when awaited.
    pub(super) open: fn(&str, &SessionOptions) -> Result<Opening, Failure>,
}

pub(super) type Opening = BoxFuture<'static, Result<Arc<dyn RowSource>, Failure>>;

pub(super) fn open<D: Reader>(driver: D, options: &SessionOptions) -> Opening
where
    SqlSource<D>: RowSource + 'static,
{
    let fresh_url = options.fresh_url.clone();
    let opening = async {
        let sessions = Sessions::new(driver, fresh_url);
        sessions.connect().await?;
        let source: Arc<dyn RowSource> = Arc::new(SqlSource::new(sessions));
        Ok(source)
    };
    opening.boxed()
}
