//! Definitions that fit the configured database.

use std::sync::Arc;

use glob::Pattern;

use super::connections::source;
use super::definitions::databases;
use crate::application::ports::RowSource;
use crate::application::starter::{Starter, from_database};
use crate::config::Config;
use crate::contexts::sql::ownership;
use crate::contexts::sql::owns::Owns;
use crate::domain::failure::{Failure, FailureKind};

/// Reads the schema and the rows of the tables that match one of `wanted`, or of all.
///
/// # Errors
/// No database is configured or it cannot be reached, or there is nothing to warm.
pub async fn starter(config: &Config, wanted: &[String]) -> Result<Starter, Failure> {
    let pattern = |text: &String| {
        Pattern::new(text).map_err(|error| {
            let what = format!("--tables {text} is not a pattern");
            Failure::new(FailureKind::Usage, what, error.to_string())
        })
    };
    let wanted: Vec<Pattern> = wanted.iter().map(pattern).collect::<Result<_, _>>()?;
    let source: Arc<dyn RowSource> = source(config).await?;
    let databases = databases(config);
    let owns = Owns::default();
    let accepts = |sql: &str| {
        let mut all = databases.iter();
        all.try_for_each(|grammar| ownership::check(sql, grammar, &owns))
            .map_err(|refused| refused.to_string())
    };
    from_database(source.as_ref(), &wanted, &accepts).await
}
