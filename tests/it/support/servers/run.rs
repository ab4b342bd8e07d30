//! What the tests of one run share, whether they are threads of one process or processes of their
//! own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, process};

use super::process::{bounded, find, succeed, supervise, temp_dir, temp_root, words};
use super::server::Kind;

/// The run that this test is part of.
pub struct Run {
    dir: PathBuf,
    /// The process that lives as long as the run.
    pub owner: u32,
}

impl Run {
    pub fn get() -> &'static Run {
        static RUN: OnceLock<Run> = OnceLock::new();
        RUN.get_or_init(|| {
            let (dir, owner, first) = match env::var("NEXTEST_RUN_ID") {
                Ok(id) => {
                    let dir = temp_root().join(format!("shopwarm-it-{id}"));
                    let first = fs::create_dir(&dir).is_ok();
                    (dir, parent_id(), first)
                }
                Err(_) => (temp_dir().keep(), process::id(), true),
            };
            if first {
                supervise(owner, &dir);
            }
            Run { dir, owner }
        })
    }

    /// `work` by one test at a time, in any thread or process of the run.
    pub fn locked<T>(&self, name: &str, work: impl FnOnce(&Path) -> T) -> T {
        // The servers' users must be able to look in.
        fs::set_permissions(&self.dir, PermissionsExt::from_mode(0o755)).unwrap();
        let lock = File::create(self.dir.join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        work(&self.dir.join(name))
    }

    /// A directory with `ca.crt`, `server.crt` and `server.key`.
    pub fn certificates(&self) -> PathBuf {
        self.locked("certificates", |done| {
            make_once(done, None, |dir| {
                fs::write(dir.join("openssl.cnf"), OPENSSL_CONFIG).unwrap();
                for step in [
                    "req -config openssl.cnf -x509 -extensions authority -days 30 -nodes
                     -newkey ec -pkeyopt ec_paramgen_curve:P-256
                     -keyout ca.key -out ca.crt -subj /CN=shopwarm-test-authority",
                    "req -config openssl.cnf -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256
                     -keyout server.key -out server.csr -subj /CN=localhost",
                    "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30
                     -extfile openssl.cnf -extensions server -out server.crt",
                    "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30
                     -extfile openssl.cnf -extensions named -out named.crt",
                    "req -config openssl.cnf -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256
                     -keyout client.key -out client.csr -subj /CN=warm",
                    "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30
                     -extfile openssl.cnf -extensions client -out client.crt",
                ] {
                    let mut openssl = bounded([find("openssl")]);
                    openssl.args(words(step)).current_dir(dir);
                    succeed(openssl, "");
                }
            })
        })
    }

    /// A data directory as the database's own tool makes it, to be copied: making one takes longer
    /// than a start.
    pub fn template(&self, kind: Kind) -> PathBuf {
        self.locked(&format!("{kind:?}-template"), |done| {
            make_once(done, Some(kind), |dir| {
                if kind == Kind::MariaDb {
                    let mut install = bounded(kind.program("mariadb-install-db"));
                    install.args(words(
                        "--no-defaults --auth-root-authentication-method=normal --skip-test-db
                         --innodb-log-file-size=8M --innodb-flush-method=nosync",
                    ));
                    install.arg(format!("--datadir={}", dir.display())).current_dir(dir);
                    succeed(install, "");
                } else {
                    let mut initdb = bounded(kind.program("initdb"));
                    initdb.args(words(
                        "--no-sync --username=admin --auth-local=trust --auth-host=scram-sha-256
                         --encoding=UTF8 --locale=C",
                    ));
                    initdb.arg("-D").arg(dir).current_dir(dir);
                    succeed(initdb, "");
                    let mut single = bounded(kind.program("postgres"));
                    single
                        .args(["--single", "-F", "-D"])
                        .arg(dir)
                        .arg("template1")
                        .current_dir(dir);
                    // A statement a line. Tables belong to the administrator, so that a test can
                    // take the shop's privileges away; new databases inherit what is said here.
                    succeed(
                        single,
                        "ALTER ROLE admin PASSWORD 'admin-secret'\n\
                         CREATE ROLE shop LOGIN PASSWORD 'shop-secret'\n\
                         GRANT ALL ON SCHEMA public TO shop\n\
                         ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT ALL ON TABLES TO shop\n",
                    );
                }
            })
        })
    }
}

/// Makes the directory `done` with `work`, unless it is there. A `work` that was interrupted does
/// not count.
fn make_once(done: &Path, kind: Option<Kind>, work: impl FnOnce(&Path)) -> PathBuf {
    if !done.exists() {
        let half = done.with_extension("half");
        let _ = fs::remove_dir_all(&half);
        fs::create_dir(&half).unwrap();
        if let Some(kind) = kind {
            kind.hand_over(&half);
        }
        work(&half);
        fs::rename(&half, done).unwrap();
    }
    done.to_owned()
}

const OPENSSL_CONFIG: &str = "
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
[named]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
";
