//! A run that holds its locks for as long as a test wants.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::faults::{calm, until};
use crate::support::lab::Lab;
use crate::support::proxy::FaultProxy;
use crate::support::shopwarm::{Finished, file, finish, send};

/// A strategy of the shop's catalog that is long enough to be held in the middle.
const BIG: &str = r#"
extends = "shipped"
[context]
name = "catalog"
[strategies.big]
key = "big:{id}"
value = "object"
priority = 1000
sql.postgres = "SELECT g AS id, repeat('x', 400) AS pad FROM generate_series(1, @ROWS@) g"
"#;

/// Rows of a run that is to finish, and of one that is not.
pub const SHORT: u32 = 40_000;
pub const LONG: u32 = 1_000_000;

/// A run in the middle of its work: the database says nothing more, the cache answers.
pub struct Held {
    pub child: Child,
    database: Arc<Gate>,
    _definitions: TempDir,
}

/// What the rows come through: closed, it lets a few pass now and then, as a slow query would. A
/// database that says nothing at all is given up.
struct Gate {
    proxy: FaultProxy,
    closed: AtomicBool,
}

impl Gate {
    fn close(self: &Arc<Gate>) {
        self.closed.store(true, SeqCst);
        self.proxy.stall();
        let gate = Arc::downgrade(self);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(2));
                let Some(gate) = gate.upgrade() else { return };
                if !gate.closed.load(SeqCst) {
                    return;
                }
                gate.proxy.flow();
                thread::sleep(Duration::from_millis(15));
                if gate.closed.load(SeqCst) {
                    gate.proxy.stall();
                }
            }
        });
    }

    fn open(&self) {
        self.closed.store(false, SeqCst);
        // The thread may just be closing it again.
        thread::sleep(Duration::from_millis(30));
        self.proxy.flow();
    }
}

impl Held {
    /// Starts `shopwarm ARGUMENTS` with the long strategy; `prefix` is its own.
    #[track_caller]
    pub fn start(lab: &Lab, arguments: &str, prefix: &str) -> Held {
        Held::on(lab, &lab.redis.url(), arguments, prefix, SHORT)
    }

    #[track_caller]
    pub fn on(lab: &Lab, cache: &str, arguments: &str, prefix: &str, rows: u32) -> Held {
        let database = Arc::new(Gate {
            proxy: FaultProxy::to(lab.database.port()),
            closed: AtomicBool::new(false),
        });
        let (definitions, path) = file("big.toml", &BIG.replace("@ROWS@", &rows.to_string()));
        let url = lab.database.url_via(database.proxy.port());
        let run = lab.command(arguments).args("-o json").arg("--prefix");
        let run = run.arg(prefix).database(url).cache(cache).contexts(&path);
        let child = run.start();
        match cache.strip_prefix("sqlite:") {
            None => {
                let some = format!("EXISTS {prefix}big:1500\r\n");
                let mut redis = TcpStream::connect(("127.0.0.1", lab.redis.port())).expect("Redis");
                // Not by redis-cli: on a busy machine the run would be over before that has started.
                until("the run is under way", || {
                    let mut answer = [0; 4];
                    redis.write_all(some.as_bytes()).expect("asked");
                    redis.read_exact(&mut answer).expect("an answer");
                    answer == *b":1\r\n"
                });
            }
            Some(file) => until("the run is under way", || {
                let written = std::fs::metadata(format!("{file}-wal"));
                written.is_ok_and(|file| file.len() > 1_000_000)
            }),
        }
        database.close();
        Held { child, database, _definitions: definitions }
    }

    /// Lets it finish.
    pub fn go_on(self) -> Finished {
        self.database.open();
        calm(finish(self.child))
    }

    /// Waits for it to end by itself.
    pub fn end(self) -> Finished {
        let run = finish(self.child);
        self.database.open();
        calm(run)
    }

    pub fn signal(&self, signal: &str) {
        send(&self.child, signal);
    }
}
