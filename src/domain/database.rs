//! The databases that a definition's SQL can be written for, by name. What sets them apart is with the
//! adapters.

/// Schemes of URLs of database servers.
pub const SERVERS: [&str; 4] = ["postgres", "postgresql", "mysql", "mariadb"];

/// Schemes that frameworks use, and the one that means the same.
const SYNONYMS: [(&str, &str); 9] = [
    ("pgsql", "postgres"),
    ("pgx", "postgres"),
    ("postgis", "postgres"),
    ("psql", "postgres"),
    ("psycopg2", "postgres"),
    ("mysql2", "mysql"),
    ("mysqli", "mysql"),
    ("trilogy", "mysql"),
    ("sqlite3", "sqlite"),
];

/// A scheme without a driver's name, as in `postgresql+psycopg2`, `mysql2` or `pdo-sqlite`.
pub fn plain_scheme(scheme: &str) -> &str {
    let kind = scheme.split('+').next().unwrap_or(scheme);
    let kind = kind.strip_prefix("pdo-").unwrap_or(kind);
    let kind = kind.strip_prefix("pdo_").unwrap_or(kind);
    let synonym = SYNONYMS.iter().find(|(name, _)| *name == kind);
    synonym.map_or(kind, |(_, meant)| meant)
}

/// A database's URL with a scheme that every part of the tool knows.
pub fn plain_url(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme, rest)) => format!("{}:{rest}", plain_scheme(scheme)),
        None => url.to_owned(),
    }
}

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
    /// One text for all databases.
    pub fn any(text: &str) -> Self {
        Self { any: Some(text.to_owned()), ..Self::default() }
    }

    /// The text for a database, its own before the portable one.
    pub fn of(&self, database: &str) -> Option<&str> {
        self.own(database).or(self.any.as_deref())
    }

    /// The text that a database, or `any`, has to itself.
    pub fn own(&self, database: &str) -> Option<&str> {
        let mut texts = self.texts().into_iter();
        texts.find(|(name, _)| name.strip_prefix("sql.") == Some(database))?.1
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_of_frameworks_are_plain_ones() {
        for (url, plain) in [
            ("mysql2://u:p+q@h/db", "mysql://u:p+q@h/db"),
            ("mysql+pymysql://h/db", "mysql://h/db"),
            ("postgresql+psycopg2://h/db", "postgresql://h/db"),
            ("psql://h/db", "postgres://h/db"),
            ("pgsql://h/db", "postgres://h/db"),
            ("pdo-mysql://h/db", "mysql://h/db"),
            ("sqlite3:shop.db", "sqlite:shop.db"),
            ("mariadb://h/db", "mariadb://h/db"),
            ("oracle://h/db", "oracle://h/db"),
            ("shop.db", "shop.db"),
        ] {
            assert_eq!(plain_url(url), plain);
        }
    }
}
