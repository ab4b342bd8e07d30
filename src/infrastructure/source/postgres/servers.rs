//! Connects to the first server in the URL that fits.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::time::timeout;

use super::super::driver::Answer;
use super::super::options::CONNECT_TIMEOUT;
use super::errors;
use super::target::{Fit, Target};
use crate::domain::sync::{read, write};

#[derive(Clone)]
pub(super) struct Servers {
    all: Arc<RwLock<Arc<[PgConnectOptions]>>>,
    target: Target,
    /// The one that was connected to last.
    last: Arc<AtomicUsize>,
}

impl Servers {
    /// `all` has at least one.
    pub(super) fn new(all: Vec<PgConnectOptions>, target: Target) -> Self {
        let (all, last) = (Arc::new(RwLock::new(all.into())), Arc::default());
        Self { all, target, last }
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// The server that was connected to last.
    pub(super) fn last(&self) -> PgConnectOptions {
        let (all, last) = (self.all(), self.last.load(Ordering::Relaxed));
        all[last.min(all.len() - 1)].clone()
    }

    fn all(&self) -> Arc<[PgConnectOptions]> {
        Arc::clone(&read(&self.all))
    }

    /// Takes over the same servers with another user or password.
    pub(super) fn sign_in_as(&self, other: &Self) {
        *write(&self.all) = other.all();
    }

    /// All of them, for messages.
    pub(super) fn place(&self) -> String {
        let places: Vec<String> = self.all().iter().map(place).collect();
        places.join(", ")
    }

    /// Only the server's answer to credentials ends the search early, as for libpq.
    ///
    /// # Errors
    /// Why each server is out of the question.
    pub(super) async fn connect(&self) -> Answer<PgConnection> {
        let all = self.all();
        if let ([only], Target::Any) = (&all[..], self.target) {
            return only.connect().await;
        }
        let (mut reasons, mut at_worst) = (Vec::new(), None);
        for (at, server) in all.iter().enumerate() {
            let why = match timeout(CONNECT_TIMEOUT, self.open(server)).await {
                Ok(Ok((session, Fit::Yes))) => return Ok(self.remember(at, session)),
                Ok(Ok((session, Fit::AtWorst))) => {
                    at_worst.get_or_insert((at, session));
                    continue;
                }
                Ok(Ok((_, Fit::No(instead)))) => instead.to_owned(),
                Ok(Err(error)) => may_be_elsewhere(error)?,
                Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            };
            reasons.push(format!("{}: {why}", place(server)));
        }
        match at_worst {
            Some((at, session)) => Ok(self.remember(at, session)),
            None => Err(sqlx::Error::Io(io::Error::other(reasons.join("; ")))),
        }
    }

    fn remember(&self, at: usize, session: PgConnection) -> PgConnection {
        self.last.store(at, Ordering::Relaxed);
        session
    }

    async fn open(&self, server: &PgConnectOptions) -> Answer<(PgConnection, Fit)> {
        let mut session = server.connect().await?;
        if self.target == Target::Any {
            return Ok((session, Fit::Yes));
        }
        let row = sqlx::raw_sql(KIND).fetch_one(&mut session).await?;
        let fit = self.target.fit(row.try_get(0)?, row.try_get(1)?);
        Ok((session, fit))
    }
}

const KIND: &str = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_is_in_recovery()
    OR pg_catalog.current_setting('default_transaction_read_only') = 'on'";

fn place(server: &PgConnectOptions) -> String {
    match server.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", server.get_host(), server.get_port()),
    }
}

/// Why the next server is tried.
fn may_be_elsewhere(error: sqlx::Error) -> Answer<String> {
    match error {
        // TLS errors arrive as invalid data.
        sqlx::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            Ok(error.to_string())
        }
        sqlx::Error::Database(error)
            if error.code().is_some_and(|code| code.starts_with("57P")) =>
        {
            Ok(errors::explain(error.as_ref()).message)
        }
        error => Err(error),
    }
}
