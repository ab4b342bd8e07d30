//! Examples of other definitions, as comments, made of the tables of this database.

use super::fit::Field;
use super::form::Form;
use super::names::Names;
use super::object::literal;
use super::quoting::quoted;
use super::select::{Reading, lines, places};
use super::strategy::Strategy;
use crate::application::ports::Dialect;
use crate::domain::schema::{ForeignKey, Kind};
use crate::domain::strategy::VERSION;

/// The most columns that an example has: PostgreSQL's functions take a hundred arguments.
const MOST: usize = 40;

/// The name of the column with a language's code.
const CODES: &str = "code locale iso_code language_code lang_code iso";

pub(super) struct Example {
    pub(super) heading: String,
    pub(super) strategy: Strategy,
    /// The query for a server whose JSON lists take no order.
    pub(super) unordered: Option<String>,
}

pub(super) fn examples(names: &mut Names, readings: &[Reading<'_>]) -> Vec<Example> {
    let nested = family(readings).map(|family| family.example(names));
    let texts = texts(names, readings).map(|texts| texts.example(names));
    nested.into_iter().chain(texts).collect()
}

/// The columns that fit, those of `first` at the start.
fn shown<'a>(reading: &'a Reading<'_>, first: &[String], without: &[String]) -> Vec<&'a Field> {
    let fits = |field: &&Field| {
        let has_odd_sign = field.name.contains(['\'', '\\']);
        let has_kind = !matches!(field.kind, Kind::Document | Kind::Other | Kind::Binary);
        let column = reading.fit.table.column(&field.column);
        // In MariaDB's JSON it is a byte as it is.
        let is_bit = column.is_some_and(|column| column.declared.starts_with("bit"));
        let is_own = field.name == field.column && field.hint.is_none();
        is_own && !has_odd_sign && has_kind && !is_bit && !without.contains(&field.column)
    };
    let mut shown: Vec<&Field> = reading.fields.iter().filter(fits).collect();
    shown.sort_by_key(|field| !first.contains(&field.column));
    shown.truncate(MOST);
    shown
}

/// The columns that are not shown, except for `known`.
fn left_out<'a>(reading: &'a Reading<'_>, shown: &[&Field], known: &[String]) -> Vec<&'a str> {
    let is_out = |field: &&Field| !shown.contains(field) && !known.contains(&field.column);
    let fields = reading.fields.iter().filter(is_out);
    fields.map(|field| field.name.as_str()).collect()
}

/// `, without name, picture`, or nothing.
fn without(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        names => format!(", without {}", names.join(", ")),
    }
}

/// Whether all of these are among the plain columns.
fn has(reading: &Reading<'_>, names: &[String]) -> bool {
    let shown = shown(reading, names, &[]);
    let plain = shown.iter().filter(|field| field.form == Form::Plain);
    names.iter().all(|name| plain.clone().any(|field| field.column == *name))
}

/// Whether a column's name can stand in a key's template.
fn is_template(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `p.name`.
fn of(dialect: Dialect, alias: &str, column: &str) -> String {
    format!("{alias}.{}", quoted(dialect, column))
}

/// A column of `alias` in its form.
fn expression(dialect: Dialect, alias: &str, field: &Field) -> String {
    field.form.expression(dialect, &of(dialect, alias, &field.column))
}

/// Columns in SELECT.
fn selected(dialect: Dialect, alias: &str, fields: &[&Field]) -> String {
    let item = |field: &&Field| match (expression(dialect, alias, field), field.form) {
        (plain, Form::Plain) => plain,
        (other, _) => format!("{other} AS {}", quoted(dialect, &field.name)),
    };
    lines(&fields.iter().map(item).collect::<Vec<_>>(), 7)
}

/// A query with a version that covers all that it reads.
fn versioned<'n>(dialect: Dialect, sql: &str, names: impl Iterator<Item = &'n str>) -> String {
    let columns: Vec<String> = names.map(|name| of(dialect, "q", name)).collect();
    let version = dialect.row_hash(&lines(&columns, 7));
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
    let of = |name: &str| readings.iter().find(|one| one.fit.table.name == name);
    let each = readings.iter().flat_map(|child| {
        let references = child.fit.table.foreign_keys.iter();
        references.filter_map(move |key| {
            Some(Family {
                parent: of(&key.parent)?,
                child,
                id: key.parent_columns.first()?,
                refers: key.columns.first().filter(|_| key.columns.len() == 1)?,
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
            && own != std::slice::from_ref(family.refers)
            && has(child, own)
            && has(child, std::slice::from_ref(family.refers))
    };
    each.filter(fits).max_by_key(|family| family.child.facts.rows)
}

impl Family<'_> {
    fn example(&self, names: &mut Names) -> Example {
        let (parent, child) = (self.parent, self.child);
        let known = std::slice::from_ref(self.refers);
        let stored = shown(parent, std::slice::from_ref(self.id), &["children".to_owned()]);
        let inner = shown(child, &[], known);
        let place = |field: &Field| expression(self.parent.dialect, "c", field);
        let order: Vec<String> = places(child, known).into_iter().map(place).collect();
        let order = format!(" ORDER BY {}", order.join(", "));
        let entity = names.entity(&parent.fit.table.name).to_owned();
        let strategy = Strategy {
            name: names.strategy(&format!("{entity}-page")),
            key: format!("{}-page:{{{}}}", literal(&entity), self.id),
            value: "object",
            ttl: "1h",
            is_empty: parent.facts.rows == 0,
            sql: self.sql(&stored, &inner, &order),
            ..Strategy::default()
        };
        let out = [left_out(parent, &stored, &[]), left_out(child, &inner, known)].concat();
        let heading = format!(
            "A document with its children inside{}; its _version is made of all of it:",
            without(&out)
        );
        Example { heading, strategy, unordered: Some(self.sql(&stored, &inner, "")) }
    }

    fn sql(&self, stored: &[&Field], inner: &[&Field], order: &str) -> String {
        let dialect = self.parent.dialect;
        let pair = |field: &&Field| {
            let value = expression(dialect, "c", field);
            format!("'{}', {value}", field.name)
        };
        let pairs: Vec<String> = inner.iter().map(pair).collect();
        let json = dialect.json_list(&lines(&pairs, 12), order);
        let [parents, children] =
            [self.parent, self.child].map(|reading| quoted(dialect, &reading.fit.table.name));
        let (refers, id) = (of(dialect, "c", self.refers), of(dialect, "p", self.id));
        let sql = format!(
            "SELECT {},\n       (SELECT\n          {json}\n        FROM {children} c \
             WHERE {refers} = {id}) AS children\nFROM {parents} p",
            selected(dialect, "p", stored)
        );
        let names = stored.iter().map(|field| field.name.as_str());
        versioned(dialect, &sql, names.chain(["children"]))
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
    let mut codes = CODES.split(' ').map(str::to_owned);
    let code = codes.find(|code| has(language, std::slice::from_ref(code)))?;
    let texts = |texts: &'a Reading<'a>| {
        let table = texts.fit.table;
        let refers = |column: &String| {
            let mut keys = table.foreign_keys.iter();
            keys.find(|key| key.columns == [column.clone()])
        };
        let keys: Vec<&ForeignKey> = table.key().iter().filter_map(refers).collect();
        let is_by = |key: &&&ForeignKey| key.parent == language.fit.table.name;
        let by = keys.iter().find(is_by)?;
        let about = keys.iter().find(|key| !is_by(key))?;
        let mut names = table.key().iter();
        let is_whole = by.parent_columns == language.fit.table.key() && has(texts, table.key());
        (is_whole && names.all(|name| is_template(name))).then(|| Texts {
            texts,
            language,
            code: code.clone(),
            by,
            about,
        })
    };
    readings.iter().filter_map(texts).max_by_key(|found| found.texts.facts.rows)
}

impl Texts<'_> {
    fn example(&self, names: &mut Names) -> Example {
        let (dialect, key) = (self.texts.dialect, self.texts.fit.table.key());
        let stored = shown(self.texts, key, &self.by.columns);
        let [texts, languages] =
            [self.texts, self.language].map(|reading| quoted(dialect, &reading.fit.table.name));
        let code = quoted(dialect, &self.code);
        let sql = format!(
            "SELECT {}\nFROM {texts} t\nJOIN {languages} l ON {} = {}\nWHERE l.{code} = :locale",
            selected(dialect, "t", &stored),
            of(dialect, "l", &self.by.parent_columns[0]),
            of(dialect, "t", &self.by.columns[0])
        );
        let columns = stored.iter().map(|field| field.name.as_str());
        let sql = versioned(dialect, &sql, columns);
        let entity = names.entity(&self.about.parent).to_owned();
        let ids = key.iter().filter(|name| !self.by.columns.contains(name));
        let ids: String = ids.map(|name| format!(":{{{name}}}")).collect();
        let strategy = Strategy {
            name: names.strategy(&format!("{entity}-texts")),
            key: format!("{}-texts{ids}:{{locale}}", literal(&entity)),
            value: "object",
            ttl: "1h",
            each: Some(format!("SELECT {code} FROM {languages} ORDER BY {code}")),
            is_empty: self.texts.facts.rows == 0,
            sql,
            ..Strategy::default()
        };
        let out = left_out(self.texts, &stored, &self.by.columns);
        Example {
            heading: format!("A key per language, by its code{}:", without(&out)),
            strategy,
            unordered: None,
        }
    }
}
