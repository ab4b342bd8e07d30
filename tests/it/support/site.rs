//! A server on the shipped definitions, a shop and a Redis, with a strategy that waits until it is let go on.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::faults::until;
use crate::support::http::Server;
use crate::support::lab::{Lab, over_shipped};
use crate::support::servers::Dialect;
use crate::support::shopwarm::Shopwarm;

/// No half hour is to come in between.
pub const QUIET: &str =
    "[schedule.nightly]\nenabled = false\n[schedule.catalog-incremental]\nenabled = false\n";

/// A context whose second strategy waits until the test lets it pass; only on PostgreSQL.
const GATED: &str = r#"
[context]
name = "gated"
owns = ["t"]
[strategies.first]
key = "first:{id}"
value = "object"
priority = 100
tags = ["early"]
sql.any = "SELECT g AS id FROM generate_series(1, 20) g"
[strategies.second]
key = "second:{id}"
value = "object"
priority = 50
tags = ["late"]
sql.any = "SELECT g AS id, pass() AS pass FROM generate_series(1, 30) g"
"#;

/// A session of the database sees what a sequence is at, whatever its snapshot is.
const GATE: &str = "CREATE SEQUENCE gate;
    CREATE FUNCTION pass() RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$ BEGIN
        WHILE (SELECT last_value FROM gate) < 2 LOOP PERFORM pg_sleep(0.02); END LOOP;
        RETURN 'yes';
    END $$;";

/// Database, cache and files of a server.
pub struct Site {
    pub lab: Lab,
    files: TempDir,
}

impl Site {
    pub fn shop(dialect: Dialect) -> Site {
        Site::on(Lab::shop(dialect))
    }

    /// On the test shop, beside the context [`GATED`].
    pub fn gated() -> Site {
        let site = Site::shop(Dialect::Postgres);
        site.lab.database.sql(GATE);
        site.define(&over_shipped(GATED));
        site
    }

    fn on(lab: Lab) -> Site {
        let files = tempfile::tempdir().expect("a temporary folder");
        let site = Site { lab, files };
        site.config("");
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    /// The configuration: these settings, and no shipped job.
    pub fn config(&self, text: &str) {
        self.write("shopwarm.toml", &format!("{text}\n{QUIET}"));
    }

    pub fn define(&self, text: &str) {
        self.write("own.toml", text);
    }

    /// `shopwarm ARGUMENTS` with the files and servers of this site.
    pub fn command(&self, arguments: &str) -> Shopwarm {
        let command = self.lab.command(arguments);
        let command = command.arg("--config").arg(self.path("shopwarm.toml"));
        let own = self.path("own.toml");
        if own.exists() { command.contexts(&own) } else { command }
    }

    /// `shopwarm serve ARGUMENTS` with the files and servers of this site.
    pub fn serving(&self, arguments: &str) -> Shopwarm {
        self.command("serve --listen 127.0.0.1:0").args(arguments)
    }

    #[track_caller]
    pub fn serve(&self) -> Server {
        Server::start(self.serving(""))
    }

    /// Lets the context [`GATED`] pass.
    pub fn open(&self) {
        self.lab.database.query("SELECT setval('gate', 2)");
    }

    /// Keys in the cache that begin so.
    pub fn count(&self, prefix: &str) -> u64 {
        let keys = self.lab.keys();
        keys.iter().filter(|key| key.starts_with(prefix)).count() as u64
    }

    /// The locks that are held.
    pub fn locks(&self) -> String {
        self.lab.redis.cli(&["KEYS", "*shopwarm:lock:*"])
    }
}

/// Waits until a run has warmed what stands before the gate, and is at it.
#[track_caller]
pub fn at_the_gate(server: &Server, run: &str) {
    until("the run waits at the gate", || {
        let run = server.json(&format!("/admin/runs/{run}"));
        run["report"]["strategies"][1]["status"] == "running"
    });
}

#[track_caller]
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    let text = value[field].as_str();
    text.unwrap_or_else(|| panic!("no text {field} in {value:#}"))
}

#[track_caller]
pub fn number(value: &Value, field: &str) -> u64 {
    let number = value[field].as_u64();
    number.unwrap_or_else(|| panic!("no number {field} in {value:#}"))
}

/// Waits for the end of a run, and returns its report.
#[track_caller]
pub fn ended(server: &Server, run: &str) -> Value {
    let mut shown = Value::Null;
    until("the run has ended", || {
        shown = server.json(&format!("/admin/runs/{run}"));
        shown["status"] == "finished"
    });
    shown["report"].clone()
}
