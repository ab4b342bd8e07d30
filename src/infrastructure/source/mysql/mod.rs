//! MySQL and MariaDB: their SQL, their sessions, and the binary format of their types.

mod ask;
mod clock;
mod codec;
mod cut;
pub(super) mod dialect;
mod documents;
mod driver;
mod errors;
mod locks;
mod plan;
mod role;
mod server;
mod session;
mod strange;
mod unique_keys;
mod url;
mod variables;

use self::dialect::MysqlDialect;
use self::driver::Mysql;
use super::adapter::{Adapter, open};

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["mysql", "mariadb"],
    dialect: &MysqlDialect,
    open: |url, options| Ok(open(Mysql::new(url, options)?)),
};
