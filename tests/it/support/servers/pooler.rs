//! PgBouncer in front of a PostgreSQL database.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::Database;
use super::front::Front;
use super::process::{bounded, find, output, words};
use super::server::Kind;

/// A pooler of one test, with the defaults of its package but for what the test says.
pub struct PgBouncer(Front);

impl PgBouncer {
    /// `settings` are lines of `pgbouncer.ini`: the mode, the size of a pool.
    pub fn start(database: &Database, settings: &str) -> PgBouncer {
        let mut command = Kind::Postgres.program("pgbouncer");
        command.push("pgbouncer.ini".into());
        PgBouncer(Front::start(&command, |dir, port| {
            Kind::Postgres.hand_over(dir);
            let place = dir.display();
            let ini = format!(
                "[databases]\n* = host=127.0.0.1 port={}\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = trust\nauth_file = {place}/users\nlogfile = {place}/log\n{settings}\n",
                database.port()
            );
            fs::write(dir.join("pgbouncer.ini"), ini).unwrap();
            let users = "\"shop\" \"shop-secret\"\n\"admin\" \"admin-secret\"\n";
            fs::write(dir.join("users"), users).unwrap();
        }))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn log(&self) -> String {
        self.0.log()
    }

    /// What the shop's own statements give through the pooler, or what `psql` says in failing.
    pub fn shop(&self, database: &Database, sql: &str) -> Result<String, String> {
        let mut client = bounded([find("psql")]);
        client.args(words("-XAqt -v ON_ERROR_STOP=1 -d"));
        client.arg(database.url_via(self.port()));
        Ok(output(client, sql)?.trim_end().to_owned())
    }
}

impl PgBouncer {
    /// What the shop's statements give on each of the pooler's sessions, in transactions that are all
    /// open while `work` is done.
    pub fn shop_holds<T>(
        &self,
        database: &Database,
        sessions: usize,
        sql: &str,
        work: impl FnOnce(Vec<String>) -> T,
    ) -> T {
        let open = |_| {
            let mut client = Command::new(find("psql"));
            client.args(words("-XAqt -v ON_ERROR_STOP=1 -d"));
            client.arg(database.url_via(self.port()));
            client.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut client = client.spawn().unwrap();
            let input = client.stdin.as_mut().unwrap();
            writeln!(input, "BEGIN;\n{sql};\n\\echo {DONE}").unwrap();
            let lines = BufReader::new(client.stdout.as_mut().unwrap()).lines();
            let said: Vec<String> = lines
                .map(|line| line.expect("psql says it all"))
                .take_while(|line| line != DONE)
                .collect();
            (client, said.join("\n"))
        };
        let (clients, said): (Vec<Child>, Vec<String>) = (0..sessions).map(open).unzip();
        let worked = work(said);
        for mut client in clients {
            writeln!(client.stdin.take().unwrap(), "COMMIT;").unwrap();
            assert!(client.wait().unwrap().success(), "psql fails");
        }
        worked
    }
}

const DONE: &str = "-- done --";
