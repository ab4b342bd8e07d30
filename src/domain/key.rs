//! Cache keys and the templates that make them.

use std::fmt;
use std::str::FromStr;

use super::row::Row;

/// More ways than this to read a key are not tried; the first ones have the shortest columns.
const MAX_READINGS: usize = 16;

/// `Product:id:{id}`: literals and columns, nothing else. `{{` and `}}` stand for braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Column(String),
}

impl Part {
    fn literal(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Column(_) => "",
        }
    }
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the key template is empty")]
    Empty,
    #[error("`{{` at character {0} is not closed; write {{{{ for a brace")]
    Unclosed(usize),
    #[error("`}}` at character {0} closes nothing; write }}}} for a brace")]
    Unopened(usize),
    #[error("`{{{0}}}` is not a column: a template knows {{column}} and nothing else")]
    NotAColumn(String),
}

impl FromStr for KeyTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' | '}' if chars.next_if(|(_, next)| *next == c).is_some() => literal.push(c),
                '{' => {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some((_, '}')) => break,
                            Some((_, c)) => name.push(c),
                            None => return Err(TemplateError::Unclosed(at + 1)),
                        }
                    }
                    if !is_column_name(&name) {
                        return Err(TemplateError::NotAColumn(name));
                    }
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Column(name));
                }
                '}' => return Err(TemplateError::Unopened(at + 1)),
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

fn is_column_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl KeyTemplate {
    /// The template of the same keys behind a literal prefix.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        if !prefix.is_empty() {
            self.text
                .insert_str(0, &prefix.replace('{', "{{").replace('}', "}}"));
            self.parts.insert(0, Part::Literal(prefix.to_owned()));
        }
        self
    }

    /// The columns, each once, in the order of the template.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = Vec::new();
        for part in &self.parts {
            if let Part::Column(name) = part
                && !columns.contains(&name.as_str())
            {
                columns.push(name.as_str());
            }
        }
        columns
    }

    /// The one key of a template without columns.
    pub fn literal(&self) -> Option<String> {
        match self.parts.as_slice() {
            // A prefix is a part of its own.
            parts if parts.iter().all(|part| matches!(part, Part::Literal(_))) => {
                Some(parts.iter().map(Part::literal).collect())
            }
            _ => None,
        }
    }

    /// A key of the template: each column has the same value.
    pub fn with_columns(&self, value: &str) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => text.as_str(),
            Part::Column(_) => value,
        });
        parts.collect()
    }

    /// What every key of the template begins with.
    pub fn literal_start(&self) -> String {
        let start = self
            .parts
            .iter()
            .take_while(|part| matches!(part, Part::Literal(_)));
        start.map(Part::literal).collect()
    }

    /// Two templates of one shape make the same keys, whatever their columns are called.
    pub fn shape(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => text.replace('{', "{{"),
            Part::Column(_) => "{}".to_owned(),
        });
        parts.collect()
    }

    /// How much of a key the template fixes: of two that match, the longer one is meant.
    pub fn literal_len(&self) -> usize {
        self.parts.iter().map(|part| part.literal().len()).sum()
    }

    /// The template with each column's place among `names`.
    ///
    /// # Errors
    /// The first column that is not there.
    pub fn bind(&self, names: impl Fn(&str) -> Option<usize>) -> Result<BoundKey, String> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push(match part {
                Part::Literal(text) => BoundPart::Literal(text.clone().into_bytes()),
                Part::Column(name) => BoundPart::Column {
                    at: names(name).ok_or_else(|| name.clone())?,
                    name: name.clone(),
                },
            });
        }
        Ok(BoundKey { parts })
    }

    /// The values that the columns (in [`Self::columns`]' order) have if `key` is one of this
    /// template's; several readings where the literals leave room. Empty: not of this template.
    pub fn read(&self, key: &str) -> Vec<Vec<String>> {
        let mut readings = Vec::new();
        self.read_from(0, key, &mut Vec::new(), &mut readings);
        readings
    }

    fn read_from<'k>(
        &self,
        part: usize,
        rest: &'k str,
        values: &mut Vec<&'k str>,
        readings: &mut Vec<Vec<String>>,
    ) {
        if readings.len() == MAX_READINGS {
            return;
        }
        match self.parts.get(part) {
            None if rest.is_empty() => readings.extend(self.reading(values)),
            None => {}
            Some(Part::Literal(text)) => {
                if let Some(rest) = rest.strip_prefix(text.as_str()) {
                    self.read_from(part + 1, rest, values, readings);
                }
            }
            Some(Part::Column(_)) => {
                let last = part + 1 == self.parts.len();
                let ends = rest
                    .char_indices()
                    .map(|(at, _)| at)
                    .filter(|at| !last && *at > 0);
                for end in ends.chain([rest.len()]).filter(|end| *end > 0) {
                    values.push(&rest[..end]);
                    self.read_from(part + 1, &rest[end..], values, readings);
                    values.pop();
                }
            }
        }
    }

    /// A value for each of [`Self::columns`], from a value for each column part; `None` where a
    /// column that stands twice would have two values.
    fn reading(&self, values: &[&str]) -> Option<Vec<String>> {
        let mut read: Vec<(&str, &str)> = Vec::new();
        let names = self.parts.iter().filter_map(|part| match part {
            Part::Column(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        });
        for (name, value) in names.zip(values) {
            match read.iter().find(|(earlier, _)| *earlier == name) {
                Some((_, earlier)) if earlier != value => return None,
                Some(_) => {}
                None => read.push((name, value)),
            }
        }
        Some(
            read.into_iter()
                .map(|(_, value)| value.to_owned())
                .collect(),
        )
    }
}

/// A [`KeyTemplate`] whose columns are places in a row.
#[derive(Clone, Debug)]
pub struct BoundKey {
    parts: Vec<BoundPart>,
}

#[derive(Clone, Debug)]
enum BoundPart {
    Literal(Vec<u8>),
    Column { at: usize, name: String },
}

impl BoundKey {
    /// Appends the key of `row`.
    ///
    /// # Errors
    /// Names the column that is NULL, empty or could not be encoded; `out` may hold a part.
    pub fn render(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        for part in &self.parts {
            match part {
                BoundPart::Literal(text) => out.extend_from_slice(text),
                BoundPart::Column { at, name } => match row.text(*at) {
                    Ok(Some(text)) if !text.is_empty() => out.extend_from_slice(&text),
                    Ok(Some(_)) => return Err(format!("key column {name} is empty")),
                    Ok(None) => return Err(format!("key column {name} is NULL")),
                    Err(error) => return Err(format!("key column {name}: {error}")),
                },
            }
        }
        Ok(())
    }
}

/// A key as it can be shown to a person: control characters and bytes that are no text escaped.
pub fn printable(key: &[u8]) -> String {
    let mut shown = String::with_capacity(key.len());
    for chunk in key.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Direction overrides and the like reorder a terminal's line as control characters do.
            if c.is_control()
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                shown.extend(c.escape_default());
            } else {
                shown.push(c);
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// `text` cut to `limit` characters, with a mark where it was cut.
pub fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((cut, _)) => format!("{}… ({} bytes)", &text[..cut], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> KeyTemplate {
        text.parse().expect("a template")
    }

    #[test]
    fn a_template_is_literals_and_columns() {
        let order = template("Order:{{x}}:{customer_id}:{id}");
        assert_eq!(order.columns(), ["customer_id", "id"]);
        assert_eq!(order.shape(), "Order:{{x}:{}:{}");
        for (text, error) in [
            ("", "empty"),
            ("a{id", "character 2 is not closed"),
            ("a}b", "character 2 closes nothing"),
            ("a{id|lower}", "`{id|lower}` is not a column"),
            ("a{}", "`{}` is not a column"),
        ] {
            let refused = text.parse::<KeyTemplate>().expect_err(text).to_string();
            assert!(refused.contains(error), "{text}: {refused}");
        }
    }

    #[test]
    fn a_key_is_read_back_into_columns() {
        assert_eq!(
            template("Product:id:{id}").read("Product:id:p:1"),
            [["p:1"]]
        );
        assert!(template("Product:id:{id}").read("Product:id:").is_empty());
        assert!(template("Product:id:{id}").read("Category:id:1").is_empty());
        assert_eq!(
            template("f:{a}-{b}").read("f:x-y-z"),
            [["x", "y-z"], ["x-y", "z"]]
        );
        assert_eq!(template("{a}/{a}").read("x/x"), [["x"]]);
        assert!(template("{a}/{a}").read("x/y").is_empty());
        assert_eq!(
            template("Category:list:all")
                .read("Category:list:all")
                .len(),
            1
        );
        assert_eq!(template("人:{名}").read("人:李"), [["李"]]);
        let ambiguous = template("{a}{b}").read(&"x".repeat(1000));
        assert_eq!(ambiguous.len(), MAX_READINGS);
    }

    #[test]
    fn a_shown_key_cannot_touch_the_terminal() {
        assert_eq!(printable(b"a\x1b[2J\nb\xff"), "a\\u{1b}[2J\\nb\\xff");
        assert_eq!(printable("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(printable("商品:1".as_bytes()), "商品:1");
        assert_eq!(shortened("abcdef", 3), "abc… (6 bytes)");
    }
}
