//! MySQL and MariaDB: SQL, sessions, and binary formats.

mod ask;
mod codec;
pub(super) mod dialect;
mod documents;
mod driver;
mod errors;
mod role;
mod schema;
mod server;
mod session;
mod tables;
mod url;
mod variables;

use self::dialect::IN_UTC;
use self::driver::Mysql;
use super::adapter::{Adapter, open};

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["mysql", "mariadb"],
    dialect: &IN_UTC,
    open: |url, options| Ok(open(Mysql::new(url, options)?, options)),
};
