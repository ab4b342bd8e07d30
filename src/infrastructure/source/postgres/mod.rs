//! PostgreSQL: its SQL, its sessions, and the binary wire format of its types.

mod codec;
mod columns;
mod cursor;
pub(super) mod dialect;
mod driver;
mod errors;
mod moment;
mod numeric;
mod parameters;
mod plan;
mod pooler;
mod role;
mod server;
mod transaction;
mod zone;

use self::dialect::PostgresDialect;
use self::driver::Postgres;
use super::adapter::{Adapter, open};

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["postgres", "postgresql"],
    dialect: &PostgresDialect,
    open: |url, options| Ok(open(Postgres::new(url, options)?)),
};
