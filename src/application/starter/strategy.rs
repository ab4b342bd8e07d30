//! A strategy of the file that is written.

use super::fit::toml_key;
use super::quoting::{toml_lines, toml_text};
use crate::domain::encode::Hint;

#[derive(Clone, Debug, Default)]
pub(super) struct Strategy {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) value: &'static str,
    pub(super) ttl: &'static str,
    pub(super) is_empty: bool,
    pub(super) types: Vec<(String, Hint)>,
    pub(super) order_by: Option<String>,
    pub(super) limit: Option<u64>,
    /// The query of the values of `:locale`.
    pub(super) each: Option<String>,
    pub(super) sql: String,
    /// Why it is only a comment.
    pub(super) fault: Option<String>,
}

impl Strategy {
    /// As its file has it.
    pub(super) fn toml(&self) -> String {
        let mut text = format!("[strategies.{}]\n", self.name);
        let mut line = |name: &str, value: String| text.push_str(&format!("{name:<8} = {value}\n"));
        line("key", toml_text(&self.key));
        line("value", toml_text(self.value));
        line("ttl", toml_text(self.ttl));
        if self.is_empty {
            line("min_keys", "0".to_owned());
        }
        if !self.types.is_empty() {
            let each = self.types.iter().map(|(name, hint)| {
                let hint = format!("{hint:?}").to_lowercase();
                format!("{} = \"{hint}\"", toml_key(name))
            });
            line("types", format!("{{ {} }}", each.collect::<Vec<_>>().join(", ")));
        }
        if let Some(order_by) = &self.order_by {
            line("order_by", toml_text(order_by));
        }
        if let Some(limit) = self.limit {
            line("limit", limit.to_string());
        }
        if let Some(each) = &self.each {
            line("for.locale", toml_text(each));
        }
        line("sql", toml_lines(&self.sql));
        text
    }

    /// The query, its rows in order.
    pub(super) fn ordered(&self) -> String {
        let order = self.order_by.as_ref().map(|order| format!(" ORDER BY {order}"));
        format!("SELECT * FROM (\n{}\n) q{}", self.sql, order.unwrap_or_default())
    }
}

/// Each line as a comment.
pub(super) fn commented(text: &str) -> String {
    let comment = |line: &str| match line.is_empty() {
        true => "#\n".to_owned(),
        false => format!("# {line}\n"),
    };
    text.lines().map(comment).collect()
}
