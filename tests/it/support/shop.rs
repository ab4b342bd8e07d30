//! The test shop: about 130 products, 12 categories, 8 users, 60 orders; the same rows in every
//! database.
#![allow(dead_code, reason = "a toolbox: not every test run uses every tool")]

use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Sqlite};

/// Tables and rows, as one script. Loading it sets the session's time zone and SQL mode.
pub fn load(dialect: Dialect) -> String {
    let schema = match dialect {
        Dialect::Postgres => include_str!("../../fixtures/shop.postgres.sql"),
        Dialect::MySql => include_str!("../../fixtures/shop.mysql.sql"),
        Dialect::Sqlite => include_str!("../../fixtures/shop.sqlite.sql"),
    };
    let (tables, end) = schema.split_once("-- shop.data.sql goes here\n").unwrap();
    [tables, include_str!("../../fixtures/shop.data.sql"), end].concat()
}

/// A new database with the shop in it.
pub fn database(dialect: Dialect) -> Database {
    let database = match dialect {
        Dialect::Postgres => Postgres::database(),
        Dialect::MySql => MariaDb::database(),
        Dialect::Sqlite => Sqlite::database(),
    };
    database.sql(&load(dialect));
    database
}

/// For a test that holds for all three.
pub const DIALECTS: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];
