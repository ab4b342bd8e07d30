//! The rooms of the house and their arrows: no arrow goes back, and the picture in
//! docs/architecture.md shows them as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::imports::imports;

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// The room of a file: its layer, and within large layers its folder there.
fn room(file: &str) -> Option<String> {
    let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    match parts[..] {
        ["lib" | "main", ..] => None,
        ["application" | "infrastructure" | "interfaces", "mod"] => None,
        ["application" | "interfaces", part, ..] => Some(part.to_owned()),
        ["infrastructure", part @ ("cache" | "source"), ..] => Some(part.to_owned()),
        [layer, ..] => Some(layer.to_owned()),
        [] => None,
    }
}

/// Each room and the rooms that it uses.
fn rooms() -> Rooms {
    let mut rooms = Rooms::new();
    for (file, imported) in imports() {
        let Some(from) = room(&file) else { continue };
        let to = imported.iter().filter_map(|file| room(file));
        let to = to.filter(|to| *to != from).collect::<Vec<_>>();
        rooms.entry(from).or_default().extend(to);
    }
    rooms
}

/// All rooms that a room uses, directly or through others.
fn reached<'r>(rooms: &'r Rooms, from: &str) -> BTreeSet<&'r str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = rooms.get(from).into_iter().flatten().collect();
    while let Some(room) = next.pop() {
        if reached.insert(room.as_str()) {
            next.extend(rooms.get(room).into_iter().flatten());
        }
    }
    reached
}

#[test]
fn no_arrow_between_rooms_goes_back() {
    let rooms = rooms();
    let back: Vec<&String> =
        rooms.keys().filter(|room| reached(&rooms, room).contains(room.as_str())).collect();
    assert!(back.is_empty(), "rooms that use each other: {back:?}");
}

/// The arrows without those that follow from others, as lines of a Mermaid chart.
fn picture(rooms: &Rooms) -> String {
    let mut lines = String::new();
    for (from, to) in rooms {
        let needed = |room: &&String| {
            let others = to.iter().filter(|other| other != room);
            let mut through = others.map(|other| reached(rooms, other));
            !through.any(|reached| reached.contains(room.as_str()))
        };
        for to in to.iter().filter(needed) {
            lines.push_str(&format!("  {from} --> {to}\n"));
        }
    }
    lines
}

#[test]
fn the_picture_shows_the_rooms_as_they_are() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let page = fs::read_to_string(page).expect("docs/architecture.md");
    let (_, chart) = page.split_once("```mermaid\n").expect("a chart");
    let (chart, _) = chart.split_once("```").expect("its end");
    let arrows: String =
        chart.lines().filter(|line| line.contains("-->")).map(|line| format!("{line}\n")).collect();
    let expected = picture(&rooms());
    assert!(arrows == expected, "the arrows are now:\n{expected}");
}
