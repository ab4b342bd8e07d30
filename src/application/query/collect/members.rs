//! Rows as the parts of a hash, a set or a sorted set.

use std::borrow::Cow;
use std::collections::HashSet;

use super::rows::Collect;
use crate::application::query::layout::Layout;
use crate::domain::double;
use crate::domain::entry::{Collection, EntryBatch};
use crate::domain::key::printable;
use crate::domain::row::Row;
use crate::domain::strategy::Place;

/// The parts of a collection: a row gives one.
pub(super) struct Members {
    collection: Collection,
    /// Names and values, in the order of the rows.
    parts: Vec<(Vec<u8>, Vec<u8>)>,
    names: HashSet<Vec<u8>>,
}

impl Members {
    pub(super) fn of(collection: Collection) -> Self {
        Self { collection, parts: Vec::new(), names: HashSet::new() }
    }

    /// Adds a part, unless it is there.
    fn add_part(&mut self, name: Vec<u8>, value: Vec<u8>) -> bool {
        let is_new = self.names.insert(name.clone());
        if is_new {
            self.parts.push((name, value));
        }
        is_new
    }
}

impl Collect for Members {
    fn add(&mut self, layout: &Layout, row: Row<'_>) -> Result<(), String> {
        let (name, is_new) = match layout.place {
            // A field that is NULL is left out, as in a hash of one row.
            Place::Key(at) => {
                let column = &layout.columns[at].name;
                let name = layout.cell_text(row, at)?;
                let name = name.ok_or_else(|| format!("column `{column}` is NULL"))?;
                let is_new = match layout.item_text(row)? {
                    Some(value) => self.add_part(name.clone(), value),
                    None => self.names.insert(name.clone()),
                };
                (name, is_new)
            }
            Place::Score(at) => {
                let member = member(layout, row)?;
                let shown = || printable(&member);
                let score = score(layout, row, at);
                let score = score.map_err(|error| format!("member {}: {error}", shown()))?;
                let is_new = self.add_part(member.clone(), score);
                (member, is_new)
            }
            _ => {
                self.add_part(member(layout, row)?, Vec::new());
                return Ok(());
            }
        };
        match is_new {
            true => Ok(()),
            false => Err(format!("two rows make the part \"{}\"", printable(&name))),
        }
    }

    fn push_to(self: Box<Self>, batch: &mut EntryBatch, key: &[u8]) {
        if self.parts.is_empty() {
            batch.absent.push(printable(key));
            return;
        }
        let parts = self.parts.iter();
        let parts = parts.map(|(name, value)| (&name[..], Cow::Borrowed(&value[..])));
        batch.push_collection(key, self.collection, parts);
    }
}

fn member(layout: &Layout, row: Row<'_>) -> Result<Vec<u8>, String> {
    let member = layout.item_text(row)?;
    member.ok_or_else(|| {
        let column = layout.stored.first().map_or("", |(_, name, _)| name);
        format!("column `{column}` is NULL, which cannot be a member")
    })
}

/// A row's score, as the cache says it again.
fn score(layout: &Layout, row: Row<'_>, at: usize) -> Result<Vec<u8>, String> {
    let column = &layout.columns[at].name;
    let json = row.json(at).map_err(|e| format!("column `{column}`: {e}"))?;
    let text = String::from_utf8_lossy(json);
    let wrong = |why: &str| {
        let text = printable(json);
        Err(format!("column `{column}` cannot be a score: \"{text}\" {why}"))
    };
    match json {
        b"null" => Err(format!("column `{column}` cannot be a score: it is NULL")),
        [b'-' | b'0'..=b'9', ..] => match double::exact(&text) {
            Some(score) => Ok(double::shown(score).into_bytes()),
            None => wrong("has more digits than a score keeps"),
        },
        _ => wrong("is not a number"),
    }
}
