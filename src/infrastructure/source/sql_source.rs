//! A [`RowSource`] over any database.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::stream::BoxStream;
use tokio::time::{sleep, timeout};

use super::describe::unencodable;
use super::driver::Refusal;
use super::failures::locked_out;
use super::options::CONNECT_TIMEOUT;
use super::reading;
use super::rows::Reader;
use super::session::Session;
use super::sessions::Sessions;
use super::watched::LOCK_PAUSE;
use crate::application::ports::{Dialect, Param, Query, QueryPlan, RowSource, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::place::Spot;
use crate::domain::row::{Column, Columns, RowBatch};
use crate::domain::schema::Schema;
use crate::domain::server::{ServerRole, ServerZone};

pub(super) struct SqlSource<D: Reader> {
    sessions: Arc<Sessions<D>>,
    /// The same with row-level security applied.
    filtered: OnceLock<Arc<dyn RowSource>>,
}

impl<D: Reader> SqlSource<D> {
    pub(super) fn new(sessions: Sessions<D>) -> Self {
        Self { sessions: Arc::new(sessions), filtered: OnceLock::new() }
    }

    /// Describes a query, with retries while another session locks its tables.
    async fn describe_unlocked(
        &self,
        sql: &str,
        params: &[Param],
    ) -> Result<(Session<D>, Result<Vec<Column>, Refusal>), Failure> {
        let (sessions, began) = (&self.sessions, Instant::now());
        loop {
            let mut session = sessions.connection().await?;
            let described = sessions.driver.describe(&mut session, sql, params);
            let described = sessions.wait_for_turn("preparing", described).await?;
            let is_locked = match &described {
                Err(Refusal::Sql(error)) => Sessions::<D>::is_lock_timeout(error),
                _ => false,
            };
            if !is_locked {
                return Ok((session, described));
            }
            if began.elapsed() >= sessions.driver.statement_timeout() {
                return Err(locked_out(sessions.driver.as_ref(), "preparing"));
            }
            drop(session);
            sleep(LOCK_PAUSE).await;
        }
    }

    async fn check_up(&self) -> Result<Vec<Finding>, Failure> {
        let sessions = &self.sessions;
        let mut session = sessions.connection().await?;
        let info = sessions.driver.checkup(&mut session).await;
        let info = info.map_err(|error| sessions.query_failure("checking", &error))?;
        let mut findings = info.findings(&sessions.driver.place());
        let pooler = sessions.driver.pooler(&mut session);
        // If it is not known, omit it.
        if let Ok(Ok(pooler)) = timeout(CONNECT_TIMEOUT, pooler).await {
            findings.extend(pooler);
            sessions.put_back(session).await;
        }
        Ok(findings)
    }
}

#[async_trait]
impl<D: Reader> RowSource for SqlSource<D> {
    fn dialect(&self) -> Dialect {
        self.sessions.driver.dialect()
    }

    fn filtered(&self) -> Option<Arc<dyn RowSource>> {
        let driver = self.sessions.driver.filtered()?;
        let fresh_url = self.sessions.fresh_url();
        let filtered =
            || -> Arc<dyn RowSource> { Arc::new(Self::new(Sessions::new(driver, fresh_url))) };
        Some(Arc::clone(self.filtered.get_or_init(filtered)))
    }

    async fn moment(&self) -> Result<Moment, Failure> {
        let asked = self
            .sessions
            .with_session("asking for the time", |driver, session| driver.moment(session).boxed());
        let mut moment = asked.await?.map_err(|why| {
            let what = "the database does not report how up to date it is";
            Failure::new(FailureKind::Query, what, why)
        })?;
        // In another zone the same rows may make other values.
        let zone = self.sessions.driver.session_zone();
        if !zone.is_utc() {
            moment.origin += &format!(" in {zone}");
        }
        Ok(moment)
    }

    async fn unique_keys(&self, table: &TableName) -> Result<UniqueKeys, Failure> {
        let (label, table) = ("asking for a table's keys", table.clone());
        let ask = self.sessions.with_session(label, |driver, session| {
            async move { driver.unique_keys(session, &table).await }.boxed()
        });
        ask.await
    }

    async fn schema(&self) -> Result<Schema, Failure> {
        let asked = self
            .sessions
            .with_session("reading the schema", |driver, session| driver.schema(session).boxed());
        asked.await
    }

    async fn describe(&self, sql: &str, params: &[Param]) -> Result<Columns, Failure> {
        let sessions = &self.sessions;
        let sql = &D::DESCRIBED.join(sql);
        let (session, described) = self.describe_unlocked(sql, params).await?;
        let is_in_step = match &described {
            Ok(_) | Err(Refusal::Types(_)) => true,
            Err(Refusal::Sql(error)) => matches!(error, sqlx::Error::Database(_)),
        };
        if is_in_step {
            sessions.put_back(session).await;
        }
        match described {
            Ok(columns) => Ok(columns.into()),
            Err(Refusal::Sql(error)) => {
                let mut failure = sessions.query_failure("preparing", &error);
                if let Some(Spot::Char(at)) = failure.spot.as_deref_mut() {
                    *at = at.saturating_sub(D::DESCRIBED[0].chars().count());
                }
                Err(failure)
            }
            Err(Refusal::Types(refused)) => Err(unencodable(&refused, D::DIALECT.text_type())),
        }
    }

    fn is_blind(&self) -> bool {
        self.sessions.is_blind()
    }

    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>> {
        reading::rows(&self.sessions, query)
    }

    async fn quiesced(&self) {
        self.sessions.quiesced().await;
    }

    async fn plan(&self, sql: &str, params: &[Param]) -> Result<QueryPlan, Failure> {
        let (text, params) = (sql.to_owned(), params.to_vec());
        let ask = self.sessions.with_session("planning", |driver, session| {
            async move { driver.plan(session, &text, &params).await }.boxed()
        });
        ask.await
    }

    async fn checkup(&self) -> Vec<Finding> {
        let findings = self.check_up().await;
        findings.unwrap_or_else(|failure| vec![Finding::of("database", &failure)])
    }

    async fn role(&self) -> ServerRole {
        let ask = self.sessions.ask_briefly(|driver, session| driver.role(session).boxed());
        ask.await.map_or(ServerRole::NotKnown, |role| role.known())
    }

    async fn zone(&self) -> Option<ServerZone> {
        let zone =
            self.sessions.ask_briefly(|driver, session| driver.zone(session).map(Ok).boxed());
        zone.await?
    }

    async fn vitals(&self) -> Option<SourceVitals> {
        self.sessions.probe().await
    }

    async fn estimate(&self, sql: &str, params: &[Param]) -> Option<Expected> {
        let (sql, params) = (sql.to_owned(), params.to_vec());
        let estimate = self.sessions.ask_briefly(|driver, session| {
            async move { Ok(driver.estimate(session, &sql, &params).await) }.boxed()
        });
        estimate.await?
    }
}
