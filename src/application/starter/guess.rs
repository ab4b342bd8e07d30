//! Foreign keys that are not declared, if the names leave no doubt.

use super::names::{Names, ids, words};
use crate::domain::schema::{ForeignKey, Kind, Schema, Table};

/// Adds them to a schema that declares none at all.
pub(super) fn guess(schema: &mut Schema, names: &Names) {
    if schema.tables.iter().any(|table| !table.foreign_keys.is_empty()) {
        return;
    }
    let parents = parents(schema, names);
    for table in schema.tables.iter_mut().filter(|table| !table.is_view) {
        let own = match table.key() {
            [own] => Some(own.clone()),
            _ => None,
        };
        for column in &table.columns {
            let called = words(&column.name).join("_");
            let mut meant = parents
                .iter()
                .filter(|parent| parent.called.contains(&called) && parent.kind == column.kind);
            if let (Some(parent), None) = (meant.next(), meant.next())
                && own.as_ref() != Some(&column.name)
                && parent.table != table.name
            {
                table.foreign_keys.push(ForeignKey {
                    columns: vec![column.name.clone()],
                    parent: parent.table.clone(),
                    parent_columns: vec![parent.key.clone()],
                    is_guess: true,
                });
            }
        }
    }
}

/// A table whose key is one column, and what other tables call that column.
struct Parent {
    table: String,
    key: String,
    kind: Kind,
    called: [String; 2],
}

fn parents(schema: &Schema, names: &Names) -> Vec<Parent> {
    let parent = |table: &Table| {
        let [key] = table.key() else { return None };
        let called = ids(names.entity(&table.name));
        let own = words(key).join("_");
        (own == "id" || called.contains(&own)).then(|| Parent {
            table: table.name.clone(),
            key: key.clone(),
            kind: table.column(key).map_or(Kind::Other, |column| column.kind),
            called,
        })
    };
    schema.tables.iter().filter_map(parent).collect()
}
