//! `Category:tree:root`: all categories, each with its children.

use std::collections::HashMap;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::application::ports::{Ask, Entries, QueryPlan, WarmupStrategy};
use crate::application::query::prepared::Prepared;
use crate::domain::entry::{Entry, EntryBatch, KeyError};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::row::Row;
use crate::domain::strategy::StrategySpec;
use crate::domain::version::Version;

/// The tree on a database.
pub(super) fn build(rows: Prepared) -> Result<CategoryTree, Failure> {
    let Some(key) = rows.definition.spec.key.literal() else {
        return Err(rows.invalid("a tree has one key: its template takes no column"));
    };
    match (rows.layout.index("id"), rows.layout.index("parent_id")) {
        (Some(id), Some(parent)) => Ok(CategoryTree {
            rows,
            key,
            id,
            parent,
        }),
        _ => Err(rows.invalid("its query must return id and parent_id")),
    }
}

pub(super) struct CategoryTree {
    rows: Prepared,
    key: String,
    id: usize,
    parent: usize,
}

impl CategoryTree {
    /// The one entry, or none of no categories.
    async fn load(&self, from_primary: bool) -> Result<EntryBatch, Failure> {
        let mut nodes = Vec::new();
        let take = |row: Row<'_>| self.node(row).map(|node| nodes.push(node));
        let version = self.rows.read_all(from_primary, take).await?;
        let mut batch = EntryBatch::default();
        match version {
            // A tree without one of its categories would be a wrong tree.
            Err(error) => {
                let key = self.key.clone();
                batch.failed.push(KeyError { key, error });
            }
            Ok(_) if nodes.is_empty() => {}
            Ok(version) => {
                let Ok(()) = batch.push_text(self.key.as_bytes(), |out| {
                    write_forest(&nodes, out);
                    Ok::<(), std::convert::Infallible>(())
                });
                batch.stamp(version, None);
            }
        }
        Ok(batch)
    }

    fn node(&self, row: Row<'_>) -> Result<Node, String> {
        let layout = &self.rows.layout;
        let id = layout.text(row, self.id)?.ok_or("column id is NULL")?;
        let parent = layout.text(row, self.parent)?;
        let mut object = Vec::new();
        let category = String::from_utf8_lossy(&id);
        let encoded = layout.object(row, &mut object);
        encoded.map_err(|error| format!("category {category}: {error}"))?;
        // Left open: its children follow.
        object.pop();
        Ok(Node { id, parent, object })
    }
}

#[async_trait]
impl WarmupStrategy for CategoryTree {
    fn spec(&self) -> &StrategySpec {
        &self.rows.definition.spec
    }

    fn entries(&self, ask: Ask) -> Entries<'_> {
        stream::once(self.load(ask.from_primary)).boxed()
    }

    async fn count(&self, _: Option<u64>) -> Result<u64, Failure> {
        self.rows.count_keys(Some(1)).await
    }

    async fn estimate(&self, _: Option<u64>) -> Option<Expected> {
        Some(Expected::exactly(1))
    }

    fn is_versioned(&self) -> bool {
        self.rows.layout.is_versioned()
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        let version = self.rows.read_all(true, |_| Ok(())).await?;
        Ok(vec![version.ok().flatten(); entries.len()])
    }

    /// All categories are read, whatever the limit on keys.
    async fn plan(&self, _: Option<u64>) -> Result<QueryPlan, Failure> {
        self.rows.plan(None).await
    }

    async fn quiesced(&self) {
        self.rows.quiesced().await;
    }
}

struct Node {
    id: Vec<u8>,
    parent: Option<Vec<u8>>,
    /// `{"id":...,"name":...`, without the brace that closes it.
    object: Vec<u8>,
}

/// Appends the nodes as a JSON array of trees. A category without its parent is a root, and so is
/// the first of a cycle. Each node appears exactly once.
fn write_forest(nodes: &[Node], out: &mut Vec<u8>) {
    let places: HashMap<&[u8], usize> = nodes
        .iter()
        .enumerate()
        .map(|(i, node)| (node.id.as_slice(), i))
        .collect();
    let mut children = vec![Vec::new(); nodes.len()];
    let mut roots = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        match node.parent.as_deref().and_then(|parent| places.get(parent)) {
            Some(parent) if *parent != i => children[*parent].push(i),
            _ => roots.push(i),
        }
    }
    let mut written = vec![false; nodes.len()];
    out.push(b'[');
    for root in roots.into_iter().chain(0..nodes.len()) {
        write_tree(root, nodes, &children, &mut written, out);
    }
    out.push(b']');
}

/// Appends one tree. A loop, not a recursion: a chain of a million categories must not overflow.
fn write_tree(
    root: usize,
    nodes: &[Node],
    children: &[Vec<usize>],
    written: &mut [bool],
    out: &mut Vec<u8>,
) {
    let mut open: Vec<std::slice::Iter<'_, usize>> = Vec::new();
    let mut next = Some(root);
    loop {
        if let Some(i) = next.filter(|i| !written[*i]) {
            written[i] = true;
            if !matches!(out.last(), Some(b'[')) {
                out.push(b',');
            }
            out.extend_from_slice(&nodes[i].object);
            out.extend_from_slice(b",\"children\":[");
            open.push(children[i].iter());
        }
        let Some(level) = open.last_mut() else { return };
        next = level.next().copied();
        if next.is_none() {
            open.pop();
            out.extend_from_slice(b"]}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forest(edges: &[(&str, Option<&str>)]) -> String {
        let node = |(id, parent): &(&str, Option<&str>)| Node {
            id: id.as_bytes().to_vec(),
            parent: parent.map(|p| p.as_bytes().to_vec()),
            object: format!("{{\"id\":\"{id}\"").into_bytes(),
        };
        let mut out = Vec::new();
        write_forest(&edges.iter().map(node).collect::<Vec<_>>(), &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        text.replace("\"id\":", "").replace(",\"children\":", "")
    }

    #[test]
    fn categories_nest_and_none_is_lost() {
        for (edges, expected) in [
            (
                &[
                    ("a", None),
                    ("b", Some("a")),
                    ("c", Some("b")),
                    ("d", Some("a")),
                ][..],
                r#"[{"a"[{"b"[{"c"[]}]},{"d"[]}]}]"#,
            ),
            // An orphan is a root.
            (&[("a", None), ("b", Some("gone"))], r#"[{"a"[]},{"b"[]}]"#),
            // A cycle is opened at its first node, and what hangs below it comes along.
            (
                &[
                    ("r", None),
                    ("a", Some("b")),
                    ("b", Some("a")),
                    ("c", Some("b")),
                ],
                r#"[{"r"[]},{"a"[{"b"[{"c"[]}]}]}]"#,
            ),
            (&[("a", Some("a"))], r#"[{"a"[]}]"#),
            (&[], "[]"),
        ] {
            assert_eq!(forest(edges), expected);
        }
    }

    #[test]
    fn a_long_chain_does_not_overflow() {
        let nodes: Vec<Node> = (0..100_000)
            .map(|i: u32| Node {
                id: i.to_string().into_bytes(),
                parent: i.checked_sub(1).map(|p| p.to_string().into_bytes()),
                object: b"{\"id\":0".to_vec(),
            })
            .collect();
        let mut out = Vec::new();
        write_forest(&nodes, &mut out);
        assert_eq!(out.iter().filter(|b| **b == b'{').count(), 100_000);
    }
}
