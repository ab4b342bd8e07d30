//! SQLite, where values have their own types and columns declare a meaning.

mod codec;
mod columns;
pub(super) mod dialect;
mod driver;
mod errors;
mod moments;
mod schema;
mod tables;
mod url;

use self::dialect::SqliteDialect;
use self::driver::SqliteFile;
use super::adapter::{Adapter, open};

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["sqlite"],
    dialect: &SqliteDialect,
    open: |url, options| Ok(open(SqliteFile::new(url, options)?, options)),
};
