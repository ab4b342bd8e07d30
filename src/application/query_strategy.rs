//! A definition that runs.

use std::collections::{HashSet, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

use super::assemble::{Assembler, Layout};
use super::compose::{self, Pick};
use super::key_query::{self, KeyColumn};
use super::ports::{
    Ask, Param, Query, QueryPlan, RowSource, Sources, Tracked, Wanted, WarmupStrategy, Way,
};
use super::resume::{self, Order};
use super::versions::Versions;
use crate::domain::Dialect;
use crate::domain::changes::{Since, TrackedTable, Tracking};
use crate::domain::entry::{Entry, EntryBatch, KeyError, Name};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::precision::Precision;
use crate::domain::row::{Column, ColumnKind, RowBatch};
use crate::domain::strategy::{Definition, Shape, StrategySpec};
use crate::domain::version::Version;

/// Keys asked of the database in one query.
const KEYS_A_QUERY: usize = 500;

/// The definition's SQL for a database, and the layout of its rows. Reads no row.
///
/// # Errors
/// A [`FailureKind::Config`] failure where they do not fit, or the database's own.
pub async fn fit(
    definition: &Definition,
    source: &dyn RowSource,
) -> Result<(String, Layout), Failure> {
    let id = &definition.spec.id;
    let invalid =
        |why: String| Failure::new(FailureKind::Config, format!("{id} is not valid"), why);
    let dialect = source.dialect();
    let Some(sql) = definition.sql.for_dialect(dialect).map(str::to_owned) else {
        let name = dialect.name();
        return Err(invalid(format!("it has no SQL for {name}"))
            .hint(format!("add sql.{name} or sql.any to the definition")));
    };
    let query = compose::select_all(definition, dialect, &sql, Pick::All, definition.limit);
    let described = source.describe(&query).await;
    let columns = described.map_err(|failure| match failure.kind {
        FailureKind::Query => Failure {
            hint: failure.hint.clone(),
            ..invalid(failure.why)
        },
        _ => failure,
    })?;
    let documents = documents(definition, source).await?;
    let layout = Layout::new(definition, columns, &documents).map_err(invalid)?;
    Ok((sql, layout))
}

/// The columns that are documents though the database calls them texts, in lower case.
async fn documents(
    definition: &Definition,
    source: &dyn RowSource,
) -> Result<Vec<String>, Failure> {
    let mut documents = definition.documents.clone();
    if let Some(sql) = &definition.document_sql {
        let dialect = source.dialect();
        let asked = compose::select_all(definition, dialect, sql, Pick::All, None);
        let columns = match source.describe(&asked).await {
            // A text that the database does not take has told nothing.
            Err(failure) if failure.kind == FailureKind::Query => return Ok(documents),
            described => described?,
        };
        let columns = columns.iter();
        let found = columns.filter(|column| matches!(column.declared.as_str(), "JSON" | "JSONB"));
        documents.extend(found.map(|column| column.name.to_ascii_lowercase()));
    }
    Ok(documents)
}

/// A stream that broke off so many times without a row in between does not go on.
const MAX_LOSSES: u32 = 3;

/// How long a stream that gave way stays away: whoever waited for it may have more to do.
const PAUSE: Duration = Duration::from_millis(200);

/// Rows that are asked for beyond those that a limit leaves, as the last ones come again.
const OVERLAP: u64 = 64;

/// Rows that show what versions are like.
const SAMPLE: u64 = 100;

/// Keys whose versions are asked in one query: as many as a batch has, and as SQLite and MySQL take
/// parameters.
const VERSIONS_A_QUERY: usize = 2_000;

/// Readings of keys of several columns in one query, each of which is a condition of its own.
const READINGS_A_QUERY: usize = 200;

/// What is read of each row, how it is laid out, and the definition's text for it.
#[derive(Clone, Copy)]
struct Reading<'a> {
    pick: Pick<'a>,
    layout: &'a Layout,
    sql: &'a str,
}

/// Of a plain query over one table of PostgreSQL's it is known where each row lies. A row that is still
/// there has not changed: to look there costs an eighth of looking for its key in an index.
struct Placed {
    /// The definition's text, with the place as text.
    sql: String,
    /// The same with the place as it can be looked for.
    lookup: String,
    layout: Layout,
}

impl Placed {
    async fn of(definition: &Definition, sql: &str, sources: &Sources) -> Option<Self> {
        let is_row = definition.spec.value != Shape::List;
        let is_plain = matches!(definition.tracking, Tracking::Rows(..)) && is_row;
        let is_postgres = sources.bulk.dialect() == Dialect::Postgres;
        // Another server may keep its rows elsewhere.
        if !is_plain || !is_postgres || !Arc::ptr_eq(&sources.bulk, &sources.primary) {
            return None;
        }
        let text = compose::with_place(sql, "CAST(ctid AS text)")?;
        let lookup = compose::with_place(sql, "ctid")?;
        let all = compose::select_all(definition, Dialect::Postgres, &text, Pick::All, None);
        // A view has no places.
        let columns = sources.bulk.describe(&all).await.ok()?;
        let layout = Layout::new(definition, columns, &definition.documents).ok()?;
        let sql = text;
        layout.is_versioned().then_some(Self {
            sql,
            lookup,
            layout,
        })
    }
}

/// How keys asked for by name are read.
#[derive(Clone, Copy)]
struct Look {
    batch_size: usize,
    values: bool,
    from_primary: bool,
}

/// A [`Definition`] on a database: a [`WarmupStrategy`] that needs no code.
pub struct QueryStrategy {
    definition: Definition,
    sql: String,
    layout: Layout,
    /// Where a key alone can be read: what it is made of.
    keys: Option<Layout>,
    /// Where its version alone can be read, and its keys can be looked up.
    versions: Option<Layout>,
    /// Why its keys cannot be looked up.
    opaque: Option<String>,
    placed: Option<Placed>,
    sources: Sources,
    /// Keys, and whether each has changed.
    flags: Option<Layout>,
    /// The same definition in the order of its keys, where it has no order of its own.
    by_key: Option<Definition>,
}

impl QueryStrategy {
    /// Prepares the definition on the connected database and checks that they fit. Reads no row.
    ///
    /// # Errors
    /// A [`FailureKind::Config`] failure where they do not, or the database's own.
    pub async fn prepare(definition: Definition, sources: Sources) -> Result<Self, Failure> {
        let (sql, layout) = fit(&definition, sources.bulk.as_ref()).await?;
        let columns = layout.key_columns(&definition);
        let opaque = key_query::opaque(sources.bulk.dialect(), &columns);
        Ok(Self {
            keys: layout.keys_only(&definition),
            versions: layout.versions(&definition).filter(|_| opaque.is_none()),
            opaque,
            placed: Placed::of(&definition, &sql, &sources).await,
            flags: layout.keys_and(&definition, IS_CHANGED),
            by_key: resume::in_key_order(&definition, sources.bulk.dialect()),
            definition,
            sql,
            layout,
            sources,
        })
    }

    /// A whole selection, or what is left of it.
    fn rows(
        &self,
        sql: String,
        params: Vec<Param>,
        layout: &Layout,
        resumable: bool,
    ) -> BoxStream<'static, Result<RowBatch, Failure>> {
        self.sources.bulk.rows(Query {
            resumable,
            ..self.query(sql, params, layout)
        })
    }

    fn query(&self, sql: String, params: Vec<Param>, layout: &Layout) -> Query {
        Query {
            label: self.definition.spec.id.to_string(),
            sql,
            params,
            columns: layout.columns.clone(),
            hints: layout.hints.clone(),
            brief: false,
            resumable: false,
        }
    }

    fn dialect(&self) -> Dialect {
        self.sources.bulk.dialect()
    }

    /// What is to be read of each row, and how it is laid out.
    fn pick(&self, values: bool, places: bool) -> Reading<'_> {
        let (layout, sql) = match (&self.keys, &self.placed) {
            (Some(keys), _) if !values => (keys, &self.sql),
            (_, Some(placed)) if places => (&placed.layout, &placed.sql),
            _ => (&self.layout, &self.sql),
        };
        let pick = match values {
            false if self.keys.is_some() => Pick::Keys,
            _ => Pick::Columns(&layout.columns),
        };
        Reading { pick, layout, sql }
    }

    /// The versions of rows that have not moved since they were read.
    async fn hear_placed(
        &self,
        placed: &Placed,
        entries: &[Entry<'_>],
        versions: &mut Versions<'_>,
        layout: &Layout,
    ) -> Result<(), Failure> {
        let places = entries.iter().filter_map(|entry| entry.place);
        let (sql, params) = compose::select_placed(&self.definition, &placed.lookup, places);
        let mut rows = self.sources.primary.rows(Query {
            brief: true,
            ..self.query(sql, params, layout)
        });
        while let Some(batch) = rows.try_next().await? {
            versions.hear(&batch)?;
        }
        Ok(())
    }

    /// The rows of some keys; `None`: no row can have one of them.
    fn rows_of(
        &self,
        keys: &[Asked],
        Reading { pick, layout, sql }: Reading<'_>,
        source: &dyn RowSource,
    ) -> Option<BoxStream<'static, Result<RowBatch, Failure>>> {
        let (definition, dialect) = (&self.definition, self.dialect());
        let columns = self.layout.key_columns(definition);
        let mut params = Vec::new();
        let sql = if columns.is_empty() {
            compose::select_all(definition, dialect, sql, pick, definition.limit)
        } else {
            let readings: Vec<&Vec<String>> = keys.iter().flat_map(|key| &key.readings).collect();
            let condition = key_query::condition(dialect, &columns, &readings, &mut params)?;
            compose::select_where_only(definition, dialect, sql, pick, &condition)
        };
        Some(source.rows(Query {
            brief: true,
            ..self.query(sql, params, layout)
        }))
    }

    /// What a key may have been made of.
    fn asked(&self, name: Name) -> Result<Asked, KeyError> {
        let template = &self.definition.spec.key;
        let unknown = |why: &str| KeyError {
            key: printable(name.key.as_bytes()),
            error: format!("whether it has a row is not known: {why}"),
        };
        if let Some(why) = &self.opaque {
            return Err(unknown(why));
        }
        let values = match name.ends.as_slice() {
            [] => None,
            ends => template.values(&name.key, ends),
        };
        let readings = match values {
            Some(values) => vec![values],
            None => {
                let (dialect, columns) =
                    (self.dialect(), self.layout.key_columns(&self.definition));
                let fits = |at: usize, value: &str| {
                    let column = columns.get(at);
                    column.is_some_and(|column| key_query::fits(dialect, column.column, value))
                };
                let read = template.read(&name.key, &fits);
                read.map_err(|too_many| unknown(&too_many.to_string()))?
            }
        };
        let key = name.key;
        Ok(Asked { key, readings })
    }

    /// Keys in groups that one query can ask for; at most so many together.
    fn groups(&self, keys: Vec<Asked>, most: usize) -> VecDeque<Vec<Asked>> {
        let has_many = self.layout.key_columns(&self.definition).len() > 1;
        let mut groups: VecDeque<Vec<Asked>> = VecDeque::new();
        let mut readings = 0;
        for key in keys {
            readings += key.readings.len();
            match groups.back_mut() {
                Some(group) if group.len() < most && !(has_many && readings > READINGS_A_QUERY) => {
                    group.push(key);
                }
                _ => {
                    readings = key.readings.len();
                    groups.push_back(vec![key]);
                }
            }
        }
        groups
    }

    fn select_all(&self, pick: Pick<'_>, limit: Option<u64>) -> String {
        compose::select_all(&self.definition, self.dialect(), &self.sql, pick, limit)
    }

    /// The rows that a limit on keys leaves: of a list every row of its keys is needed.
    fn row_limit(&self, keys: Option<u64>) -> Option<u64> {
        let keys = keys.filter(|_| self.definition.spec.value != Shape::List);
        [self.definition.limit, keys].into_iter().flatten().min()
    }

    fn all<'a>(
        &'a self,
        limit: Option<u64>,
        batch_size: usize,
        reading: Reading<'a>,
        in_order: bool,
    ) -> BoxStream<'a, Result<EntryBatch, Failure>> {
        let Reading { pick, layout, sql } = reading;
        let row_limit = self.row_limit(limit);
        let dialect = self.dialect();
        let is_plain = |at: usize| layout.hints[at].is_none();
        let order = |definition| Order::of(definition, dialect, &layout.columns, is_plain);
        // A limit would leave other rows.
        let is_whole = row_limit.is_none();
        let by_key = self.by_key.as_ref().filter(|_| in_order && is_whole);
        let by_key = by_key.and_then(|definition| Some((definition, Some(order(definition)?))));
        let (definition, order) =
            by_key.unwrap_or_else(|| (&self.definition, order(&self.definition)));
        let sql = compose::select_all(definition, dialect, sql, pick, row_limit);
        let state = Assembly {
            rows: Some(self.rows(sql, Vec::new(), layout, order.is_some())),
            assembler: Assembler::new(layout, batch_size),
            warnings: Vec::new(),
            limit,
            rest: order.map(|order| Rest {
                strategy: self,
                definition,
                order,
                reading,
                row_limit,
                last: None,
                losses: 0,
            }),
        };
        stream::try_unfold(state, |mut state| async move {
            Ok(state.next().await?.map(|batch| (batch, state)))
        })
        .boxed()
    }

    fn named(&self, names: Vec<Name>, how: Look) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        let mut unknown = EntryBatch::default();
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            match self.asked(name) {
                Ok(key) => keys.push(key),
                Err(failed) => unknown.failed.push(failed),
            }
        }
        let queue = self.groups(keys, KEYS_A_QUERY.min(how.batch_size).max(1));
        let found = stream::try_unfold(
            (queue, None::<Lookup<'_>>, 0),
            move |(mut queue, mut current, mut losses)| async move {
                loop {
                    let lookup = current.take();
                    let lookup = lookup.or_else(|| Some(self.look_up(queue.pop_front()?, how)));
                    let Some(mut lookup) = lookup else {
                        return Ok(None);
                    };
                    match lookup.next().await {
                        Ok(Some(batch)) => return Ok(Some((batch, (queue, Some(lookup), 0)))),
                        Ok(None) => {}
                        Err(failure) if failure.is_interruption() && losses < MAX_LOSSES => {
                            tracing::warn!(%failure, "asking again for the keys that are left");
                            losses += 1;
                            queue.push_front(lookup.left());
                        }
                        // One key that its column's type cannot hold fails the whole query: halve it.
                        Err(failure)
                            if failure.kind == FailureKind::Query
                                && self.casts_keys()
                                && lookup.is_fresh() =>
                        {
                            let mut keys = lookup.keys;
                            if let [key] = keys.as_slice() {
                                return Ok(Some((failed(&key.key, &failure), (queue, None, 0))));
                            }
                            let right = keys.split_off(keys.len() / 2);
                            queue.push_front(right);
                            queue.push_front(keys);
                        }
                        Err(failure) => return Err(failure),
                    }
                }
            },
        );
        let unknown = (!unknown.is_void()).then_some(Ok(unknown));
        stream::iter(unknown).chain(found).boxed()
    }

    /// Asks for keys by the columns that they were made of.
    fn look_up(&self, keys: Vec<Asked>, how: Look) -> Lookup<'_> {
        let reading = self.pick(how.values, false);
        let source = match how.from_primary {
            true => &self.sources.primary,
            false => &self.sources.bulk,
        };
        let rows = self.rows_of(&keys, reading, source.as_ref());
        Lookup {
            missing: keys
                .iter()
                .map(|key| key.key.clone().into_bytes())
                .collect(),
            keys,
            assembly: Assembly {
                rows,
                assembler: Assembler::new(reading.layout, how.batch_size),
                warnings: Vec::new(),
                limit: None,
                rest: None,
            },
            ended: false,
        }
    }

    fn casts_keys(&self) -> bool {
        let columns = self.layout.key_columns(&self.definition);
        let cast = |column: &KeyColumn<'_>| matches!(column.column.kind, ColumnKind::Other(_));
        columns.iter().any(cast)
    }
}

impl WarmupStrategy for QueryStrategy {
    fn spec(&self) -> &StrategySpec {
        &self.definition.spec
    }

    fn entries(&self, ask: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        match ask.keys {
            Wanted::All { limit } => {
                let in_order = ask.in_order || self.sources.bulk.is_blind();
                let reading = self.pick(ask.values, ask.row_locations);
                self.all(limit, ask.batch_size, reading, in_order)
            }
            Wanted::Named(keys) => {
                let look = Look {
                    batch_size: ask.batch_size,
                    values: ask.values,
                    from_primary: ask.from_primary,
                };
                self.named(keys, look)
            }
        }
    }

    fn is_versioned(&self) -> bool {
        self.layout.is_versioned()
    }

    fn opaque(&self) -> Option<&str> {
        self.opaque.as_deref()
    }

    fn precision(&self) -> BoxFuture<'_, Result<Option<Precision>, Failure>> {
        async move {
            let Some(layout) = &self.versions else {
                return Ok(None);
            };
            if layout.is_list() {
                return Ok(Some(Precision::Exact));
            }
            let sql = compose::select_versions(&self.definition, self.dialect(), &self.sql, SAMPLE);
            let mut rows = self.rows(sql, Vec::new(), layout, false);
            let mut finest = None;
            while let Some(batch) = rows.try_next().await? {
                let versions = (0..batch.len()).map(|i| layout.version(batch.row(i)));
                let versions = versions.filter_map(|version| version.ok().flatten());
                finest = finest.max(versions.map(Version::precision).max());
            }
            Ok(finest)
        }
        .boxed()
    }

    fn versions<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, Failure>> {
        async move {
            let Some(layout) = &self.versions else {
                return Ok(vec![None; entries.len()]);
            };
            let primary = self.sources.primary.as_ref();
            let mut versions = Versions::of(entries, layout);
            if let Some(placed) = &self.placed
                && entries.iter().any(|entry| entry.place.is_some())
            {
                self.hear_placed(placed, entries, &mut versions, layout)
                    .await?;
            }
            // A row that lies elsewhere by now has changed, or is gone.
            let missing = versions.missing().filter_map(|i| {
                let entry = &entries[i];
                let key = std::str::from_utf8(entry.key).ok()?.to_owned();
                let ends = entry.ends.to_vec();
                Some(self.asked(Name { key, ends }))
            });
            let missing =
                missing
                    .collect::<Result<_, _>>()
                    .map_err(|KeyError { key, error }| {
                        let what = format!("{key} cannot be looked up again");
                        Failure::new(FailureKind::Internal, what, error)
                    })?;
            let reading = Reading {
                // Of a list every row counts, with all that is in it.
                pick: match layout.is_list() {
                    true => Pick::Columns(&layout.columns),
                    false => Pick::Versions,
                },
                layout,
                sql: &self.sql,
            };
            for keys in self.groups(missing, VERSIONS_A_QUERY) {
                let Some(mut rows) = self.rows_of(&keys, reading, primary) else {
                    continue;
                };
                while let Some(batch) = rows.try_next().await? {
                    versions.hear(&batch)?;
                }
            }
            Ok(versions.finish())
        }
        .boxed()
    }

    fn count(&self, limit: Option<u64>) -> BoxFuture<'_, Result<u64, Failure>> {
        let dialect = self.dialect();
        let limit = [self.definition.limit, limit].into_iter().flatten().min();
        let sql = compose::count_keys(&self.definition, dialect, &self.sql, limit);
        count(
            self.sources.bulk.as_ref(),
            self.definition.spec.id.to_string(),
            sql,
        )
        .boxed()
    }

    fn estimate(&self, limit: Option<u64>) -> BoxFuture<'_, Option<Expected>> {
        async move {
            if self.definition.spec.value == Shape::List {
                // The database counts rows, and here a key has many.
                let is_one = self.definition.spec.key.columns().is_empty();
                return is_one.then_some(Expected::exactly(1));
            }
            let sql = self.select_all(Pick::All, self.row_limit(limit));
            self.sources.bulk.estimate(&sql).await
        }
        .boxed()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        settled(&self.sources).boxed()
    }

    fn plan(&self, limit: Option<u64>) -> BoxFuture<'_, Result<QueryPlan, Failure>> {
        async move {
            let sql = self.select_all(Pick::All, self.row_limit(limit));
            self.sources.bulk.plan(&sql).await
        }
        .boxed()
    }

    fn tracked(&self) -> Result<&dyn Tracked, String> {
        match (&self.definition.tracking, &self.opaque) {
            (Tracking::None(why), _) => Err(why.clone()),
            (_, Some(why)) => Err(format!("its keys cannot be looked up: {why}")),
            (Tracking::Keys(_) | Tracking::Rows(..), None) => Ok(self),
        }
    }
}

/// The column that says when a row changed.
const CHANGED_AT: &str = "_changed_at";

/// The column of a query for changes that says whether a key has changed.
const IS_CHANGED: &str = "is_changed";

impl QueryStrategy {
    fn changed_at(&self) -> Option<&Column> {
        let mut columns = self.layout.columns.iter();
        columns.find(|column| column.name == CHANGED_AT)
    }

    /// The query for changes; `None`: `_changed_at` is of a type that tells no moment.
    fn select_changes(&self, way: Way, since: Since) -> Option<String> {
        let dialect = self.sources.bulk.dialect();
        let (definition, changed_at) = (&self.definition, self.changed_at()?);
        match (way, &definition.tracking) {
            (Way::Rows, Tracking::Rows(table, _)) => {
                compose::select_changed_rows(definition, dialect, table, changed_at, since)
            }
            _ => compose::select_key_changes(definition, dialect, &self.sql, changed_at, since),
        }
    }

    /// The keys of a table, with names as `KeyRows` has them.
    async fn unique_keys(&self, table: &TableName) -> Result<UniqueKeys, String> {
        let keys = self.sources.bulk.unique_keys(table).await;
        let mut keys = keys.map_err(|failure| failure.to_string())?;
        if self.dialect() != Dialect::Postgres {
            let all = keys
                .others
                .iter_mut()
                .chain([&mut keys.primary, &mut keys.texts]);
            all.flatten().for_each(|name| name.make_ascii_lowercase());
        }
        Ok(keys)
    }

    /// Whether the key's columns are the primary key of the table: no other row can ever have it.
    fn is_primary(&self, table: &TrackedTable, unique: &UniqueKeys) -> bool {
        let (mut key, mut primary) = (table.key.clone(), unique.primary.clone());
        if self.dialect() != Dialect::Postgres {
            key.iter_mut().for_each(|name| name.make_ascii_lowercase());
        }
        key.sort_unstable();
        primary.sort_unstable();
        !primary.is_empty() && primary == key
    }
}

impl Tracked for QueryStrategy {
    fn fingerprint(&self) -> String {
        let definition = &self.definition;
        // Its keys are the same for whoever asks.
        let mut hasher = std::hash::DefaultHasher::new();
        let text = format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?} {}",
            env!("CARGO_PKG_VERSION"),
            definition.spec.key,
            definition.spec.value,
            definition.types,
            definition.order_by,
            definition.limit,
            self.layout.columns,
            self.sql,
        );
        text.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn way(&self) -> BoxFuture<'_, Result<Way, String>> {
        async move {
            let since = Since::new(0, Duration::ZERO);
            let changed_at = self
                .changed_at()
                .ok_or("it selects no column `_changed_at`")?;
            if self.select_changes(Way::Keys, since).is_none() {
                let declared = &changed_at.declared;
                return Err(format!(
                    "its _changed_at is of type {declared}, which tells no moment"
                ));
            }
            let (rows, identity) = match &self.definition.tracking {
                Tracking::None(why) => return Err(why.clone()),
                Tracking::Rows(table, identity) => (Some(table), identity),
                Tracking::Keys(identity) => (None, identity),
            };
            let mut unique = Vec::with_capacity(identity.tables.len());
            for table in &identity.tables {
                unique.push(self.unique_keys(table).await?);
            }
            let is_whole = self.definition.limit.is_none();
            // Of a text it takes the value to know whether there is one.
            let is_there = self.definition.spec.value != Shape::Text;
            if let (Some(table), [unique]) = (rows, unique.as_slice())
                && is_whole
                && is_there
                && self.is_primary(table, unique)
            {
                return Ok(Way::Rows);
            }
            match identity.untold(&unique) {
                None => Ok(Way::Keys),
                Some(table) => Err(format!(
                    "its key does not tell one row of {}, by a primary or unique key of the table: \
                     another row may take its place without having changed",
                    table.name
                )),
            }
        }
        .boxed()
    }

    fn unchanged(&self, since: Since) -> BoxFuture<'_, Result<u64, Failure>> {
        let (definition, dialect) = (&self.definition, self.dialect());
        let sql = self.changed_at().and_then(|changed_at| {
            compose::count_unchanged(definition, dialect, &self.sql, changed_at, since)
        });
        async move {
            let id = self.definition.spec.id.to_string();
            match sql {
                Some(sql) => count(self.sources.bulk.as_ref(), id, sql).await,
                None => Ok(0),
            }
        }
        .boxed()
    }

    fn has_one_reading(&self, key: &str) -> bool {
        let asked = self.asked(Name::from(key.to_owned()));
        asked.is_ok_and(|asked| asked.readings.len() == 1)
    }

    fn changes(
        &self,
        way: Way,
        since: Since,
        batch_size: usize,
    ) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        let query = self.select_changes(way, since).zip(self.flags.as_ref());
        let Some((sql, layout)) = query else {
            let why = "its changes cannot be told";
            let failure = Failure::new(FailureKind::Internal, "reading changes failed", why);
            return stream::iter([Err(failure)]).boxed();
        };
        let assembly = Assembly {
            rows: Some(self.rows(sql, Vec::new(), layout, false)),
            assembler: Assembler::new(layout, batch_size),
            warnings: Vec::new(),
            limit: None,
            rest: None,
        };
        stream::try_unfold(assembly, |mut assembly| async move {
            Ok(assembly.next().await?.map(|batch| (batch, assembly)))
        })
        .boxed()
    }
}

/// Waits until queries whose streams were dropped have ended.
pub async fn settled(sources: &Sources) {
    sources.bulk.settled().await;
    sources.primary.settled().await;
}

/// The number that a counting query gives.
///
/// # Errors
/// The database's.
pub async fn count(source: &dyn RowSource, label: String, sql: String) -> Result<u64, Failure> {
    let column = Column {
        name: "n".to_owned(),
        kind: ColumnKind::Integer,
        declared: String::new(),
    };
    let mut rows = source.rows(Query {
        label,
        sql,
        params: Vec::new(),
        columns: Arc::new([column]),
        hints: vec![None],
        brief: true,
        resumable: false,
    });
    let mut counted = None;
    // To the end: a query that is left in the middle costs its connection.
    while let Some(batch) = rows.try_next().await? {
        let text = batch.row(0).text(0).ok().flatten();
        counted = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
    }
    counted.ok_or_else(|| {
        let why = "the database gave no number";
        Failure::new(FailureKind::Query, "counting keys failed", why)
    })
}

/// A run over a whole selection: rows in, batches of entries out.
struct Assembly<'a> {
    rows: Option<BoxStream<'static, Result<RowBatch, Failure>>>,
    assembler: Assembler<'a>,
    /// For the next batch.
    warnings: Vec<String>,
    /// Keys, for shapes where the database cannot count them.
    limit: Option<u64>,
    /// How it goes on where it broke off; `None`: it cannot.
    rest: Option<Rest<'a>>,
}

/// What is left of a selection when its stream breaks off.
struct Rest<'a> {
    strategy: &'a QueryStrategy,
    definition: &'a Definition,
    order: Order,
    reading: Reading<'a>,
    row_limit: Option<u64>,
    /// The rows that came last.
    last: Option<RowBatch>,
    /// Since the last row.
    losses: u32,
}

impl Rest<'_> {
    /// The rows from the last one on, that one again.
    fn rows(
        &mut self,
        assembler: &mut Assembler<'_>,
    ) -> Option<BoxStream<'static, Result<RowBatch, Failure>>> {
        self.losses += 1;
        if self.losses > MAX_LOSSES {
            return None;
        }
        let strategy = self.strategy;
        let Reading { pick, layout, sql } = self.reading;
        let (definition, dialect) = (self.definition, strategy.dialect());
        let Some(last) = &self.last else {
            let sql = compose::select_all(definition, dialect, sql, pick, self.row_limit);
            return Some(strategy.rows(sql, Vec::new(), layout, true));
        };
        let (condition, params) = self
            .order
            .at_or_after(last.row(last.len().checked_sub(1)?))?;
        let left = |limit: u64| limit.saturating_sub(assembler.rows) + OVERLAP;
        let sql = compose::select_rest(
            definition,
            dialect,
            sql,
            pick,
            &condition,
            self.row_limit.map(left),
        );
        assembler.goes_on = true;
        Some(strategy.rows(sql, params, layout, true))
    }

    /// Whether the limit is reached, which the database counted while the stream was whole.
    fn is_enough(&self, assembler: &Assembler<'_>) -> bool {
        assembler.goes_on && self.row_limit.is_some_and(|limit| assembler.rows >= limit)
    }
}

impl Assembly<'_> {
    async fn next(&mut self) -> Result<Option<EntryBatch>, Failure> {
        loop {
            if !self.assembler.ready.is_empty() {
                let mut batch = self.assembler.ready.remove(0);
                batch.warnings.append(&mut self.warnings);
                return Ok(Some(batch));
            }
            let Some(rows) = &mut self.rows else {
                return Ok(self.last_words());
            };
            match rows.try_next().await {
                Ok(Some(batch)) => self.push(batch),
                Ok(None) => {
                    self.rows = None;
                    self.assembler.finish();
                }
                Err(failure) => self.go_on(failure).await?,
            }
        }
    }

    /// The warnings that no batch came for.
    fn last_words(&mut self) -> Option<EntryBatch> {
        let mut batch = EntryBatch::default();
        batch.warnings.append(&mut self.warnings);
        (!batch.warnings.is_empty()).then_some(batch)
    }

    /// Goes on at the last row, where that is all that was lost and the order allows it.
    async fn go_on(&mut self, failure: Failure) -> Result<(), Failure> {
        if self.rest.is_none() || !failure.is_interruption() {
            return Err(failure);
        }
        if failure.kind == FailureKind::GaveWay {
            sleep(PAUSE).await;
        }
        let rest = self.rest.as_mut();
        let Some(rows) = rest.and_then(|rest| rest.rows(&mut self.assembler)) else {
            return Err(failure);
        };
        self.tell(&failure);
        self.rows = Some(rows);
        Ok(())
    }

    fn tell(&mut self, failure: &Failure) {
        let rows = self.assembler.rows;
        // It says nothing of somebody who may have waited.
        if failure.why.is_empty() {
            tracing::debug!(%failure, rows, "going on at the last row");
            return;
        }
        tracing::warn!(%failure, rows, "going on at the last row");
        if let (FailureKind::GaveWay, Some(rest)) = (failure.kind, &self.rest) {
            let id = rest.strategy.definition.spec.id.to_string();
            self.warnings.push(failure.about(&id));
        }
    }

    fn push(&mut self, batch: RowBatch) {
        for i in 0..batch.len() {
            if let Some(rest) = &self.rest
                && rest.is_enough(&self.assembler)
            {
                self.rows = None;
                self.assembler.finish();
                return;
            }
            self.assembler.push(batch.row(i));
            if self.limit.is_some_and(|limit| self.assembler.keys >= limit) {
                self.rows = None;
                self.assembler.cut();
                return;
            }
        }
        if let Some(rest) = &mut self.rest {
            rest.losses = 0;
            rest.last = Some(batch);
        }
    }
}

/// A key that is asked for, and all that it may have been made of.
struct Asked {
    key: String,
    readings: Vec<Vec<String>>,
}

/// Keys asked for by name, in one query.
struct Lookup<'a> {
    keys: Vec<Asked>,
    missing: HashSet<Vec<u8>>,
    assembly: Assembly<'a>,
    ended: bool,
}

impl Lookup<'_> {
    /// The next entries; at the end, the keys that no row has.
    async fn next(&mut self) -> Result<Option<EntryBatch>, Failure> {
        if self.ended {
            return Ok(None);
        }
        if let Some(batch) = self.assembly.next().await? {
            return Ok(Some(self.only_wanted(batch)));
        }
        self.ended = true;
        let mut batch = EntryBatch::default();
        batch
            .absent
            .extend(self.missing.drain().map(|key| printable(&key)));
        batch.absent.sort_unstable();
        Ok(Some(batch))
    }

    /// The keys that no entry has come for.
    fn left(self) -> Vec<Asked> {
        let missing = self.missing;
        let mut keys = self.keys;
        keys.retain(|key| missing.contains(key.key.as_bytes()));
        keys
    }

    fn is_fresh(&self) -> bool {
        self.missing.len() == self.keys.len() && !self.ended
    }

    /// A collation may find more rows than were asked for: only the very keys go on.
    fn only_wanted(&mut self, batch: EntryBatch) -> EntryBatch {
        let mut wanted = EntryBatch::with_capacity(batch.bytes(), batch.len());
        for entry in batch.iter().filter(|entry| self.missing.remove(entry.key)) {
            wanted.push(entry);
        }
        let mut found = |shown: &str| {
            let key = self
                .missing
                .iter()
                .find(|key| printable(key) == shown)
                .cloned();
            key.is_some_and(|key| self.missing.remove(&key))
        };
        let absent = batch.absent.into_iter();
        wanted.absent.extend(absent.filter(|key| found(key)));
        let failures = batch.failed.into_iter();
        wanted
            .failed
            .extend(failures.filter(|failure| found(&failure.key)));
        wanted
    }
}

fn failed(key: &str, failure: &Failure) -> EntryBatch {
    let mut batch = EntryBatch::default();
    batch.failed.push(KeyError {
        key: printable(key.as_bytes()),
        error: failure.why.clone(),
    });
    batch
}
