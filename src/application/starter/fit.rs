//! The columns of a table, each in the form in which its rows can be read.

use super::form::{Form, forms, is_padded};
use super::private::is_secret;
use super::quoting::quoted;
use crate::application::ports::Dialect;
use crate::domain::encode::Hint;
use crate::domain::schema::{Kind, Table, TableColumn};

#[derive(Clone)]
pub(super) struct Fit<'a> {
    pub(super) table: &'a Table,
    dialect: Dialect,
    columns: Vec<Tried>,
}

#[derive(Clone)]
struct Tried {
    /// The best that is left first.
    forms: Vec<Form>,
    /// Why it is not the plain one.
    why: Option<String>,
}

/// A stored column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) column: String,
    pub(super) kind: Kind,
    /// Its name in the value.
    pub(super) name: String,
    /// Without its name.
    pub(super) expression: String,
    /// As written in SELECT.
    pub(super) item: String,
    pub(super) form: Form,
    pub(super) is_padded: bool,
    pub(super) hint: Option<Hint>,
}

impl<'a> Fit<'a> {
    pub(super) fn new(table: &'a Table, dialect: Dialect) -> Self {
        let is_in = |columns: &[String], column: &TableColumn| columns.contains(&column.name);
        let tried = |column: &TableColumn| {
            let references = table.foreign_keys.iter();
            let names_rows = is_in(table.key(), column)
                || references.into_iter().any(|key| is_in(&key.columns, column));
            let out = |why: String| Tried { forms: vec![Form::Out], why: Some(why) };
            let forms = forms(dialect, column, names_rows);
            match forms.as_slice() {
                _ if is_secret(&column.name) => out("looks like a secret".to_owned()),
                [Form::Out] => {
                    let (declared, name) = (&column.declared, toml_key(&column.name));
                    out(format!("{declared}; select it with types = {{ {name} = \"base64\" }}"))
                }
                _ => Tried { forms, why: None },
            }
        };
        Self { table, dialect, columns: table.columns.iter().map(tried).collect() }
    }

    /// Takes the next form of a column; `why`: what is wrong with the present one.
    pub(super) fn step(&mut self, column: &str, why: &str) {
        self.change(column, |tried| {
            if tried.forms.len() > 1 {
                tried.forms.remove(0);
            }
            tried.why = Some(why.to_owned());
        });
    }

    pub(super) fn leave_out(&mut self, column: &str, why: &str) {
        self.change(column, |tried| {
            tried.forms = vec![Form::Out];
            tried.why = Some(why.to_owned());
        });
    }

    fn change(&mut self, column: &str, change: impl FnOnce(&mut Tried)) {
        let at = self.table.columns.iter().position(|known| known.name == column);
        if let Some(at) = at {
            change(&mut self.columns[at]);
        }
    }

    /// The columns that are read.
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        let both = self.table.columns.iter().zip(&self.columns);
        for (column, tried) in both {
            let form = tried.forms[0];
            if form == Form::Out {
                continue;
            }
            let name = self.stored_name(&column.name);
            let plain = quoted(self.dialect, &column.name);
            let expression = form.expression(self.dialect, &plain);
            let item = match name == column.name && expression == plain {
                true => plain,
                false => format!("{expression} AS {}", quoted(self.dialect, &name)),
            };
            fields.push(Field {
                column: column.name.clone(),
                kind: column.kind,
                name,
                expression,
                item,
                form,
                is_padded: form == Form::Plain && is_padded(column),
                hint: form.hint(),
            });
        }
        fields
    }

    /// Columns that begin with `_` are never stored, so such a one gets another name.
    fn stored_name(&self, column: &str) -> String {
        if !column.starts_with('_') && !column.is_empty() {
            return column.to_owned();
        }
        let bare = column.trim_start_matches('_');
        let bare = if bare.is_empty() { "column" } else { bare };
        let is_free = |name: &String| self.table.column(name).is_none();
        let mut numbered = (2..).map(|n| format!("{bare}_{n}"));
        let plain = Some(bare.to_owned()).filter(is_free);
        plain.or_else(|| numbered.find(is_free)).unwrap_or_default()
    }

    /// Why a column is not read in its plain form.
    pub(super) fn why(&self, column: &str) -> Option<&str> {
        let mut names = self.table.columns.iter();
        let at = names.position(|known| known.name == column)?;
        self.columns[at].why.as_deref()
    }

    /// Notes on single columns for readers of the file.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
        for (column, tried) in self.table.columns.iter().zip(&self.columns) {
            let why = tried.why.as_deref().unwrap_or_default();
            let what = match tried.forms[0] {
                Form::Out => format!("Left out ({why})"),
                Form::NoZeros => "Zero dates become null".to_owned(),
                Form::Trimmed => "Without the blanks at the end".to_owned(),
                Form::Text => format!("As text ({why})"),
                Form::Hinted(_) => {
                    "Not all values are of the declared type, see `types`".to_owned()
                }
                Form::Plain | Form::Hex => continue,
            };
            match notes.iter_mut().find(|(known, _)| *known == what) {
                Some((_, columns)) => columns.push(&column.name),
                None => notes.push((what, vec![&column.name])),
            }
        }
        let note =
            |(what, columns): &(String, Vec<&str>)| format!("{what}: {}", columns.join(", "));
        notes.iter().map(note).collect()
    }
}

/// A name as a key of TOML.
pub(super) fn toml_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => super::quoting::toml_text(name),
    }
}
