//! Another shop than the one that the shipped definitions know: a music store, with other tables,
//! other types and other keys. It takes definition files alone.

use serde_json::{Value, json};

use crate::support::lab::counts;
use crate::support::music::{FIRST, Store};
use crate::support::shop::DIALECTS;

#[test]
fn a_music_store_of_your_own_making() {
    let [postgres, mysql, sqlite] = DIALECTS.map(|dialect| {
        let store = Store::open(dialect);
        let run = store.command("warmup all -o json").run().expect(0);
        for (id, keys) in [
            ("artists", 10),
            ("albums", 30),
            ("album-tracks", 40),
            ("titles", 40),
            ("playlist", 200),
        ] {
            let part = run.strategy(&format!("music/{id}"));
            assert_eq!(counts(&part), [keys, 0, 0, 0], "{dialect:?} {id}");
        }
        let contents = store.contents();
        let expected = store.expected();
        assert_eq!(expected.len(), 40 + 40 + 200);
        for line in &expected {
            assert!(contents.contains(line), "{dialect:?}: {line} is not in\n{contents:#?}");
        }
        assert_eq!(
            store.lab.get(&format!("Album:{}", FIRST + 39)),
            format!(
                r#"{{"album_no":{},"title":"Album 39","released":"1999-02-28","added":"2026-01-02T03:04:39.500000+00:00","cover":"/ycA","notes":{{"gain":[-39.50,null],"label":"№39"}}}}"#,
                FIRST + 39
            ),
            "{dialect:?}"
        );
        by_name(&store, &contents);
        contents
    });
    assert_eq!(postgres, mysql);
    assert_eq!(postgres, sqlite);
}

/// The same keys one by one, and one that the selection of 30 albums leaves out.
fn by_name(store: &Store, contents: &[String]) {
    let lab = &store.lab;
    lab.redis.cli(&["FLUSHALL"]);
    let keys = contents.iter().filter_map(|line| line.split(" = ").next());
    let keys: Vec<&str> = keys.collect();
    let run = store.command("warmup keys - -o json").stdin(keys.join("\n")).run().expect(0);
    assert_eq!(run.json()["totals"]["warmed"], contents.len());
    assert_eq!(store.contents(), contents);

    let oldest = format!("Album:{FIRST}");
    assert!(!keys.contains(&oldest.as_str()));
    store.command("warmup keys").arg(&oldest).run().expect(0);
    let album: Value = serde_json::from_str(&lab.get(&oldest)).expect("JSON");
    assert_eq!((&album["title"], &album["cover"]), (&json!("Album 0"), &Value::Null));
}
