//! A definition on a database.

use futures_util::stream::BoxStream;

use super::compose::{Composer, Pick};
use super::key_query::{self, KeyColumn};
use super::layout::Layout;
use super::missing;
use crate::application::ports::{Dialect, Param, Query, QueryPlan, RowSource, Sources};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::order_by::OrderBy;
use crate::domain::parameter::Statement;
use crate::domain::place::{Missing, Place};
use crate::domain::row::{Column, ColumnKind, Columns, RowBatch};
use crate::domain::strategy::Definition;
use crate::domain::written::Wrong;

/// A definition, its SQL for a database, and the layout of its rows there.
pub struct Prepared {
    pub definition: Definition,
    pub layout: Layout,
    pub(super) sql: String,
    /// What the parameters of its SQL are bound to; those of conditions come after them.
    pub(super) params: Vec<Param>,
    pub(super) sources: Sources,
    /// Why its keys cannot be looked up.
    pub(super) opaque: Option<String>,
}

/// What is read of each row, by which queries, and how it is laid out.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) composer: Composer<'a>,
    pub(super) pick: Pick<'a>,
    pub(super) layout: &'a Layout,
}

impl Prepared {
    /// Checks that a definition fits the connected database. Reads no row.
    ///
    /// # Errors
    /// A [`FailureKind::Config`] failure where it does not, or the database's own.
    pub async fn new(mut definition: Definition, sources: Sources) -> Result<Self, Failure> {
        let source = sources.bulk.as_ref();
        let dialect = source.dialect();
        let name = dialect.name();
        let Some(statement) = definition.statement(name) else {
            let wrong = Wrong::new("sql", format!("there is no SQL for {name}"));
            return Err(Self::misfit(&definition, &wrong)
                .hint(format!("add sql.{name} or sql.any to the definition")));
        };
        let params = params(&statement, &definition);
        let run = Run { statement: &statement, params: &params, source };
        let columns = run.describe(&definition).await?;
        let documents = documents(&definition, source).await?;
        definition.order_by = run.order_by(&definition, &columns).await?;
        let layout = Layout::new(&definition, columns, &documents)
            .map_err(|wrong| Self::misfit(&definition, &wrong))?;
        let opaque = key_query::opaque(dialect, &layout.key_columns(&definition));
        Ok(Self { definition, layout, sql: statement.sql.text, params, sources, opaque })
    }

    fn misfit(definition: &Definition, wrong: &Wrong) -> Failure {
        definition.written.fault(&definition.spec.id.to_string(), wrong)
    }

    /// Where the SQL is written.
    fn written(&self) -> Option<String> {
        let field = sql_field(&self.definition, self.dialect());
        let written = self.definition.written.get(field);
        written.map(|written| written.at(None))
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.sources.bulk.dialect()
    }

    /// Where rows are read.
    pub(super) fn source(&self, from_primary: bool) -> &dyn RowSource {
        if from_primary { self.sources.primary.as_ref() } else { self.sources.bulk.as_ref() }
    }

    pub(super) fn key_columns(&self) -> Vec<KeyColumn<'_>> {
        self.layout.key_columns(&self.definition)
    }

    pub(super) fn query(&self, sql: String, params: Vec<Param>, layout: &Layout) -> Query {
        let label = self.definition.spec.id.to_string();
        Query {
            written: self.written(),
            params,
            hints: layout.hints.clone(),
            ..Query::new(label, sql, layout.columns.clone())
        }
    }

    /// The rows of a query over the whole selection.
    pub(super) fn bulk_rows(
        &self,
        sql: String,
        layout: &Layout,
    ) -> BoxStream<'static, Result<RowBatch, Failure>> {
        let params = self.params.clone();
        self.sources.bulk.rows(self.query(sql, params, layout))
    }

    pub(super) fn composer(&self) -> Composer<'_> {
        Composer {
            columns: &self.layout.columns,
            ..composer(&self.definition, &self.sql, self.dialect())
        }
    }

    /// A limit on keys as one on rows; a value of several rows needs all of them.
    pub(super) fn row_limit(&self, keys: Option<u64>) -> Option<u64> {
        let keys = keys.filter(|_| !self.definition.spec.value.groups_rows());
        [self.definition.limit, keys].into_iter().flatten().min()
    }

    /// How many keys the selection has.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_keys(&self, limit: Option<u64>) -> Result<u64, Failure> {
        if self.definition.empty {
            return Ok(1);
        }
        let limit = [self.definition.limit, limit].into_iter().flatten().min();
        self.count(self.composer().count_keys(limit), self.params.clone()).await
    }

    /// The number that a counting query gives.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn count(&self, sql: String, params: Vec<Param>) -> Result<u64, Failure> {
        let query = Query {
            written: self.written(),
            params,
            ..Query::counting(self.definition.spec.id.to_string(), sql)
        };
        query.number(self.sources.bulk.as_ref()).await
    }

    /// How the database means to read the selection.
    ///
    /// # Errors
    /// The database's.
    pub async fn plan(&self, limit: Option<u64>) -> Result<QueryPlan, Failure> {
        let sql = self.composer().all(Pick::All, self.row_limit(limit));
        self.sources.bulk.plan(&sql, &self.params).await
    }

    /// The unique keys of a table, with names as `KeyRows` has them.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn unique_keys(&self, table: &TableName) -> Result<UniqueKeys, Failure> {
        let mut keys = self.sources.bulk.unique_keys(table).await?;
        if !self.dialect().grammar().is_case_sensitive {
            let all = keys.others.iter_mut().chain([&mut keys.primary, &mut keys.texts]);
            all.flatten().for_each(|name| name.make_ascii_lowercase());
        }
        Ok(keys)
    }

    /// Waits until cancelled queries have stopped.
    pub async fn quiesced(&self) {
        self.sources.bulk.quiesced().await;
        self.sources.primary.quiesced().await;
    }
}

fn params(statement: &Statement, definition: &Definition) -> Vec<Param> {
    let bound = statement.bound(&definition.vars).into_iter();
    bound.map(Param::from).collect()
}

fn composer<'a>(definition: &'a Definition, sql: &'a str, dialect: Dialect) -> Composer<'a> {
    let (with, sql) = sql.split_at(definition.with_bytes);
    Composer { definition, dialect, with, sql, columns: &[] }
}

/// A definition's SQL on a database, which tells what of the definition does not fit.
struct Run<'a> {
    statement: &'a Statement,
    params: &'a [Param],
    source: &'a dyn RowSource,
}

impl Run<'_> {
    fn composer<'a>(&'a self, definition: &'a Definition) -> Composer<'a> {
        composer(definition, &self.statement.sql.text, self.source.dialect())
    }

    /// The columns of the definition's query.
    async fn describe(&self, definition: &Definition) -> Result<Columns, Failure> {
        let composer = self.composer(definition);
        let query = composer.description();
        let failure = match self.source.describe(&query, self.params).await {
            Ok(columns) => return Ok(columns),
            Err(failure) => failure,
        };
        let place = failure.spot.as_ref();
        let place = place.and_then(|spot| composer.byte(&query, spot));
        let place = place.map(|byte| self.statement.place(byte));
        let field = sql_field(definition, self.source.dialect());
        Err(refused(definition, field, failure, place, (&query, self.source)).await)
    }

    /// The order by the columns as the query names them.
    async fn order_by(
        &self,
        definition: &Definition,
        columns: &Columns,
    ) -> Result<OrderBy, Failure> {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let bound = definition.order_by.bound(&names);
        let bound =
            bound.map_err(|why| Prepared::misfit(definition, &Wrong::new("order_by", why)))?;
        let sorts = |column: &&Column| bound.0.iter().any(|term| term.column == column.name);
        let is_odd = |column: &Column| matches!(column.kind, ColumnKind::Other(_));
        // Not every type has an order.
        if columns.iter().filter(sorts).any(is_odd) {
            let definition = &Definition { order_by: bound.clone(), ..definition.clone() };
            let query = self.composer(definition).all(Pick::All, None);
            if let Err(failure) = self.source.describe(&query, self.params).await {
                let from = (query.as_str(), self.source);
                return Err(refused(definition, "order_by", failure, None, from).await);
            }
        }
        Ok(bound)
    }
}

/// The field that has the SQL for a database.
fn sql_field(definition: &Definition, dialect: Dialect) -> &'static str {
    let own = definition.sql.texts().map(|(field, _)| field).into_iter();
    let mut own = own.filter(|field| field.strip_prefix("sql.") == Some(dialect.name()));
    let is_written = |field: &&str| definition.written.0.contains_key(*field);
    own.find(is_written).unwrap_or("sql.any")
}

/// A query that the database refuses is a fault of the definition; other failures are not. With a
/// hint about a name that the database does not have.
pub(super) async fn refused(
    definition: &Definition,
    field: &str,
    failure: Failure,
    place: Option<Place>,
    (query, source): (&str, &dyn RowSource),
) -> Failure {
    if failure.kind != FailureKind::Query {
        return failure;
    }
    let is_shipped = definition.written.is_shipped(field);
    let hint = missing::hint(&failure, query, source, is_shipped).await;
    let cause = (failure.missing == Some(Missing::Table)).then(|| failure.why.clone());
    let wrong = Wrong::new(field, failure.why).within(place);
    Failure { hint: hint.or(failure.hint), cause, ..Prepared::misfit(definition, &wrong) }
}

/// The columns that are documents though the database calls them texts, in lower case.
async fn documents(
    definition: &Definition,
    source: &dyn RowSource,
) -> Result<Vec<String>, Failure> {
    let mut documents = definition.documents.clone();
    if let Some(statement) = &definition.document_sql {
        let params = params(statement, definition);
        let composer = Composer {
            definition,
            dialect: source.dialect(),
            with: "",
            sql: &statement.sql.text,
            columns: &[],
        };
        let columns = match source.describe(&composer.description(), &params).await {
            // If the database rejects the text, nothing is learned.
            Err(failure) if failure.kind == FailureKind::Query => return Ok(documents),
            described => described?,
        };
        let columns = columns.iter();
        let found = columns.filter(|column| matches!(column.declared.as_str(), "JSON" | "JSONB"));
        documents.extend(found.map(|column| column.name.to_ascii_lowercase()));
    }
    Ok(documents)
}
