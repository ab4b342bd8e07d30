//! A store of music: a schema that the shop's definitions do not know.

use std::fmt::Write as _;

use crate::support::lab::Lab;
use crate::support::servers::Dialect;
use crate::support::shopwarm::Shopwarm;

/// Keys that are uuids, big integers and pairs; decimals with three places, documents, pictures and
/// moments.
fn tables(dialect: Dialect) -> String {
    let [uuid, blob, document, moment, decimal, truth] = match dialect {
        Dialect::Postgres => ["uuid", "bytea", "jsonb", "timestamptz", "numeric(6,3)", "boolean"],
        Dialect::MySql => {
            ["char(36)", "blob", "json", "timestamp(6) NULL", "decimal(6,3)", "boolean"]
        }
        Dialect::Sqlite => ["TEXT", "BLOB", "JSON", "TIMESTAMPTZ", "NUMERIC(6,3)", "BOOLEAN"],
    };
    format!(
        "CREATE TABLE artists (artist_uuid {uuid} PRIMARY KEY, name varchar(100) NOT NULL, bio text);
         CREATE TABLE albums (album_no bigint PRIMARY KEY, artist_uuid {uuid} NOT NULL,
             title varchar(200) NOT NULL, released date, added {moment}, cover {blob}, notes {document});
         CREATE TABLE tracks (track_no bigint PRIMARY KEY, album_no bigint NOT NULL, nr int NOT NULL,
             title varchar(200) NOT NULL, minutes {decimal} NOT NULL, is_explicit {truth} NOT NULL);
         CREATE TABLE playlist_track (playlist int NOT NULL, track_no bigint NOT NULL,
             place int NOT NULL, PRIMARY KEY (playlist, track_no));\n"
    )
}

const ALBUMS: i64 = 40;

/// Beyond what a float can count.
pub const FIRST: i64 = 9_007_199_254_740_993;

fn artist(n: i64) -> String {
    format!("{:08x}-0000-4000-8000-00000000000{}", n * 7919, n % 10)
}

fn rows(dialect: Dialect) -> String {
    let picture = |n: i64| match dialect {
        Dialect::Postgres => format!("'\\xff{n:02x}00'"),
        _ => format!("X'FF{n:02X}00'"),
    };
    let zone = if dialect == Dialect::MySql { "" } else { "+00:00" };
    let mut sql = String::new();
    for n in 0..10 {
        let bio = if n == 3 { "NULL".to_owned() } else { format!("'Über \"{n}\" 日本🎵'") };
        let _ = writeln!(sql, "INSERT INTO artists VALUES ('{}', 'Artist {n}', {bio});", artist(n));
    }
    for n in 0..ALBUMS {
        let cover = if n % 5 == 0 { "NULL".to_owned() } else { picture(n) };
        let _ = writeln!(
            sql,
            "INSERT INTO albums VALUES ({}, '{}', 'Album {n}', '19{:02}-02-28', '2026-01-02 03:04:{n:02}.5{zone}',
                 {cover}, '{{\"gain\": [-{n}.50, null], \"label\": \"№{n}\"}}');",
            FIRST + n,
            artist(n % 10),
            60 + n
        );
        for nr in 1..=5 {
            let track = FIRST + 100 * n + nr;
            let _ = writeln!(
                sql,
                "INSERT INTO tracks VALUES ({track}, {}, {nr}, 'Track {nr} of {n}', {nr}.{:03}, {});
                 INSERT INTO playlist_track VALUES ({}, {track}, {nr});",
                FIRST + n,
                n * 10,
                ["false", "true"][(nr % 2) as usize],
                n % 3
            );
        }
    }
    sql
}

const DEFINITIONS: &str = r#"
[context]
name = "music"
owns = ["artists", "albums", "tracks", "playlist_track"]

[strategies.artists]
key = "Artist:{artist_uuid}"
value = "object"
priority = 10
sql.any = "SELECT artist_uuid, name, bio FROM artists"

[strategies.albums]
key = "Album:{album_no}"
value = "object"
types = { cover = "base64", notes = "json" }
order_by = "released DESC"
limit = 30
sql.any = "SELECT album_no, title, released, added, cover, notes, artist_uuid AS _artist FROM albums"

[strategies.album-tracks]
key = "Album:{_album}:tracks"
value = "list"
order_by = "nr"
types = { is_explicit = "bool" }
sql.any = "SELECT album_no AS _album, track_no, nr, title, minutes, is_explicit FROM tracks"

[strategies.titles]
key = "Title:{_album_no}"
value = "text"
sql.any = "SELECT album_no AS _album_no, title FROM albums"

[strategies.playlist]
key = "Playlist:{_playlist}:{_track}"
value = "hash"
ttl = "10m"
sql.any = """
SELECT p.playlist AS _playlist, p.track_no AS _track, p.place, t.title, t.minutes
FROM playlist_track p JOIN tracks t ON t.track_no = p.track_no"""
"#;

/// The store, its definitions, and the shipped ones switched off, as files in a folder.
pub struct Store {
    pub lab: Lab,
    pub contexts: tempfile::TempDir,
}

impl Store {
    pub fn open(dialect: Dialect) -> Store {
        let lab = Lab::empty(dialect);
        let mut script = tables(dialect);
        if dialect == Dialect::MySql {
            script.insert_str(0, "SET NAMES utf8mb4; SET time_zone = '+00:00'; ALTER DATABASE CHARACTER SET utf8mb4;\n");
        }
        script += &rows(dialect);
        lab.database.sql(&script);
        let contexts = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            std::fs::write(contexts.path().join(format!("{name}.toml")), text).expect("a file");
        };
        write("music", DEFINITIONS);
        Store { lab, contexts }
    }

    pub fn command(&self, arguments: &str) -> Shopwarm {
        self.lab.command(arguments).contexts(self.contexts.path())
    }

    /// Every value, a hash as its sorted fields.
    pub fn contents(&self) -> Vec<String> {
        let keys = self.lab.keys();
        let (hashes, texts): (Vec<String>, Vec<String>) =
            keys.into_iter().partition(|key| key.starts_with("Playlist:"));
        let values = self.lab.get_all(&texts);
        let mut all: Vec<String> =
            texts.iter().zip(values).map(|(k, v)| format!("{k} = {v}")).collect();
        // One round trip for all of them.
        let script = "local all = {} for _, key in ipairs(KEYS) do local hash = redis.call('HGETALL', key)
                      local fields = {} for i = 1, #hash, 2 do fields[#fields + 1] = hash[i] .. '=' .. hash[i + 1] end
                      table.sort(fields) all[#all + 1] = key .. ' = ' .. table.concat(fields, ' ') end return all";
        let count = hashes.len().to_string();
        let mut eval = vec!["EVAL", script, &count];
        eval.extend(hashes.iter().map(String::as_str));
        all.extend(self.lab.redis.cli(&eval).lines().map(str::to_owned));
        all
    }

    /// What the tables say, by the database's own client and put together here.
    pub fn expected(&self) -> Vec<String> {
        let database = &self.lab.database;
        let sqlite = database.dialect() == Dialect::Sqlite;
        let minutes = if sqlite { "printf('%.3f', minutes)" } else { "minutes" };
        let tracks = database.query(&format!(
            "SELECT t.album_no, t.track_no, nr, title, {minutes}, CASE WHEN is_explicit THEN 1 ELSE 0 END, playlist, place
             FROM tracks t JOIN playlist_track p ON p.track_no = t.track_no ORDER BY t.album_no, nr"
        ));
        let mut lists = std::collections::BTreeMap::<&str, Vec<String>>::new();
        let mut expected = Vec::new();
        for row in tracks.lines() {
            let fields: Vec<&str> = row.split('\t').collect();
            let [album, track, nr, title, minutes, explicit, playlist, place] = fields[..] else {
                panic!("{row}");
            };
            let explicit = explicit == "1";
            lists.entry(album).or_default().push(format!(
                r#"{{"track_no":{track},"nr":{nr},"title":"{title}","minutes":{minutes},"is_explicit":{explicit}}}"#
            ));
            expected.push(format!(
                "Playlist:{playlist}:{track} = minutes={minutes} place={place} title={title}"
            ));
        }
        for (album, list) in lists {
            expected.push(format!("Album:{album}:tracks = [{}]", list.join(",")));
        }
        let titles = database.query("SELECT album_no, title FROM albums");
        for row in titles.lines() {
            let (album, title) = row.split_once('\t').expect("two columns");
            expected.push(format!("Title:{album} = {title}"));
        }
        expected
    }
}
