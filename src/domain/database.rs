//! The databases that a definition's SQL can be written for, by name. What sets them apart is with the
//! adapters.

/// Schemes of URLs of database servers.
pub const SERVERS: [&str; 4] = ["postgres", "postgresql", "mysql", "mariadb"];

/// The SQL of a definition: one text for all databases, or one for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    any: Option<String>,
    postgres: Option<String>,
    mysql: Option<String>,
    sqlite: Option<String>,
}

impl Sql {
    /// The text for a database, its own before the portable one.
    pub fn of(&self, database: &str) -> Option<&str> {
        self.own(database).or(self.any.as_deref())
    }

    /// The text that a database, or `any`, has to itself.
    pub fn own(&self, database: &str) -> Option<&str> {
        let mut texts = self.texts().into_iter();
        texts
            .find(|(name, _)| name.strip_prefix("sql.") == Some(database))?
            .1
    }

    /// Each text by its field: `sql.any`, and one for each database.
    pub fn texts(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("sql.any", self.any.as_deref()),
            ("sql.postgres", self.postgres.as_deref()),
            ("sql.mysql", self.mysql.as_deref()),
            ("sql.sqlite", self.sqlite.as_deref()),
        ]
    }
}
