//! Nested rows: each with those below it.

use std::collections::{HashMap, HashSet};

use super::rows::{Collect, push_text};
use crate::application::query::layout::{CHILDREN, Layout};
use crate::domain::entry::EntryBatch;
use crate::domain::key::printable;
use crate::domain::row::Row;
use crate::domain::strategy::Place;

/// The nodes of a value, in the order of their rows.
#[derive(Default)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    ids: HashSet<Vec<u8>>,
}

struct Node {
    id: Vec<u8>,
    parent: Option<Vec<u8>>,
    /// `{"id":...,"name":...`, without the brace that closes it.
    object: Vec<u8>,
}

impl Collect for Forest {
    fn add(&mut self, layout: &Layout, row: Row<'_>) -> Result<(), String> {
        let Place::Node { id: at, parent } = layout.place else {
            return Err("its rows have no place in a tree".to_owned());
        };
        let column = &layout.columns[at].name;
        let id = layout.column_text(row, at)?;
        let id = id.ok_or_else(|| format!("column `{column}` is NULL"))?;
        let shown = || format!("{column} \"{}\"", printable(&id));
        if !self.ids.insert(id.to_vec()) {
            return Err(format!("two rows have the {}", shown()));
        }
        let parent = layout.column_text(row, parent)?;
        let mut object = Vec::new();
        let encoded = layout.object(row, &mut object);
        encoded.map_err(|error| format!("{}: {error}", shown()))?;
        // Left open: its children follow.
        object.pop();
        self.nodes.push(Node { id: id.into_owned(), parent: parent.map(Into::into), object });
        Ok(())
    }

    fn push_to(self: Box<Self>, batch: &mut EntryBatch, key: &[u8]) {
        push_text(batch, key, |out| write_forest(&self.nodes, out));
    }
}

/// Appends the nodes as a JSON array of trees. A node without its parent is a root, and so is
/// the first of a cycle. Each node appears exactly once.
fn write_forest(nodes: &[Node], out: &mut Vec<u8>) {
    let places: HashMap<&[u8], usize> =
        nodes.iter().enumerate().map(|(i, node)| (node.id.as_slice(), i)).collect();
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

/// Appends one tree. A loop, not a recursion: a chain of a million nodes must not overflow.
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
            out.extend_from_slice(b",\"");
            out.extend_from_slice(CHILDREN.as_bytes());
            out.extend_from_slice(b"\":[");
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
    fn nodes_nest_and_none_is_lost() {
        for (edges, expected) in [
            (
                &[("a", None), ("b", Some("a")), ("c", Some("b")), ("d", Some("a"))][..],
                r#"[{"a"[{"b"[{"c"[]}]},{"d"[]}]}]"#,
            ),
            // An orphan is a root.
            (&[("a", None), ("b", Some("gone"))], r#"[{"a"[]},{"b"[]}]"#),
            // A cycle is opened at its first node, and what hangs below it comes along.
            (
                &[("r", None), ("a", Some("b")), ("b", Some("a")), ("c", Some("b"))],
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
