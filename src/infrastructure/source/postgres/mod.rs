//! PostgreSQL: SQL, sessions, and the binary wire format.

mod codec;
mod columns;
mod cursor;
pub(super) mod dialect;
mod driver;
mod errors;
mod hosts;
mod numeric;
mod parameters;
mod plan;
mod pooler;
mod portions;
mod schema;
mod server;
mod servers;
mod target;
mod transaction;

use self::dialect::PostgresDialect;
use self::driver::Postgres;
use super::adapter::{Adapter, open};

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["postgres", "postgresql"],
    dialect: &PostgresDialect,
    open: |url, options| Ok(open(Postgres::new(url, options)?, options)),
};
