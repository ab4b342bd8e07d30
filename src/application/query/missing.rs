//! A hint about a name that a query uses and the database does not have.

use crate::application::ports::{Dialect, RowSource};
use crate::domain::failure::Failure;
use crate::domain::nearest::nearest;
use crate::domain::place::{Missing, Spot};
use crate::domain::schema::Table;
use crate::domain::wording::first;

/// Names to list, at most.
const SHOWN: usize = 8;

const SHIPPED: &str = "the shipped definitions expect another schema: `shopwarm init` writes definitions that fit \
     this database";

/// What the operator may have meant in a query that failed. `is_shipped`: the query is not the
/// operator's own.
pub(super) async fn hint(
    failure: &Failure,
    query: &str,
    source: &dyn RowSource,
    is_shipped: bool,
) -> Option<String> {
    let missing = failure.missing?;
    if is_shipped {
        return Some(SHIPPED.to_owned());
    }
    let name = failure.spot.as_ref()?.name(query)?;
    let schema = source.schema().await.ok()?;
    let is_read = |table: &&Table| Spot::Word(table.name.clone()).byte(query).is_some();
    let tables = schema.tables.iter().map(|table| table.name.as_str());
    let (what, known): (String, Vec<&str>) = match missing {
        Missing::Table => ("this database has the tables".to_owned(), tables.collect()),
        Missing::Column => {
            let read: Vec<&Table> = schema.tables.iter().filter(is_read).collect();
            let names = read.iter().flat_map(|table| &table.columns);
            let what = format!("{} has the columns", read.first()?.name);
            (what, names.map(|column| column.name.as_str()).collect())
        }
    };
    let dialect = source.dialect();
    Some(match nearest(name, known.iter().copied()) {
        _ if known.is_empty() => "this user can read no table without its schema's name".to_owned(),
        None => format!("{what} {}", first(known.into_iter(), SHOWN)),
        Some(meant) if is_folded(meant, dialect) => {
            let quoted = dialect.quote(meant);
            format!(
                "did you mean {quoted}? Write the double quotes: the database reads names without them in \
                 lower case"
            )
        }
        Some(meant) if meant == name => {
            format!("there is a column {name}: check the table or alias in front of it")
        }
        Some(meant) => format!("did you mean `{meant}`?"),
    })
}

/// Whether the database takes a name without quotes for another one.
fn is_folded(name: &str, dialect: Dialect) -> bool {
    dialect.folds_names() && name.chars().any(char::is_uppercase)
}
