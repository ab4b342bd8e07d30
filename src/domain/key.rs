//! Cache keys and the templates that make them.

pub mod reading;

use std::fmt;
use std::str::FromStr;

use super::namespace;
use super::row::Row;

/// `Product:id:{id}`: literals and columns, nothing else. `{{` and `}}` are braces.
///
/// The default is a template of no keys at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTemplate {
    text: String,
    parts: Vec<Part>,
    /// What the operator put before the template.
    prefix: String,
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
        Ok(Self { text: text.to_owned(), parts, prefix: String::new() })
    }
}

fn is_column_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
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
        if !prefix.is_empty() && !self.parts.is_empty() {
            self.text.insert_str(0, &prefix.replace('{', "{{").replace('}', "}}"));
            self.parts.insert(0, Part::Literal(prefix.to_owned()));
            self.prefix.insert_str(0, prefix);
        }
        self
    }

    /// The template with a text in the place of a column.
    #[must_use]
    pub fn filled(&self, column: &str, value: &str) -> Self {
        let escaped = |text: &str| text.replace('{', "{{").replace('}', "}}");
        let mut filled =
            Self { text: String::new(), parts: Vec::new(), prefix: self.prefix.clone() };
        for part in &self.parts {
            let part = match part {
                Part::Column(name) if name == column => Part::Literal(value.to_owned()),
                part => part.clone(),
            };
            match &part {
                Part::Literal(text) => filled.text.push_str(&escaped(text)),
                Part::Column(name) => filled.text.push_str(&format!("{{{name}}}")),
            }
            filled.parts.push(part);
        }
        filled
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
        let start = self.parts.iter().take_while(|part| matches!(part, Part::Literal(_)));
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
        let own = namespace::all(&self.prefix);
        let start = self.literal_start();
        let may_be_own = own.starts_with(&start) || start.starts_with(&own);
        Ok(BoundKey { parts, own: may_be_own.then(|| own.into_bytes()) })
    }
}

/// A [`KeyTemplate`] whose columns are places in a row.
#[derive(Clone, Debug)]
pub struct BoundKey {
    parts: Vec<BoundPart>,
    /// What keys of the tool's own begin with, where a row may make one.
    own: Option<Vec<u8>>,
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
        self.render_with(row, out, |_| {})
    }

    /// The same, and calls `ended` with the position in the key where each column ends.
    ///
    /// # Errors
    /// As of [`Self::render`].
    pub fn render_with(
        &self,
        row: Row<'_>,
        out: &mut Vec<u8>,
        mut ended: impl FnMut(usize),
    ) -> Result<(), String> {
        let start = out.len();
        for part in &self.parts {
            match part {
                BoundPart::Literal(text) => out.extend_from_slice(text),
                BoundPart::Column { at, name } => {
                    match row.text(*at) {
                        Ok(Some(text)) if !text.is_empty() => out.extend_from_slice(&text),
                        Ok(Some(_)) => return Err(format!("key column `{name}` is empty")),
                        Ok(None) => return Err(format!("key column `{name}` is NULL")),
                        Err(error) => return Err(format!("key column `{name}`: {error}")),
                    }
                    ended(out.len() - start);
                }
            }
        }
        match &self.own {
            Some(own) if out[start..].starts_with(own) => Err(format!(
                "the key `{}` would be one of shopwarm's own, which begin with `{}`",
                printable(&out[start..]),
                printable(own)
            )),
            _ => Ok(()),
        }
    }

    /// Whether several columns make it, so that its text alone may not tell them apart.
    pub fn has_several_columns(&self) -> bool {
        let is_column = |part: &&BoundPart| matches!(part, BoundPart::Column { .. });
        self.parts.iter().filter(is_column).nth(1).is_some()
    }
}

/// A key as it can be shown to a person: control characters and bytes that are no text escaped.
pub fn printable(key: &[u8]) -> String {
    let mut shown = String::with_capacity(key.len());
    for chunk in key.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hidden(c) {
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

/// A text for a terminal: all but line ends and tabs is made printable.
pub fn visible(text: String) -> String {
    let is_shown = |c: char| matches!(c, '\n' | '\t') || !is_hidden(c);
    if text.chars().all(is_shown) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_shown(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// Control characters, and what reorders a terminal's line as they do.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        let filled = order.filled("customer_id", "a{b");
        assert_eq!(filled.to_string(), "Order:{{x}}:a{{b:{id}");
        assert_eq!(filled.shape(), template("Order:{{x}}:a{{b:{id}").shape());
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
    fn a_shown_key_cannot_touch_the_terminal() {
        assert_eq!(printable(b"a\x1b[2J\nb\xff"), "a\\u{1b}[2J\\nb\\xff");
        assert_eq!(printable("x\u{202e}y".as_bytes()), "x\\u{202e}y");
        assert_eq!(printable("商品:1".as_bytes()), "商品:1");
        assert_eq!(shortened("abcdef", 3), "abc… (6 bytes)");
    }
}
