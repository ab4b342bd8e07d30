//! Translates errors of a server for the operator.

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError};

use super::reply::{is_read_only, words};
use crate::domain::failure::{Failure, FailureKind};

/// Permissions that every user needs.
const PERMISSIONS: &str = "a run needs +set and +ping, and +select for a database index; hashes +multi +exec +del +hset \
     +pexpire; --mode only-missing with hashes +eval +exists +hset +pexpire; a version_field +eval +get +hget and these";

const PASSWORD: &str = "the cache refuses the password";
const SIGN_IN: &str =
    "check user and password in the cache URL; a server without a password refuses any";
const NOT_THE_USER: &str = "the text before @ in the cache URL was read as the user name: write \
     redis://:PASSWORD@HOST, or redis://USER:PASSWORD@HOST";
const COMMAND: &str = "the cache refuses this user a command";
pub(super) const MAKE_ROOM: &str =
    "raise maxmemory, choose an evicting maxmemory-policy, or warm less (--limit, --exclude)";

pub(super) struct Peer {
    pub info: ConnectionInfo,
    /// The address by which its cluster knows it, if it was learnt from there.
    pub announced: Option<String>,
}

impl Peer {
    /// Its address, as text.
    pub(super) fn place(&self) -> String {
        self.info.addr().to_string()
    }

    pub(super) fn connect_failure(&self, error: &RedisError) -> Failure {
        if let Some(failure) = self.refusal(error) {
            return failure;
        }
        let place = self.place();
        if words(error).contains("not allowed in cluster mode") {
            let what = format!("the cache at {place} does not have what the URL asks for");
            return Failure::new(FailureKind::Config, what, words(error))
                .hint("this cluster has only database 0: leave the index out of the cache URL");
        }
        if words(error).contains("KeyMismatch") {
            let why = "certificate and key do not belong together";
            return Failure::new(
                FailureKind::Config,
                "--cache-key does not match --cache-cert",
                why,
            );
        }
        let tls = matches!(self.info.addr(), ConnectionAddr::TcpTls { .. });
        if matches!(error.kind(), ErrorKind::Client | ErrorKind::InvalidClientConfig)
            || error.detail().is_some_and(|d| d.contains("DB index"))
        {
            return Failure::new(
                FailureKind::Config,
                format!("the cache at {place} does not have what the URL asks for"),
                words(error),
            )
            .hint("check the database index and the options in the cache URL");
        }
        let broke_off = error.is_timeout() || error.is_connection_dropped();
        let hint = if error.is_connection_refusal() || !(tls || broke_off) {
            "check that it is running and that the cache URL has the right host and port"
        } else if let Some(hint) = certificate_hint(error) {
            hint
        } else if tls {
            "check that it is running and uses TLS on this port (redis:// is without TLS), and that its certificate is trusted"
        } else {
            "check that it is running, that it has connections left (maxclients), and whether it requires TLS \
             (rediss://); behind a proxy that closes connections on commands it does not know, such as nutcracker, \
             give the URL of the server itself"
        };
        let hint = match &self.announced {
            Some(announced) => format!(
                "its cluster announces {announced}: if this host reaches it elsewhere, use --cache-node \
                 {announced}=HOST:PORT; otherwise {hint}"
            ),
            None => hint.to_owned(),
        };
        Failure::new(
            FailureKind::CacheUnreachable,
            format!("cannot reach the cache at {place}"),
            words(error),
        )
        .hint(hint)
    }

    /// The failure that ends the run, if the error is fatal.
    pub(super) fn refusal(&self, error: &RedisError) -> Option<Failure> {
        use FailureKind::{CacheDenied, CacheRefused};
        let detail = error.detail().unwrap_or_default();
        let (kind, what, hint) = match error.code() {
            // The crate wraps errors of AUTH and SELECT.
            _ if error.kind() == ErrorKind::AuthenticationFailed => {
                (CacheDenied, PASSWORD, SIGN_IN)
            }
            None if error.to_string().contains("no permissions") => {
                let hint = "a database index in the URL needs +select";
                (CacheDenied, COMMAND, hint)
            }
            Some("NOAUTH") => {
                let hint = match self.info.redis_settings().username() {
                    Some(_) => NOT_THE_USER,
                    None => "put it into the cache URL: redis://:PASSWORD@HOST",
                };
                (CacheDenied, "the cache requires a password", hint)
            }
            Some("WRONGPASS") => (CacheDenied, PASSWORD, SIGN_IN),
            Some("DENIED") => {
                let hint = "give it a password or bind it to this host";
                (CacheDenied, "the cache is in protected mode", hint)
            }
            Some("NOPERM") if !detail.contains("to access") => (CacheDenied, COMMAND, PERMISSIONS),
            // Before 7.2 a denied command in a script has no error code.
            Some("ERR") if detail.contains("user executing the script") => {
                let what = "the cache refuses this user a command of a script";
                (CacheDenied, what, PERMISSIONS)
            }
            Some("OOM") => (CacheRefused, "the cache is full", MAKE_ROOM),
            Some("READONLY") => {
                let what = "the cache refuses writes: it is a replica";
                (CacheRefused, what, "give the URL of its primary")
            }
            Some("MISCONF") => {
                let hint =
                    "it cannot save to its disk: see rdb_last_bgsave_status in INFO and its log";
                (CacheRefused, "the cache refuses writes", hint)
            }
            Some("MOVED" | "ASK" | "CROSSSLOT") => {
                (CacheRefused, "the cache has become a cluster", "run again")
            }
            _ => return None,
        };
        let at = format!("the cache at {}", self.place());
        let what = what.replacen("the cache", &at, 1);
        Some(Failure::new(kind, what, words(error)).hint(hint))
    }

    /// The failure of a server that stopped answering.
    pub(super) fn lost(&self, error: &RedisError) -> Failure {
        let mut failure = self.connect_failure(error);
        failure.kind = FailureKind::CacheUnreachable;
        failure.what = format!("lost the cache at {} in the middle of the run", self.place());
        failure
    }

    /// The failure of a server that keeps asking to come back later.
    pub(super) fn not_ready(&self, error: &RedisError) -> Failure {
        if is_read_only(error) {
            let what = format!("the cache at {} has become a replica", self.place());
            return Failure::new(FailureKind::CacheRefused, what, words(error)).hint(
                "no other server has taken its place at this address: wait longer with \
                 --failover-timeout, or give the URL of the primary",
            );
        }
        let what = format!("the cache at {} is not ready", self.place());
        Failure::new(FailureKind::CacheUnreachable, what, words(error))
            .hint("run again when it is: see INFO (loading, master_link_status) and its log")
    }

    pub(super) fn no_answer(&self, why: impl Into<String>) -> Failure {
        let what = format!("the cache at {} does not answer", self.place());
        Failure::new(FailureKind::CacheUnreachable, what, why)
    }

    /// A command that this user or server does not allow.
    pub(super) fn denied(&self, error: &RedisError) -> Failure {
        let what = format!("the cache at {} refuses", self.place());
        Failure::new(FailureKind::CacheDenied, what, words(error))
    }
}

/// The servers do not match the URL.
pub(super) fn other_kind(place: &str, what: &str, hint: &str) -> Failure {
    Failure::new(
        FailureKind::Config,
        format!("the cache URL does not match the server at {place}"),
        what,
    )
    .hint(hint)
}

/// A hint for a certificate error.
fn certificate_hint(error: &RedisError) -> Option<&'static str> {
    const HINTS: [(&str, &str); 9] = [
        (
            "UnknownIssuer",
            "its certificate is not trusted: give its CA certificate with --cache-ca FILE",
        ),
        (
            "CaUsedAsEndEntity",
            "the server uses a CA certificate as its own: give it a certificate signed by the CA (CA:FALSE)",
        ),
        ("NotValidForName", "use the host name in the server's certificate"),
        ("not valid for name", "use the host name in the server's certificate"),
        ("Expired", "renew the server's certificate"),
        ("expired", "renew the server's certificate"),
        (
            "CertificateRequired",
            "it requires a client certificate: --cache-cert FILE and --cache-key FILE",
        ),
        (
            "HandshakeFailure",
            "it may require a client certificate: --cache-cert FILE and --cache-key FILE",
        ),
        (
            "fatal alert",
            "it refuses the certificate in --cache-cert: use one that its CA has signed for clients",
        ),
    ];
    let text = error.to_string();
    let hint = HINTS.iter().find(|(word, _)| text.contains(word));
    hint.map(|(_, hint)| *hint)
}
