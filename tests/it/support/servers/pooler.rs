//! PgBouncer in front of a PostgreSQL database.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio, id};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{PATIENCE, bounded, find, output, signal, supervise, temp_dir, words};
use super::server::Kind;
use super::{Database, free_port};

/// A pooler of one test, with the defaults of its package but for what the test says.
pub struct PgBouncer {
    port: u16,
    child: Child,
    dir: TempDir,
}

impl PgBouncer {
    /// `settings` are lines of `pgbouncer.ini`: the mode, the size of a pool.
    pub fn start(database: &Database, settings: &str) -> PgBouncer {
        let dir = temp_dir();
        supervise(id(), dir.path());
        Kind::Postgres.hand_over(dir.path());
        // Between finding a port and using it, another process can take it.
        for _ in 0..5 {
            let port = free_port();
            let place = dir.path().display();
            let ini = format!(
                "[databases]\n* = host=127.0.0.1 port={}\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = trust\nauth_file = {place}/users\nlogfile = {place}/log\n{settings}\n",
                database.port()
            );
            fs::write(dir.path().join("pgbouncer.ini"), ini).unwrap();
            let users = "\"shop\" \"shop-secret\"\n\"admin\" \"admin-secret\"\n";
            fs::write(dir.path().join("users"), users).unwrap();
            if let Some(child) = launch(&dir, port) {
                return PgBouncer { port, child, dir };
            }
        }
        panic!("PgBouncer does not start:\n{}", log(&dir));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn log(&self) -> String {
        log(&self.dir)
    }

    /// What the shop's own statements give through the pooler, or what `psql` says in failing.
    pub fn shop(&self, database: &Database, sql: &str) -> Result<String, String> {
        let mut client = bounded([find("psql")]);
        client.args(words("-XAqt -v ON_ERROR_STOP=1 -d"));
        client.arg(database.url_via(self.port));
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
            client.arg(database.url_via(self.port));
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

impl Drop for PgBouncer {
    fn drop(&mut self) {
        signal(&mut self.child, "KILL", &[]);
        let _ = self.child.wait();
    }
}

fn log(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("log")).unwrap_or_default()
}

/// `None`: it ended by itself, which a port in use makes it do.
fn launch(dir: &TempDir, port: u16) -> Option<Child> {
    let mut child = Command::new("sh")
        .args(["-c", "echo $$ >pid && exec \"$@\"", "sh"])
        .args(Kind::Postgres.program("pgbouncer"))
        .arg("pgbouncer.ini")
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let asked = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(asked.elapsed() < PATIENCE, "PgBouncer does not get ready");
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(child)
}
