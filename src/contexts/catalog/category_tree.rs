//! `Category:tree:root`: all categories, each with its children.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use crate::application::assemble::{Layout, merged};
use crate::application::compose::{self, Pick};
use crate::application::ports::{
    Ask, Query, QueryPlan, RowSource, Sources, Wanted, WarmupStrategy,
};
use crate::application::query_strategy::{count, fit, settled};
use crate::domain::entry::{Entry, EntryBatch, KeyError};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::{Row, RowBatch};
use crate::domain::strategy::{Definition, StrategySpec};
use crate::domain::version::Version;

/// Prepares the tree's query.
pub(super) fn build(
    definition: Definition,
    sources: Sources,
) -> BoxFuture<'static, Result<Arc<dyn WarmupStrategy>, Failure>> {
    async move {
        let tree: Arc<dyn WarmupStrategy> =
            Arc::new(CategoryTree::prepare(definition, sources).await?);
        Ok(tree)
    }
    .boxed()
}

struct CategoryTree {
    definition: Definition,
    sources: Sources,
    sql: String,
    /// 1, or 0 of no categories.
    counting: String,
    layout: Layout,
    id: usize,
    parent: usize,
}

impl CategoryTree {
    async fn prepare(definition: Definition, sources: Sources) -> Result<Self, Failure> {
        let strategy = definition.spec.id.clone();
        let invalid =
            |why: &str| Failure::new(FailureKind::Config, format!("{strategy} is not valid"), why);
        let (sql, layout) = fit(&definition, sources.bulk.as_ref()).await?;
        let dialect = sources.bulk.dialect();
        let counting = compose::count_keys(&definition, dialect, &sql, Some(1));
        let columns = Pick::Columns(&layout.columns);
        let sql = compose::select_all(&definition, dialect, &sql, columns, None);
        if definition.spec.key.literal().is_none() {
            return Err(invalid("a tree has one key: its template takes no column"));
        }
        let place = |name: &str| layout.columns.iter().position(|column| column.name == name);
        let (Some(id), Some(parent)) = (place("id"), place("parent_id")) else {
            return Err(invalid("its query must return id and parent_id"));
        };
        Ok(Self {
            id,
            parent,
            sql,
            counting,
            layout,
            sources,
            definition,
        })
    }

    /// The one entry, or none of no categories.
    async fn load(&self, key: &str, source: &dyn RowSource) -> Result<EntryBatch, Failure> {
        let mut rows = self.rows(source);
        let mut batch = EntryBatch::default();
        let mut nodes = Vec::new();
        let mut version = None;
        while let Some(rows) = rows.try_next().await? {
            for i in 0..rows.len() {
                version = merged(version, self.version(rows.row(i))?);
                match self.node(rows.row(i)) {
                    Ok(node) => nodes.push(node),
                    // A tree without one of its categories would be a wrong tree.
                    Err(error) => {
                        let key = key.to_owned();
                        batch.failed.push(KeyError { key, error });
                        return Ok(batch);
                    }
                }
            }
        }
        if !nodes.is_empty() {
            let push = batch.push_text(key.as_bytes(), |out| {
                write_forest(&nodes, out);
                Ok::<(), std::convert::Infallible>(())
            });
            debug_assert!(push.is_ok());
            batch.stamp(version, None);
        }
        Ok(batch)
    }

    fn rows(&self, source: &dyn RowSource) -> BoxStream<'static, Result<RowBatch, Failure>> {
        source.rows(Query {
            label: self.definition.spec.id.to_string(),
            sql: self.sql.clone(),
            params: Vec::new(),
            columns: self.layout.columns.clone(),
            hints: self.layout.hints.clone(),
            brief: false,
            resumable: false,
        })
    }

    /// A tree is what all its rows are, each with all that is in it.
    fn version(&self, row: Row<'_>) -> Result<Option<Version>, Failure> {
        if !self.layout.is_versioned() {
            return Ok(None);
        }
        let whole = row.whole();
        let whole = whole
            .map_err(|why| Failure::new(FailureKind::Query, "a category cannot be read", why))?;
        Ok(Some(Version::of_row(whole)))
    }

    fn node(&self, row: Row<'_>) -> Result<Node, String> {
        let text = |at: usize| {
            let name = &self.layout.columns[at].name;
            let text = row.text(at).map_err(|e| format!("column {name}: {e}"))?;
            Ok::<_, String>(text.map(std::borrow::Cow::into_owned))
        };
        let id = text(self.id)?.ok_or("column id is NULL")?;
        let parent = text(self.parent)?;
        let mut object = Vec::new();
        let category = String::from_utf8_lossy(&id);
        let encoded = self.layout.object(row, &mut object);
        encoded.map_err(|error| format!("category {category}: {error}"))?;
        // Left open: its children follow.
        object.pop();
        Ok(Node { id, parent, object })
    }
}

impl WarmupStrategy for CategoryTree {
    fn spec(&self) -> &StrategySpec {
        &self.definition.spec
    }

    fn entries(&self, ask: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        let key = self.definition.spec.key.literal().unwrap_or_default();
        let source = match ask.from_primary {
            true => &self.sources.primary,
            false => &self.sources.bulk,
        };
        match ask.keys {
            Wanted::Named(names) if names.iter().all(|name| name.key != key) => {
                stream::empty().boxed()
            }
            Wanted::Named(_) => stream::once(async move {
                let mut batch = self.load(&key, source.as_ref()).await?;
                if batch.is_void() {
                    batch.absent.push(key);
                }
                Ok(batch)
            })
            .boxed(),
            Wanted::All { .. } => {
                stream::once(async move { self.load(&key, source.as_ref()).await }).boxed()
            }
        }
    }

    fn is_versioned(&self) -> bool {
        self.layout.is_versioned()
    }

    fn versions<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, Failure>> {
        async move {
            let mut rows = self.rows(self.sources.primary.as_ref());
            let mut version = None;
            while let Some(rows) = rows.try_next().await? {
                for i in 0..rows.len() {
                    version = merged(version, self.version(rows.row(i))?);
                }
            }
            Ok(vec![version; entries.len()])
        }
        .boxed()
    }

    fn count(&self, _: Option<u64>) -> BoxFuture<'_, Result<u64, Failure>> {
        let label = self.definition.spec.id.to_string();
        count(self.sources.bulk.as_ref(), label, self.counting.clone()).boxed()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        settled(&self.sources).boxed()
    }

    fn plan(&self, _: Option<u64>) -> BoxFuture<'_, Result<QueryPlan, Failure>> {
        self.sources.bulk.plan(&self.sql)
    }

    fn estimate(&self, _: Option<u64>) -> BoxFuture<'_, Option<Expected>> {
        async { Some(Expected::exactly(1)) }.boxed()
    }
}

struct Node {
    id: Vec<u8>,
    parent: Option<Vec<u8>>,
    /// `{"id":...,"name":...`, without the brace that closes it.
    object: Vec<u8>,
}

/// Appends the nodes as a JSON array of trees. A category whose parent is not there stands at the
/// root; of a cycle, the first in order does. Each node stands exactly once.
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
            // An orphan stands at the root.
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
