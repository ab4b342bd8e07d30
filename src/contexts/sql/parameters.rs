//! What an operator leaves open in a definition's SQL: `:name` is bound as a parameter, `{{name}}` is
//! filled in as a part of a name.

use super::lexer::{Kind, pieces};
use super::refusal::SqlRefused;
use crate::application::ports::grammar::Grammar;
use crate::domain::nearest::nearest;
use crate::domain::parameter::{Statement, Vars};

/// The SQL with every `{{name}}` filled in. Strings and comments are left alone.
///
/// # Errors
/// The SQL cannot be taken apart, or a variable does not exist or is no part of a name.
pub fn with_names(sql: &str, grammar: &'static Grammar, vars: &Vars) -> Result<String, SqlRefused> {
    let text: Vec<char> = sql.chars().collect();
    let mut whole = String::with_capacity(sql.len());
    let mut code = String::new();
    for (kind, place) in pieces(sql, &text, grammar)? {
        let piece = &text[place];
        if let Kind::Code = kind {
            code.extend(piece);
            continue;
        }
        whole.push_str(&named(&std::mem::take(&mut code), vars)?);
        whole.extend(piece);
    }
    whole.push_str(&named(&code, vars)?);
    Ok(whole)
}

/// A name with every `{{name}}` in it filled in.
///
/// # Errors
/// As of [`with_names`].
pub fn named(text: &str, vars: &Vars) -> Result<String, SqlRefused> {
    let refuse = |why: String| Err(SqlRefused::Variable(why));
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, behind)) = behind.split_once("}}") else {
            return refuse("`{{` is not closed with `}}`".to_owned());
        };
        let name = name.trim();
        let Some(value) = vars.get(name) else {
            return refuse(unknown(&format!("{{{{{name}}}}}"), name, vars.keys()));
        };
        let value = value.to_string();
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        if !value.chars().all(is_part) {
            return refuse(format!(
                "the variable `{name}` is filled into names, and may have letters, digits and _ only"
            ));
        }
        filled.push_str(&value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// That there is no value for what the SQL names, with the one that may be meant.
pub fn unknown<'k>(written: &str, name: &str, known: impl Iterator<Item = &'k String>) -> String {
    let meant = match nearest(name, known.map(String::as_str)) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => String::new(),
    };
    format!(
        "there is no value for {written}: add {name} to [vars], or give --var {name}=VALUE{meant}"
    )
}

/// Checked SQL with the database's placeholders.
///
/// # Errors
/// The SQL cannot be taken apart.
pub fn statement(sql: &str, grammar: &'static Grammar) -> Result<Statement, SqlRefused> {
    let text: Vec<char> = sql.chars().collect();
    let mut statement = Statement {
        written: sql.to_owned(),
        ..Statement::default()
    };
    for (kind, place) in pieces(sql, &text, grammar)? {
        let piece: String = text[place].iter().collect();
        let Kind::Parameter = kind else {
            statement.text.push_str(&piece);
            continue;
        };
        let name = piece.trim_start_matches(':').to_owned();
        let known = statement.names.iter().position(|known| *known == name);
        match (grammar.numbered_parameters, known) {
            (true, Some(at)) => statement.text.push_str(&format!("${}", at + 1)),
            (true, None) => {
                statement.names.push(name);
                statement
                    .text
                    .push_str(&format!("${}", statement.names.len()));
            }
            (false, _) => {
                statement.names.push(name);
                statement.text.push('?');
            }
        }
    }
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parameter::Parameter;
    use crate::infrastructure::source::grammars::{MYSQL, POSTGRES, SQLITE};

    #[test]
    fn a_parameter_is_bound_and_nothing_else_is_touched() {
        for (grammar, sql, text, names) in [
            (
                POSTGRES,
                "SELECT a::int, b[1:n], ':x', E':x' /* :x */ FROM t WHERE c = :y AND d = (:z)::date OR e = :y -- :x",
                "SELECT a::int, b[1:n], ':x', E':x' /* :x */ FROM t WHERE c = $1 AND d = ($2)::date OR e = $1 -- :x",
                &["y", "z"][..],
            ),
            (
                POSTGRES,
                "SELECT :a::text, $$:x$$, b[(:i):2]",
                "SELECT $1::text, $$:x$$, b[($2):2]",
                &["a", "i"],
            ),
            (
                POSTGRES,
                "SELECT b[:n], array [:a, [:b]], c[ARRAY[:a][1]:n]",
                "SELECT b[:n], array [$1, [$2]], c[ARRAY[$1][1]:n]",
                &["a", "b"],
            ),
            (
                MYSQL,
                "SELECT \":x\", `:x` FROM t WHERE a=:y OR b = :y # :x",
                "SELECT \":x\", `:x` FROM t WHERE a=? OR b = ? # :x",
                &["y", "y"],
            ),
            (
                SQLITE,
                "SELECT [:x], \":x\" FROM t WHERE a=:y",
                "SELECT [:x], \":x\" FROM t WHERE a=?",
                &["y"],
            ),
        ] {
            let found = statement(sql, grammar).expect(sql);
            assert_eq!(found.text, text);
            assert_eq!(found.names, names);
        }
        for grammar in [MYSQL, SQLITE] {
            assert!(statement("SELECT ? FROM t", grammar).is_err());
            assert!(statement("SELECT @x FROM t", grammar).is_err());
        }
    }

    #[test]
    fn a_name_is_filled_in_outside_of_strings() {
        let vars = Vars::from([
            ("prefix".to_owned(), Parameter::Text("oc_".to_owned())),
            ("bad".to_owned(), Parameter::Text("x; DROP".to_owned())),
            ("none".to_owned(), Parameter::Text(String::new())),
        ]);
        for (grammar, sql, filled) in [
            (
                MYSQL,
                "SELECT '{{prefix}}' FROM {{prefix}}product, `{{ prefix }}a`, {{none}}b",
                "SELECT '{{prefix}}' FROM oc_product, `oc_a`, b",
            ),
            (
                POSTGRES,
                "SELECT 1 FROM \"{{prefix}}Product\" -- {{x}}",
                "SELECT 1 FROM \"oc_Product\" -- {{x}}",
            ),
        ] {
            assert_eq!(with_names(sql, grammar, &vars).as_deref(), Ok(filled));
        }
        for (sql, why) in [
            ("SELECT 1 FROM {{prefx}}t", "no value for {{prefx}}"),
            ("SELECT 1 FROM {{prefx}}t", "did you mean `prefix`?"),
            ("SELECT 1 FROM {{bad}}t", "letters, digits and _ only"),
            ("SELECT 1 FROM {{prefix}t", "not closed"),
        ] {
            let refused = with_names(sql, SQLITE, &vars).expect_err(sql).to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
