//! What an operator leaves open in a definition's SQL: `:name` is bound as a parameter, `{{name}}` is
//! filled in as a part of a name.

use super::lexer::{Kind, pieces};
use super::refusal::SqlRefused;
use crate::application::ports::grammar::Grammar;
use crate::domain::nearest::nearest;
use crate::domain::parameter::{Filled, Statement, Vars};

/// The SQL with every `{{name}}` filled in. Strings and comments are left alone.
///
/// # Errors
/// The SQL cannot be taken apart, or a variable does not exist or is no part of a name.
pub fn with_names(sql: &str, grammar: &'static Grammar, vars: &Vars) -> Result<Filled, SqlRefused> {
    let mut whole = Filled::default();
    let mut code = 0..0;
    for (kind, place) in pieces(sql, grammar)? {
        if let Kind::Code = kind {
            code.end = place.end;
            continue;
        }
        fill(&sql[code], vars, &mut whole)?;
        whole.keep(&sql[place.clone()]);
        code = place.end..place.end;
    }
    fill(&sql[code], vars, &mut whole)?;
    Ok(whole)
}

/// A name with every `{{name}}` in it filled in.
///
/// # Errors
/// As of [`with_names`].
pub fn named(text: &str, vars: &Vars) -> Result<String, SqlRefused> {
    let mut filled = Filled::default();
    fill(text, vars, &mut filled)?;
    Ok(filled.text)
}

fn fill(text: &str, vars: &Vars, filled: &mut Filled) -> Result<(), SqlRefused> {
    let refuse = |why: String| Err(SqlRefused::Variable(why));
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.keep(before);
        let Some((name, behind)) = behind.split_once("}}") else {
            return refuse("`{{` is not closed with `}}`".to_owned());
        };
        let written = &rest[before.len()..rest.len() - behind.len()];
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
        filled.replace(written, &value);
        rest = behind;
    }
    filled.keep(rest);
    Ok(())
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
    let mut filled = Filled::default();
    let mut names: Vec<String> = Vec::new();
    for (kind, place) in pieces(sql, grammar)? {
        let piece = &sql[place];
        let Kind::Parameter = kind else {
            filled.keep(piece);
            continue;
        };
        let name = piece.trim_start_matches(':');
        let known = names.iter().position(|known| known == name);
        let known = known.filter(|_| grammar.numbered_parameters);
        if known.is_none() {
            names.push(name.to_owned());
        }
        let placeholder = match grammar.numbered_parameters {
            true => format!("${}", known.map_or(names.len(), |at| at + 1)),
            false => "?".to_owned(),
        };
        filled.replace(piece, &placeholder);
    }
    Ok(Statement { sql: filled, names, ..Statement::plain(sql) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parameter::Parameter;
    use crate::domain::place::Place;
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
            assert_eq!(found.sql.text, text);
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
            let named = with_names(sql, grammar, &vars).expect(sql);
            assert_eq!(named.text, filled);
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
    #[test]
    fn a_place_is_told_in_the_text_as_it_is_written() {
        let written = "SELECT ':x', :a,\n :abc, no /* é {{x}} */ FROM {{prefix}}t WHERE no = :a AND 'x' = {{none}}y";
        let vars = Vars::from([
            ("prefix".to_owned(), Parameter::Text("oc_".to_owned())),
            ("none".to_owned(), Parameter::Text(String::new())),
        ]);
        let named = with_names(written, POSTGRES, &vars).expect("names");
        let statement = Statement {
            written: written.to_owned(),
            ..statement(&named.text, POSTGRES).expect("a statement")
        };
        let statement = Statement { named, ..statement };
        let text = &statement.sql.text;
        assert_eq!(
            text,
            "SELECT ':x', $1,\n $2, no /* é {{x}} */ FROM oc_t WHERE no = $1 AND 'x' = y"
        );
        for (in_text, in_written) in [
            ("$1,", ":a,"),
            ("$2", ":abc"),
            ("no /", "no /"),
            ("{{x", "{{x"),
            ("oc_t", "{{prefix}}t"),
            ("_t WHERE", "{{prefix}}t"),
            ("t WHERE", "t WHERE"),
            ("no =", "no ="),
            ("$1 AND", ":a AND"),
            ("'x'", "'x'"),
            ("y", "y"),
        ] {
            let byte = |text: &str, wanted: &str| text.rfind(wanted).expect("a place");
            let expected = Place::of(written, byte(written, in_written));
            assert_eq!(statement.place(byte(text, in_text)), expected, "{in_text}");
        }
    }
}
