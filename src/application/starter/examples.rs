//! Examples of other definitions, as comments, made of the tables of this database.

use super::fit::Field;
use super::form::Form;
use super::names::Names;
use super::object::literal;
use super::quoting::quoted;
use super::select::Reading;
use super::strategy::Strategy;
use crate::application::ports::Dialect;
use crate::domain::schema::{ForeignKey, Kind};
use crate::domain::strategy::VERSION;

/// The columns that an example shows.
const SHOWN: usize = 5;

/// The columns of a child in it.
const INNER: usize = 3;

/// The name of the column with a language's code.
const CODES: [&str; 6] = [
    "code",
    "locale",
    "iso_code",
    "language_code",
    "lang_code",
    "iso",
];

/// An example: its heading and a strategy.
pub(super) type Example = (&'static str, Strategy);

pub(super) fn examples(names: &mut Names, readings: &[Reading<'_>]) -> Vec<Example> {
    let family = family(readings);
    let nested = family.map(|family| family.example(names));
    let texts = texts(names, readings);
    let texts = texts.map(|texts| texts.example(names));
    nested.into_iter().chain(texts).collect()
}

/// The columns that need no explanation.
fn plain<'a>(reading: &'a Reading<'_>) -> Vec<&'a Field> {
    let is_plain = |field: &&Field| {
        let has_odd_sign = field.name.contains(['\'', '\\']);
        let has_kind = !matches!(field.kind, Kind::Document | Kind::Other | Kind::Binary);
        field.form == Form::Plain && field.name == field.column && !has_odd_sign && has_kind
    };
    reading.fields.iter().filter(is_plain).collect()
}

/// Whether all of these are among the plain columns.
fn has(reading: &Reading<'_>, names: &[String]) -> bool {
    let plain = plain(reading);
    names
        .iter()
        .all(|name| plain.iter().any(|field| field.column == *name))
}

/// Whether a column's name can stand in a key's template.
fn is_template(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `p.name`.
fn of(dialect: Dialect, alias: &str, column: &str) -> String {
    format!("{alias}.{}", quoted(dialect, column))
}

/// A query with a version that covers all that it reads.
fn versioned<'n>(dialect: Dialect, sql: &str, names: impl Iterator<Item = &'n str>) -> String {
    let columns: Vec<String> = names.map(|name| of(dialect, "q", name)).collect();
    let version = dialect.row_hash(&columns.join(", "));
    format!("SELECT q.*, {version} AS {VERSION}\nFROM (\n{sql}\n) q")
}

/// A parent and its children.
struct Family<'a> {
    parent: &'a Reading<'a>,
    child: &'a Reading<'a>,
    /// The parent's key, and the child's column with it.
    id: &'a String,
    refers: &'a String,
}

/// The one with the most children.
fn family<'a>(readings: &'a [Reading<'a>]) -> Option<Family<'a>> {
    let of = |name: &str| {
        readings
            .iter()
            .find(|reading| reading.fit.table.name == name)
    };
    let each = readings.iter().flat_map(|child| {
        let references = child.fit.table.foreign_keys.iter();
        references.filter_map(move |key| {
            let [id] = key.parent_columns.as_slice() else {
                return None;
            };
            let (parent, refers) = (of(&key.parent)?, key.columns.first()?);
            Some(Family {
                parent,
                child,
                id,
                refers,
            })
        })
    });
    let fits = |family: &Family<'_>| {
        let [parent, child] = [family.parent, family.child];
        let own = child.fit.table.key();
        let is_small = !parent.facts.is_large && !child.facts.is_large;
        let is_other = parent.fit.table.name != child.fit.table.name;
        let by_key = parent.fit.table.key() == [family.id.clone()] && is_template(family.id);
        is_small
            && is_other
            && by_key
            && has(parent, parent.fit.table.key())
            && !own.is_empty()
            && has(child, own)
            && has(child, std::slice::from_ref(family.refers))
    };
    each.filter(fits)
        .max_by_key(|family| family.child.facts.rows)
}

impl Family<'_> {
    fn example(&self, names: &mut Names) -> Example {
        let (parent, child, dialect) = (self.parent, self.child, self.parent.dialect);
        let mut shown = plain(parent);
        shown.sort_by_key(|field| field.column != *self.id);
        shown.truncate(SHOWN);
        let items = shown.iter().map(|field| of(dialect, "p", &field.name));
        let items: Vec<String> = items.collect();
        let inner = plain(child)
            .into_iter()
            .filter(|field| field.column != *self.refers);
        let pairs = inner
            .take(INNER)
            .map(|field| format!("'{}', {}", field.name, of(dialect, "c", &field.name)));
        let order = child
            .fit
            .table
            .key()
            .iter()
            .map(|column| of(dialect, "c", column));
        let json = dialect.json_list(
            &pairs.collect::<Vec<_>>().join(", "),
            &order.collect::<Vec<_>>().join(", "),
        );
        let [parents, children] =
            [parent, child].map(|reading| quoted(dialect, &reading.fit.table.name));
        let (refers, id) = (of(dialect, "c", self.refers), of(dialect, "p", self.id));
        let sql = format!(
            "SELECT {},\n       (SELECT\n          {json}\n        FROM {children} c \
             WHERE {refers} = {id}) AS children\nFROM {parents} p",
            items.join(", ")
        );
        let stored = shown.iter().map(|field| field.name.as_str());
        let sql = versioned(dialect, &sql, stored.chain(["children"]));
        let entity = names.entity(&parent.fit.table.name).to_owned();
        let example = Strategy {
            name: names.strategy(&format!("{entity}-page")),
            key: format!("{}-page:{{{}}}", literal(&entity), self.id),
            value: "object",
            ttl: "1h",
            is_empty: parent.facts.rows == 0,
            sql,
            ..Strategy::default()
        };
        (
            "A document with its children inside; its _version is made of all of it:",
            example,
        )
    }
}

/// The texts of something in each language.
struct Texts<'a> {
    texts: &'a Reading<'a>,
    language: &'a Reading<'a>,
    code: String,
    /// How the texts refer to their language, and to what they are about.
    by: &'a ForeignKey,
    about: &'a ForeignKey,
}

fn texts<'a>(names: &Names, readings: &'a [Reading<'a>]) -> Option<Texts<'a>> {
    let is_language = |reading: &&Reading<'_>| {
        let name = names.words(&reading.fit.table.name).join("_");
        ["language", "languages", "lang", "locale", "locales"].contains(&name.as_str())
    };
    let language = readings.iter().find(is_language)?;
    let is_code = |code: &&&str| has(language, &[(**code).to_owned()]);
    let code = CODES.iter().find(is_code)?;
    let texts = |texts: &'a Reading<'a>| {
        let table = texts.fit.table;
        let refers = |column: &String| {
            let mut keys = table.foreign_keys.iter();
            keys.find(|key| key.columns == [column.clone()])
        };
        let keys: Vec<&ForeignKey> = table.key().iter().filter_map(refers).collect();
        let is_by = |key: &&&ForeignKey| key.parent == language.fit.table.name;
        let ([_, _], true) = (keys.as_slice(), has(texts, table.key())) else {
            return None;
        };
        let by = keys.iter().find(is_by)?;
        let about = keys.iter().find(|key| !is_by(key))?;
        let is_whole = table.key().len() == 2 && by.parent_columns == language.fit.table.key();
        (is_whole && is_template(&about.columns[0])).then(|| Texts {
            texts,
            language,
            code: (*code).to_owned(),
            by,
            about,
        })
    };
    readings
        .iter()
        .filter_map(texts)
        .max_by_key(|found| found.texts.facts.rows)
}

impl Texts<'_> {
    fn example(&self, names: &mut Names) -> Example {
        let dialect = self.texts.dialect;
        let stored = plain(self.texts)
            .into_iter()
            .filter(|field| !self.by.columns.contains(&field.column));
        let stored: Vec<&Field> = stored.take(SHOWN).collect();
        let items = stored.iter().map(|field| of(dialect, "t", &field.name));
        let items: Vec<String> = items.collect();
        let [texts, languages] =
            [self.texts, self.language].map(|reading| quoted(dialect, &reading.fit.table.name));
        let code = quoted(dialect, &self.code);
        let sql = format!(
            "SELECT {}\nFROM {texts} t\nJOIN {languages} l ON {} = {}\nWHERE l.{code} = :locale",
            items.join(", "),
            of(dialect, "l", &self.by.parent_columns[0]),
            of(dialect, "t", &self.by.columns[0])
        );
        let columns = stored.iter().map(|field| field.name.as_str());
        let sql = versioned(dialect, &sql, columns);
        let entity = names.entity(&self.about.parent).to_owned();
        let id = &self.about.columns[0];
        let example = Strategy {
            name: names.strategy(&format!("{entity}-texts")),
            key: format!("{}-texts:{{{id}}}:{{locale}}", literal(&entity)),
            value: "object",
            ttl: "1h",
            each: Some(format!("SELECT {code} FROM {languages} ORDER BY {code}")),
            is_empty: self.texts.facts.rows == 0,
            sql,
            ..Strategy::default()
        };
        ("A key per language, by its code:", example)
    }
}
