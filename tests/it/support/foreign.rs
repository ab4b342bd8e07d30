//! Shops of other makes: schemas and rows in the manner of well-known applications.

use crate::support::lab::Lab;
use crate::support::servers::Dialect;
use crate::support::shopwarm::{Finished, Shopwarm, shopwarm};

/// A folder in which `init` writes, with only the two URLs in the environment.
pub struct Newcomer {
    pub lab: Lab,
    pub dir: tempfile::TempDir,
}

impl Newcomer {
    pub fn on(dialect: Dialect, script: &str) -> Newcomer {
        let lab = Lab::empty(dialect);
        let names = match dialect {
            Dialect::MySql => {
                "SET NAMES utf8mb4; SET SESSION sql_mode = '';\nALTER DATABASE CHARACTER SET utf8mb4;\n"
            }
            _ => "",
        };
        lab.database.sql(&format!("{names}{script}"));
        Newcomer { lab, dir: tempfile::tempdir().expect("a folder") }
    }

    pub fn command(&self, arguments: &str) -> Shopwarm {
        shopwarm(arguments)
            .dir(self.dir.path())
            .database(self.lab.database.url())
            .cache(self.lab.redis.url())
    }

    /// `init && doctor && warmup all && verify --require 100%`; what `init` said.
    #[track_caller]
    pub fn settle(&self) -> Finished {
        let said = self.command("init").run().expect(0);
        let written = self.definitions();
        for step in ["config check", "doctor", "warmup all", "verify --require 100%"] {
            let run = self.command(step).run();
            assert_eq!(run.code, 0, "{step}\n{}\n{}\n{written}", run.stdout, run.stderr);
        }
        said
    }

    pub fn definitions(&self) -> String {
        self.read("contexts/shop.toml")
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(file)).expect(file)
    }
}

pub const PRESTASHOP: &str = include_str!("../../fixtures/prestashop.mysql.sql");
pub const OPENCART: &str = include_str!("../../fixtures/opencart.mysql.sql");
pub const WOOCOMMERCE: &str = include_str!("../../fixtures/woocommerce.mysql.sql");
pub const PRISMA: &str = include_str!("../../fixtures/prisma.postgres.sql");
pub const CHINOOK: &str = include_str!("../../fixtures/chinook.sql");
pub const SAKILA_POSTGRES: &str = include_str!("../../fixtures/sakila.postgres.sql");
pub const SAKILA_MYSQL: &str = include_str!("../../fixtures/sakila.mysql.sql");
