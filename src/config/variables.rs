//! `${VARIABLE}` in `shopwarm.toml`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where in the file a text cannot be filled in, and why.
pub(super) type Unset = (Range<usize>, String);

/// Replaces each `${NAME}` in the texts of a table by the environment variable, `${NAME:-default}` by
/// the default where it is not set or empty, and `$$` by a dollar.
pub(super) fn fill(table: &mut DeTable<'_>) -> Result<(), Unset> {
    let mut values = table.iter_mut();
    values.try_for_each(|(_, value)| fill_value(value))
}

pub(super) fn fill_value(value: &mut Spanned<DeValue<'_>>) -> Result<(), Unset> {
    let place = value.span();
    match value.get_mut() {
        DeValue::String(text) if text.contains('$') => {
            let filled = filled(text, |name| std::env::var(name).ok());
            *text = filled.map_err(|why| (place, why))?.into();
            Ok(())
        }
        DeValue::Array(items) => items.iter_mut().try_for_each(fill_value),
        DeValue::Table(table) => fill(table),
        _ => Ok(()),
    }
}

/// What a text says itself, without its variables.
pub(super) fn without(text: &str) -> String {
    filled(text, |_| Some(String::new())).unwrap_or_default()
}

fn filled(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        filled.push_str(before);
        rest = behind;
        if let Some(behind) = rest.strip_prefix('$') {
            filled.push('$');
            rest = behind;
            continue;
        }
        let Some(inside) = rest.strip_prefix('{') else {
            filled.push('$');
            continue;
        };
        let (inside, behind) =
            inside.split_once('}').ok_or("`${` is not closed with `}`; write $$ for a dollar")?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!(
                "`${{{inside}}}` names no variable; write ${{NAME}}, ${{NAME:-default}}, or $$ for a dollar"
            ));
        }
        match (variable(name), default) {
            (Some(value), None) => filled.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => filled.push_str(&value),
            (_, Some(default)) => filled.push_str(default),
            (None, None) => return Err(format!("the environment variable {name} is not set")),
        }
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_filled_in() {
        let variable = |name: &str| match name {
            "A" => Some("a}$B".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, says) in [
            ("x${A}y", "xa}$By"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}${NONE:-}${NONE:-$x}", "d$x"),
            ("$$ $${A} $A $(pwd) $", "$ ${A} $A $(pwd) $"),
        ] {
            assert_eq!(filled(text, variable).as_deref(), Ok(says), "{text}");
        }
        for (text, why) in [
            ("${NONE}", "variable NONE is not set"),
            ("${A", "not closed"),
            ("${}", "names no variable"),
            ("${A-b}", "names no variable"),
        ] {
            let error = filled(text, variable).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(without("postgres://u:${PW}@h/db"), "postgres://u:@h/db");
    }
}
