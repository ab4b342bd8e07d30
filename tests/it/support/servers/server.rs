//! Any server: a process in a directory of its own, and what differs between the kinds.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::{
    PATIENCE, bounded, find, output, signal, succeed, supervise, temp_dir, words,
};
use super::run::Run;
use super::{Dialect, free_port};
use crate::support::tools::valkey;

/// In every server's directory.
const CERTIFICATES: [&str; 7] =
    ["ca.crt", "ca.key", "server.crt", "named.crt", "server.key", "client.crt", "client.key"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Valkey,
    Sentinel,
    Postgres,
    MariaDb,
    /// Only a file.
    Sqlite,
}

/// Where a server is.
#[derive(Clone)]
pub struct Address {
    pub kind: Kind,
    /// Holds the server's data, log, sockets and certificate.
    pub dir: PathBuf,
    pub port: u16,
}

/// A running server in a directory of its own; dropping it stops the one and deletes the other.
pub struct Server {
    pub at: Address,
    args: Vec<String>,
    child: Mutex<Child>,
    // Declared last, so deleted last.
    _dir: TempDir,
}

impl Server {
    /// `owner` is the process without which the server has no reason to run.
    pub fn start(kind: Kind, args: &[&str], owner: u32) -> Server {
        let dir = temp_dir();
        supervise(owner, dir.path());
        kind.furnish(dir.path());
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        // Between finding a port and using it, another process can take it.
        for _ in 0..5 {
            let at = Address { kind, dir: dir.path().to_owned(), port: free_port() };
            if let Some(child) = at.launch(&args) {
                return Server { at, args, child: Mutex::new(child), _dir: dir };
            }
        }
        let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        panic!("{kind:?} does not start:\n{log}");
    }

    pub fn port(&self) -> u16 {
        self.at.port
    }

    /// The unix socket; PostgreSQL clients want the directory that it is in.
    pub fn socket(&self) -> PathBuf {
        self.at.socket()
    }

    /// The authority behind the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.at.dir.join("ca.crt")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.at.log()
    }

    /// Ends it as a machine failure would.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let id = child.id();
        // PostgreSQL's sessions are processes too, and would each finish what they are doing.
        let sessions = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let sessions = sessions.unwrap_or_default();
        signal(&mut child, "KILL", &sessions.split_whitespace().collect::<Vec<_>>());
        self.await_end(&mut child);
    }

    /// Ends it in good order, without waiting for its clients.
    pub fn stop(&self) {
        let mut child = self.child.lock().unwrap();
        signal(&mut child, if self.at.kind == Kind::Postgres { "INT" } else { "TERM" }, &[]);
        self.await_end(&mut child);
    }

    fn await_end(&self, child: &mut Child) {
        let asked = Instant::now();
        while child.try_wait().unwrap().is_none() {
            let patient = asked.elapsed() < PATIENCE;
            assert!(patient, "it does not end:\n{}", self.at.log_tail());
            thread::sleep(Duration::from_millis(5));
        }
        // From here on the number can be another process's.
        let _ = fs::remove_file(self.at.dir.join("pid"));
    }

    /// Freezes it: it accepts connections (the kernel does), and answers nothing.
    pub fn pause(&self) {
        signal(&mut self.child.lock().unwrap(), "STOP", &[]);
    }

    pub fn resume(&self) {
        signal(&mut self.child.lock().unwrap(), "CONT", &[]);
    }

    /// Starts it again, on the same port and data, after `kill` or `stop` or without.
    pub fn restart(&self) {
        let mut child = self.child.lock().unwrap();
        signal(&mut child, "KILL", &[]);
        self.await_end(&mut child);
        let asked = Instant::now();
        // PostgreSQL refuses for a moment while sessions of its former life still end.
        *child = loop {
            match self.at.launch(&self.args) {
                Some(child) => break child,
                None => {
                    let patient = asked.elapsed() < PATIENCE;
                    assert!(patient, "it does not start again:\n{}", self.at.log_tail());
                }
            }
            thread::sleep(Duration::from_millis(50));
        };
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // QUIT lets PostgreSQL give its shared memory back; CONT, as it hears nothing when paused.
        signal(child, if self.at.kind == Kind::Postgres { "QUIT" } else { "KILL" }, &[]);
        signal(child, "CONT", &[]);
        let _ = child.wait();
    }
}

impl Address {
    pub fn dialect(&self) -> Dialect {
        match self.kind {
            Kind::Postgres => Dialect::Postgres,
            Kind::MariaDb => Dialect::MySql,
            Kind::Sqlite => Dialect::Sqlite,
            Kind::Redis | Kind::Valkey | Kind::Sentinel => unreachable!("Redis has no SQL"),
        }
    }

    pub fn socket(&self) -> PathBuf {
        match self.kind {
            Kind::Postgres => self.dir.join(format!(".s.PGSQL.{}", self.port)),
            _ => self.dir.join("socket"),
        }
    }

    /// The database that is always there.
    pub fn home(&self) -> &'static str {
        if self.kind == Kind::Postgres { "postgres" } else { "mysql" }
    }

    /// Runs SQL as the administrator.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let (program, args) = match self.dialect() {
            Dialect::Postgres => {
                ("psql", "-XAqt -F \t -v ON_ERROR_STOP=1 -U admin -h @DIR@ -p @PORT@ -d")
            }
            Dialect::MySql => (
                "mariadb",
                "--no-defaults --batch --raw --skip-column-names --user=root --socket=@DIR@/socket
                 --default-character-set=utf8mb4",
            ),
            Dialect::Sqlite => ("sqlite3", "-init /dev/null -batch -bail -noheader -separator \t"),
        };
        // How long to wait for somebody else's write.
        let patience = if self.kind == Kind::Sqlite { ".timeout 10000\n" } else { "" };
        let mut client = bounded([find(program)]);
        client.args(self.fill_in(&words(args))).arg(database);
        // Limits that a test sets for the server's clients are not meant for its administrator.
        client.env("PGOPTIONS", "-c statement_timeout=0");
        output(client, &[patience, sql].concat())
    }

    /// Writes this server's directory and port into arguments.
    fn fill_in(&self, args: &[impl AsRef<str>]) -> Vec<String> {
        let (dir, port) = (self.dir.to_str().unwrap(), self.port.to_string());
        args.iter().map(|arg| arg.as_ref().replace("@DIR@", dir).replace("@PORT@", &port)).collect()
    }

    /// Starts the server and waits until it answers. None: it ended by itself, which a port in use
    /// makes it do.
    fn launch(&self, args: &[String]) -> Option<Child> {
        let kind = self.kind;
        let log = File::options().append(true).create(true).open(self.dir.join("log")).unwrap();
        // The shell writes its number down before it becomes the server: there is no moment when
        // the server runs and nobody knows which it is.
        let mut child = Command::new("sh")
            .args(["-c", "echo $$ >pid && exec \"$@\"", "sh"])
            .args(kind.server_program())
            .args(self.fill_in(&words(kind.settings())))
            .args(self.fill_in(args))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // Out of the reach of a terminal's Ctrl-C: the supervisor ends it.
            .process_group(0)
            .spawn()
            .unwrap();
        let asked = Instant::now();
        while !self.answers() {
            if child.try_wait().unwrap().is_some() {
                let _ = fs::remove_file(self.dir.join("pid"));
                return None;
            }
            if asked.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("{kind:?} does not get ready:\n{}", self.log_tail());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Some(child)
    }

    fn answers(&self) -> bool {
        if !self.socket().exists() {
            return false;
        }
        if !self.kind.is_redis() {
            return self.sql(self.home(), "SELECT 1").is_ok();
        }
        // Any answer will do, an error for want of a password too.
        UnixStream::connect(self.socket()).is_ok_and(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(b"PING\r\n").is_ok() && stream.read(&mut [0; 64]).is_ok_and(|n| n > 0)
        })
    }

    fn log(&self) -> String {
        let bytes = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Kind {
    fn is_redis(self) -> bool {
        matches!(self, Kind::Redis | Kind::Valkey | Kind::Sentinel)
    }

    /// The beginning of the command line that starts the server.
    fn server_program(self) -> Vec<PathBuf> {
        match self {
            Kind::Valkey => vec![valkey()],
            Kind::Redis | Kind::Sentinel => self.program("redis-server"),
            Kind::Postgres => self.program("postgres"),
            Kind::MariaDb => self.program("mariadbd"),
            Kind::Sqlite => unreachable!("a file needs no server"),
        }
    }

    /// How the server is started: little memory, no fsync (what is committed survives a kill all
    /// the same, as the kernel has it), TLS on, and a time zone that is not UTC, so that code which
    /// relies on the session's shows.
    fn settings(self) -> &'static str {
        match self {
            Kind::Redis | Kind::Valkey => {
                "--bind 127.0.0.1 --port @PORT@ --dir @DIR@ --unixsocket @DIR@/socket
                 --appendonly no --save \"\""
            }
            Kind::Sentinel => {
                "@DIR@/sentinel.conf --sentinel --bind 127.0.0.1 --port @PORT@ --dir @DIR@
                 --unixsocket @DIR@/socket"
            }
            Kind::Postgres => {
                "-D @DIR@/data -k @DIR@ -p @PORT@ -c listen_addresses=127.0.0.1
                 -c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0
                 -c shared_buffers=16MB -c timezone=Asia/Shanghai
                 -c ssl=on -c ssl_cert_file=@DIR@/server.crt -c ssl_key_file=@DIR@/server.key"
            }
            Kind::MariaDb => {
                "--no-defaults --datadir=@DIR@/data --tmpdir=@DIR@ --socket=@DIR@/socket
                 --pid-file=@DIR@/mariadb.pid --init-file=@DIR@/init.sql
                 --bind-address=127.0.0.1 --port=@PORT@ --skip-name-resolve --skip-log-bin
                 --innodb-log-file-size=8M --innodb-buffer-pool-size=16M
                 --innodb-flush-method=nosync --innodb-flush-log-at-trx-commit=2
                 --performance-schema=OFF
                 --character-set-server=utf8mb4 --default-time-zone=+08:00
                 --ssl-cert=@DIR@/server.crt --ssl-key=@DIR@/server.key"
            }
            Kind::Sqlite => unreachable!("a file needs no server"),
        }
    }

    /// The user that it runs as when the tests run as root, which both databases refuse to do.
    fn user(self) -> Option<&'static str> {
        let user = match self {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
            Kind::Redis | Kind::Valkey | Kind::Sentinel | Kind::Sqlite => return None,
        };
        let root = fs::metadata("/proc/self").unwrap().uid() == 0;
        root.then_some(user)
    }

    /// The beginning of a command line that runs a program as that user.
    pub fn program(self, name: &str) -> Vec<PathBuf> {
        let mut line: Vec<PathBuf> = Vec::new();
        if let Some(user) = self.user() {
            let ids = [format!("--reuid={user}"), format!("--regid={user}")];
            line.push("setpriv".into());
            line.extend(ids.map(PathBuf::from));
            line.push("--init-groups".into());
        }
        line.push(find(name));
        line
    }

    /// Makes `path` that user's.
    pub fn hand_over(self, path: &Path) {
        if let Some(user) = self.user() {
            let mut chown = bounded(["chown", &format!("{user}:")]);
            chown.arg(path);
            succeed(chown, "");
        }
    }

    /// Puts into a server's directory what it needs before its first start.
    fn furnish(self, dir: &Path) {
        self.hand_over(dir);
        let run = Run::get();
        let certificates = run.certificates();
        for file in CERTIFICATES {
            fs::copy(certificates.join(file), dir.join(file)).unwrap();
        }
        // MariaDB runs this at each start; `%` is any host, since it is told to resolve no names.
        fs::write(
            dir.join("init.sql"),
            "CREATE USER IF NOT EXISTS shop@'%' IDENTIFIED BY 'shop-secret';
             CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY 'admin-secret';
             GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;",
        )
        .unwrap();
        for file in CERTIFICATES.iter().chain(&["init.sql"]) {
            // PostgreSQL insists on it for the key.
            fs::set_permissions(dir.join(file), PermissionsExt::from_mode(0o600)).unwrap();
            self.hand_over(&dir.join(file));
        }
        if self == Kind::Sentinel {
            // It writes down there what it knows.
            File::create(dir.join("sentinel.conf")).unwrap();
        }
        if !self.is_redis() {
            let mut copy = bounded(["cp", "-a"]);
            copy.arg(run.template(self)).arg(dir.join("data"));
            succeed(copy, "");
        }
    }
}

/// The server of the whole run: the first to ask starts it.
pub fn shared(kind: Kind) -> Address {
    let run = Run::get();
    run.locked(&format!("{kind:?}"), |place| {
        if let Ok(text) = fs::read_to_string(place) {
            let (port, dir) = text.split_once(' ').unwrap();
            return Address { kind, dir: dir.into(), port: port.parse().unwrap() };
        }
        let server = Server::start(kind, &[], run.owner);
        let at = server.at.clone();
        fs::write(place, format!("{} {}", at.port, at.dir.display())).unwrap();
        // It outlives this test; the supervisor ends it with the run.
        std::mem::forget(server);
        at
    })
}
