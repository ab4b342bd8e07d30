//! Reads a table's rows as a run would, and finds for each column the form in which all of them fit.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::facts::{Facts, Group, MANY, SOME};
use super::fit::{Field, Fit};
use super::moments::Moments;
use super::quoting::quoted;
use crate::application::ports::{Query, RowSource};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::{Columns, Row};
use crate::domain::schema::ForeignKey;

/// What its queries are called in the database's list.
const LABEL: &str = "init";

/// Whether the definitions' own check accepts a query; `Err`: why not.
pub type Accepts<'a> = &'a (dyn Fn(&str) -> Result<(), String> + Sync);

/// Finds the form of each column, and what the rows say; the rows of a view are not read. What cannot
/// be read is in the facts.
///
/// # Errors
/// The database is not there any more.
pub(super) async fn learn(
    source: &dyn RowSource,
    accepts: Accepts<'_>,
    fit: &mut Fit<'_>,
) -> Result<Facts, Failure> {
    loop {
        let fields = fit.fields();
        if fields.is_empty() {
            return Ok(out("no column is left to store"));
        }
        let sql = select(source, fit, &fields);
        if let Err(why) = accepts(&sql) {
            return Ok(out(&why));
        }
        let columns = match source.describe(&sql, &[]).await {
            Ok(_) if fit.table.is_view => return Ok(Facts::default()),
            Ok(columns) => columns,
            Err(failure) => {
                let failure = of_query(failure)?;
                match leave_out_unreadable(source, fit, &fields).await? {
                    0 => return Ok(out(&failure.why)),
                    gone if gone == fields.len() && failure.kind == FailureKind::NotGranted => {
                        let table = quoted(source.dialect(), &fit.table.name);
                        let why = format!("{}; GRANT SELECT ON {table} to this user", failure.why);
                        return Ok(out(&why));
                    }
                    _ => continue,
                }
            }
        };
        match read(source, fit, &fields, columns, sql).await {
            Ok(Ok(facts)) => return Ok(facts),
            Ok(Err(troubled)) => {
                for (column, why) in troubled {
                    fit.step(&column, &why);
                }
            }
            Err(failure) => return Ok(out(&of_query(failure)?.why)),
        }
    }
}

pub(super) fn out(why: &str) -> Facts {
    Facts { out: Some(why.to_owned()), ..Facts::default() }
}

/// A failure that costs a table; any other ends the command.
pub(super) fn of_query(failure: Failure) -> Result<Failure, Failure> {
    match failure.kind {
        FailureKind::Query
        | FailureKind::NotGranted
        | FailureKind::SourceDenied
        | FailureKind::Config
        | FailureKind::SourceBusy => Ok(failure),
        _ => Err(failure),
    }
}

fn select(source: &dyn RowSource, fit: &Fit<'_>, fields: &[Field]) -> String {
    let items: Vec<&str> = fields.iter().map(|field| field.item.as_str()).collect();
    let table = quoted(source.dialect(), &fit.table.name);
    format!("SELECT {} FROM {table}", items.join(", "))
}

/// Asks for each column alone; returns how many had to go.
async fn leave_out_unreadable(
    source: &dyn RowSource,
    fit: &mut Fit<'_>,
    fields: &[Field],
) -> Result<usize, Failure> {
    let mut gone = 0;
    for field in fields {
        let sql = select(source, fit, std::slice::from_ref(field));
        if let Err(failure) = source.describe(&sql, &[]).await {
            let failure = of_query(failure)?;
            let declared = fit.table.column(&field.column).map_or("", |column| &column.declared);
            let why = match failure.why.contains("no JSON form") {
                true => format!(
                    "{declared} has no JSON form; CAST({} AS {}) has one",
                    field.expression,
                    source.dialect().text_type()
                ),
                false => failure.why,
            };
            fit.leave_out(&field.column, &why);
            gone += 1;
        }
    }
    Ok(gone)
}

const FILLED_UP: &str = "filled up with blanks";

/// Columns with values that have no JSON form in their present form, each with the reason.
type Troubled = BTreeMap<String, String>;

async fn read(
    source: &dyn RowSource,
    fit: &Fit<'_>,
    fields: &[Field],
    columns: Columns,
    sql: String,
) -> Result<Result<Facts, Troubled>, Failure> {
    let counted = count(source, &quoted(source.dialect(), &fit.table.name)).await?;
    let is_large = counted > MANY;
    let sql = match is_large {
        true => format!("{sql}{} LIMIT {SOME}", newest(source, fit)),
        false => sql,
    };
    let place = |column: &String| fields.iter().position(|field| field.column == *column);
    let places = |names: &[String]| -> Option<Vec<usize>> { names.iter().map(place).collect() };
    let mut key = Counting::new(places(fit.table.key()).filter(|places| !places.is_empty()));
    let references = fit.table.foreign_keys.iter();
    let counting = |key: &ForeignKey| Counting::new(places(&key.columns));
    let mut references: Vec<Counting> = references.map(counting).collect();
    let mut moments = Moments::of(fields, source.dialect());
    let mut troubled = Troubled::new();
    let mut rows = 0;
    let mut batches = source.rows(Query {
        hints: fields.iter().map(|field| field.hint).collect(),
        ..Query::new(LABEL, sql, Arc::clone(&columns))
    });
    while let Some(batch) = batches.try_next().await? {
        for at in 0..batch.len() {
            let row = batch.row(at);
            for (at, field) in fields.iter().enumerate() {
                let why = match row.json(at) {
                    Err(why) => why,
                    Ok(json) if field.is_padded && json.ends_with(b" \"") => FILLED_UP,
                    Ok(_) => continue,
                };
                let known = troubled.entry(field.column.clone());
                known.or_insert_with(|| why.to_owned());
            }
            moments.add(row);
            key.add(row);
            references.iter_mut().for_each(|one| one.add(row));
            rows += 1;
        }
    }
    if !troubled.is_empty() {
        return Ok(Err(troubled));
    }
    Ok(Ok(Facts {
        rows: if is_large { fit.table.rows.unwrap_or(counted).max(counted) } else { rows },
        is_large,
        moments: moments.columns(fields),
        key: key.group(),
        references: references.into_iter().map(Counting::group).collect(),
        columns: Some(columns),
        out: None,
    }))
}

/// ` ORDER BY` the key, the highest first.
pub(super) fn newest(source: &dyn RowSource, fit: &Fit<'_>) -> String {
    let key = fit.table.key().iter();
    let key: Vec<String> =
        key.map(|name| format!("{} DESC", quoted(source.dialect(), name))).collect();
    match key.is_empty() {
        true => String::new(),
        false => format!(" ORDER BY {}", key.join(", ")),
    }
}

/// Whether the catalogue may lack tables that this user may not read.
///
/// # Errors
/// The database's.
pub(super) async fn may_hide(source: &dyn RowSource) -> Result<bool, Failure> {
    match source.dialect().grants() {
        Some(grants) => Ok(count(source, &format!("({grants}) g")).await? == 0),
        None => Ok(false),
    }
}

/// The number of rows, not beyond one more than [`MANY`].
async fn count(source: &dyn RowSource, table: &str) -> Result<u64, Failure> {
    let sql =
        format!("SELECT count(*) AS n FROM (SELECT 1 AS one FROM {table} LIMIT {}) q", MANY + 1);
    Query::counting(LABEL, sql).number(source).await
}

/// Counts rows by the values of some columns.
struct Counting {
    places: Option<Vec<usize>>,
    seen: HashMap<u64, u64>,
    group: Group,
}

impl Counting {
    fn new(places: Option<Vec<usize>>) -> Self {
        Self {
            group: Group { is_known: places.is_some(), ..Group::default() },
            places,
            seen: HashMap::new(),
        }
    }

    fn add(&mut self, row: Row<'_>) {
        let Some(places) = &self.places else { return };
        let mut hasher = DefaultHasher::new();
        for (nth, at) in places.iter().enumerate() {
            match row.text(*at) {
                Ok(Some(text)) if !text.is_empty() => {
                    // As the key's template puts the values together.
                    if nth > 0 {
                        hasher.write(b":");
                    }
                    hasher.write(&text);
                }
                _ => {
                    self.group.has_blanks = true;
                    return;
                }
            }
        }
        0_u8.hash(&mut hasher);
        self.group.filled += 1;
        let same = self.seen.entry(hasher.finish()).or_default();
        *same += 1;
        self.group.most = self.group.most.max(*same);
    }

    fn group(self) -> Group {
        Group { distinct: self.seen.len() as u64, ..self.group }
    }
}
