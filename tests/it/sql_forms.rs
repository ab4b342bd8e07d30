//! SQL as shops write it: the forms in `tests/it/sql`, one a paragraph, are accepted unless they say
//! otherwise, and the server agrees.
//!
//! - `-- refused: WORDS`: refused with these words.
//! - `-- view`: valid, and the parser cannot read it: refused with line, column and a way out.
//! - `-- elsewhere`: the servers of the tests do not know it, newer ones or MySQL do.

use std::path::Path;

use shopwarm::contexts::sql::ownership::check;
use shopwarm::contexts::sql::owns::Owns;
use shopwarm::infrastructure::source::all_grammars;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::support::servers::{Dialect, MariaDb, Postgres};

struct Form {
    line: usize,
    notes: Vec<String>,
    sql: String,
}

fn forms(database: &str) -> Vec<Form> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/sql/{database}.sql"));
    let text = std::fs::read_to_string(file).expect("a file");
    let mut forms = Vec::new();
    let mut line = 1;
    for paragraph in text.split("\n\n") {
        let is_note = |line: &&str| {
            let words = ["-- refused: ", "-- view", "-- elsewhere"];
            words.iter().any(|word| line.starts_with(word))
        };
        let notes: Vec<String> = paragraph.lines().take_while(is_note).map(str::to_owned).collect();
        let sql: Vec<&str> = paragraph.lines().skip(notes.len()).collect();
        let sql = sql.join("\n");
        forms.push(Form { line, notes, sql });
        line += paragraph.lines().count() + 1;
    }
    forms
}

impl Form {
    fn is(&self, note: &str) -> bool {
        self.notes.iter().any(|said| said == note)
    }

    fn refused_with(&self) -> Option<&str> {
        self.notes.iter().find_map(|note| note.strip_prefix("-- refused: "))
    }

    /// What is wrong with our answer.
    fn complaint(&self, database: &str) -> Option<String> {
        let grammars = all_grammars();
        let grammar = grammars.iter().find(|grammar| grammar.name == database);
        let mut owns = Owns::default();
        let tables = ["orders", "order_items", "products", "categories", "search", "seq_1_to_10"];
        owns.add(tables.map(str::to_owned).into());
        let refused = check(&self.sql, grammar.expect("a database"), &owns).err();
        let said = refused.as_ref().map(ToString::to_string).unwrap_or_default();
        match (self.refused_with(), refused) {
            (Some(words), Some(_)) if said.contains(words) => None,
            (Some(_), Some(_)) => Some(format!("refused: {said}")),
            (Some(_), None) => Some("accepted".to_owned()),
            (None, Some(refused)) if self.is("-- view") => {
                let is_helpful = refused.place().is_some() && said.contains("put it into a view");
                (!is_helpful).then(|| format!("not helpful: {said}"))
            }
            (None, None) if self.is("-- view") => Some("the parser reads it now".to_owned()),
            (None, refused) => refused.map(|_| format!("refused: {said}")),
        }
    }

    fn is_run(&self) -> bool {
        !self.is("-- elsewhere") && self.refused_with().is_none()
    }
}

/// Asks ourselves about each form, and the server about those that are valid.
async fn agree(database: &str, mut explain: impl AsyncFnMut(String) -> Result<(), sqlx::Error>) {
    let forms = forms(database);
    let mut wrong = Vec::new();
    for form in &forms {
        let line = form.line;
        if let Some(complaint) = form.complaint(database) {
            wrong.push(format!("{database}.sql:{line}: {complaint}\n    {}", form.sql));
        }
        if form.is_run()
            && let Err(error) = explain(format!("EXPLAIN {}", form.sql)).await
        {
            wrong.push(format!("{database}.sql:{line}: the server: {error}\n    {}", form.sql));
        }
    }
    assert!(wrong.is_empty(), "{}\n{} are wrong", wrong.join("\n"), wrong.len());
    assert!(forms.len() > 170, "{} forms", forms.len());
}

/// The tables that the forms read, in a dialect's types.
fn tables(text: &str, json: &str, moment: &str, more: &str) -> String {
    format!(
        "CREATE TABLE orders (id int PRIMARY KEY, user_id int, status {text} DEFAULT '', total decimal(10,2),
             items {json}, created_at {moment}, note {text}{more});
         CREATE TABLE order_items (order_id int, product_id int, sku {text}, quantity int, price decimal(10,2));
         CREATE TABLE products (id int PRIMARY KEY, parent_id int, name {text}, slug {text},
             price decimal(10,2), attributes {json}, stock int);
         CREATE TABLE categories (id int PRIMARY KEY, parent_id int, name {text})"
    )
}

#[tokio::test]
async fn postgresql_and_the_check_agree() {
    let database = Postgres::database();
    assert_eq!(database.dialect(), Dialect::Postgres);
    database.sql(&tables("text", "jsonb", "timestamptz", ", tags text[], search tsvector"));
    let mut session = sqlx::PgConnection::connect(&database.admin_url()).await.expect("a session");
    let ask = async |sql: String| session.execute(AssertSqlSafe(sql)).await.map(drop);
    agree("postgres", ask).await;
}

#[tokio::test]
async fn mariadb_and_the_check_agree() {
    let database = MariaDb::database();
    database.sql(&tables("varchar(100)", "json", "datetime", ", FULLTEXT (note)"));
    let url = database.url();
    let mut session = sqlx::MySqlConnection::connect(&url).await.expect("a session");
    let ask =
        async |sql: String| sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut session).await.map(drop);
    agree("mysql", ask).await;
}

#[tokio::test]
async fn sqlite_and_the_check_agree() {
    let mut session = sqlx::SqliteConnection::connect("sqlite::memory:").await.expect("a session");
    let more = "; CREATE INDEX orders_by_user ON orders (user_id);
        CREATE VIRTUAL TABLE search USING fts5 (id, note)";
    let tables = tables("text", "text", "text", "") + more;
    sqlx::raw_sql(AssertSqlSafe(tables)).execute(&mut session).await.expect("tables");
    let ask = async |sql: String| session.execute(AssertSqlSafe(sql)).await.map(drop);
    agree("sqlite", ask).await;
}
