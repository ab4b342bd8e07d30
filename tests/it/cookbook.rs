//! Every recipe of docs/cookbook.md makes the keys and values that it shows, on the databases that it names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::lab::Lab;
use crate::support::servers::Dialect;

/// A definition of the page, and what it makes.
#[derive(Debug)]
struct Recipe {
    title: String,
    databases: String,
    definition: String,
    /// Keys and values as the page shows them.
    shown: BTreeMap<String, String>,
}

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The text between the first fence of a language and its end.
fn block(section: &str, language: &str) -> Option<String> {
    let (_, rest) = section.split_once(&format!("\n```{language}\n"))?;
    Some(rest.split("\n```").next()?.to_owned())
}

fn recipe(section: &str) -> Option<Recipe> {
    let (_, marked) = section.split_once("<!-- recipe: ")?;
    let (databases, body) = marked.split_once(" -->")?;
    let title = section.lines().next().unwrap_or_default().to_owned();
    let shown = block(body, "text").unwrap_or_else(|| panic!("{title}: no keys are shown"));
    let pair = |line: &str| line.split_once(' ').map(|(key, value)| (key.into(), value.into()));
    Some(Recipe {
        databases: databases.to_owned(),
        definition: block(body, "toml").unwrap_or_else(|| panic!("{title}: no definition")),
        shown: shown.lines().filter_map(pair).collect(),
        title,
    })
}

fn recipes() -> Vec<Recipe> {
    let page = text("docs/cookbook.md");
    page.split("\n## ").skip(1).filter_map(recipe).collect()
}

/// What Redis has at a key, as the page writes it.
fn stored(lab: &Lab, key: &str) -> String {
    let lines = |command: &[&str]| -> Vec<String> {
        lab.redis.cli(command).lines().map(str::to_owned).collect()
    };
    let mut words: Vec<String> = match lab.redis.cli(&["TYPE", key]).trim() {
        "hash" => pairs(&lines(&["HGETALL", key])),
        "zset" => return pairs(&lines(&["ZRANGE", key, "0", "-1", "WITHSCORES"])).join(" "),
        "set" => lines(&["SMEMBERS", key]),
        _ => return lab.get(key),
    };
    words.sort();
    words.join(" ")
}

fn pairs(lines: &[String]) -> Vec<String> {
    lines.chunks(2).map(|pair| pair.join("=")).collect()
}

fn cooked_on(dialect: Dialect, name: &str) {
    let lab = Lab::empty(dialect);
    lab.database.sql(&text("tests/cookbook/shop.sql"));
    let own = format!("tests/cookbook/{name}.sql");
    if Path::new(env!("CARGO_MANIFEST_DIR")).join(&own).exists() {
        lab.database.sql(&text(&own));
    }
    let recipes: Vec<Recipe> = recipes()
        .into_iter()
        .filter(|recipe| recipe.databases.split(' ').any(|database| database == name))
        .collect();
    assert!(recipes.len() >= 15, "only {} recipes for {name}", recipes.len());
    let folder = tempfile::tempdir().expect("a folder");
    for (n, recipe) in recipes.iter().enumerate() {
        let text = format!("[context]\nname = \"shop\"\n\n{}\n", recipe.definition);
        fs::write(folder.path().join(format!("{n}.toml")), text).expect("a file");
    }
    let command = |arguments: &str| lab.command(arguments).contexts(folder.path()).run();
    command("warmup all").expect(0);
    for recipe in &recipes {
        assert!(!recipe.shown.is_empty(), "{}", recipe.title);
        for (key, value) in &recipe.shown {
            assert_eq!(&stored(&lab, key), value, "{}: {key} on {name}", recipe.title);
        }
    }
    command("verify --require 100%").expect(0);
    repairs(&lab, dialect, &recipes, folder.path());
}

/// What the other tables of the shop have become while the rows of its products stayed as they were.
const CHANGED: &str = "
    UPDATE image SET file = 'other.jpg' WHERE id = 2;
    DELETE FROM image WHERE id = 3;
    UPDATE product_name SET name = 'Other' WHERE product_id = 1;";

/// A row that has changed between the read and the check is written again, of whatever table it is:
/// the database lags, and its primary is asked for versions.
fn repairs(lab: &Lab, dialect: Dialect, recipes: &[Recipe], folder: &Path) {
    let primary = Lab::empty(dialect).database;
    primary.sql(&text("tests/cookbook/shop.sql"));
    primary.sql(CHANGED);
    let versioned = recipes
        .iter()
        .filter(|recipe| recipe.definition.contains("_version") && recipe.databases.contains(' '));
    let mut repaired = 0;
    for recipe in versioned {
        let (_, name) = recipe.definition.split_once("[strategies.").expect("a name");
        let name = format!("shop/{}", name.split(']').next().expect("a name"));
        let run = lab.command("warmup -o json").arg(&name).contexts(folder);
        let run = run.arg("--primary-url").arg(primary.url()).run().expect(0);
        for strategy in run.json()["strategies"].as_array().expect("a list") {
            assert_eq!(strategy["protected"], true, "{strategy:#}");
            repaired += strategy["repaired"].as_u64().expect("a number");
        }
        let verify = lab.command("verify").arg(&name).contexts(folder);
        verify.database(primary.url()).run().expect(0);
    }
    assert_eq!(repaired, 8, "two nested documents, two names and four offers");
}

#[test]
fn every_recipe_makes_what_it_shows_on_sqlite() {
    cooked_on(Dialect::Sqlite, "sqlite");
}

#[test]
fn every_recipe_makes_what_it_shows_on_postgres() {
    cooked_on(Dialect::Postgres, "postgres");
}

#[test]
fn every_recipe_makes_what_it_shows_on_mariadb() {
    cooked_on(Dialect::MySql, "mysql");
}
