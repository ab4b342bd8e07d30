//! Whether an expression depends only on its columns.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArguments, Ident, Value, Visit};

use super::parse::lists;
use super::scope::called_function;
use super::walk::{Node, walk};
use crate::application::ports::grammar::Grammar;

/// Why it does not, as text.
pub(super) type Why = &'static str;

/// Functions with results that depend only on their arguments.
pub(super) const PURE_FUNCTIONS: &str = "abs btrim ceil ceiling char_length character_length coalesce concat \
    concat_ws convert floor greatest hex if ifnull iif instr json json_array json_build_array \
    json_build_object json_extract json_object json_quote json_unquote jsonb_build_array \
    jsonb_build_object least left length lower lpad ltrim md5 mod nullif octet_length printf replace \
    reverse right round row_to_json rpad rtrim sign split_part strpos substr substring to_json \
    to_jsonb trim trunc upper";

/// Words that some databases read as the current time or user, without parentheses.
const VARYING_WORDS: &str = "current_catalog current_date current_role current_schema current_time \
    current_timestamp current_user localtime localtimestamp session_user sysdate system_user user \
    utc_date utc_time utc_timestamp";

/// Texts that some databases read as a time that changes; the beginning is enough.
const VARYING_TEXTS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// Whether a text literal may mean something that changes by itself.
pub fn is_varying_text(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let (_, inner) = text.split_once('\'').unwrap_or(("", &text));
    let inner = inner.trim_start();
    VARYING_TEXTS.iter().any(|word| inner.starts_with(word))
}

/// Whether some databases read an identifier as a text literal.
pub(super) fn may_be_text(name: &Ident, grammar: &Grammar) -> bool {
    let quote = name.quote_style;
    quote == Some('\'') || (grammar.names_as_strings && quote == Some('"'))
}

pub(super) fn arguments(function: &Function) -> Option<&[FunctionArg]> {
    match &function.args {
        FunctionArguments::List(list)
            if list.clauses.is_empty() && list.duplicate_treatment.is_none() =>
        {
            Some(&list.args)
        }
        _ => None,
    }
}

/// Checks that an expression depends only on its columns; `allowed`: the functions that it may
/// call.
pub(super) fn check_pure(
    expr: &impl Visit,
    grammar: &'static Grammar,
    allowed: &'static str,
) -> Result<(), Why> {
    let is_pure = |expr: &Expr| match expr {
        Expr::Function(function) => allows(function, grammar, allowed),
        Expr::Identifier(word) => !varies(word),
        Expr::Value(value) => match &value.value {
            // The same for a whole strategy.
            Value::Placeholder(_) => true,
            Value::Number(..) | Value::Boolean(_) | Value::Null => true,
            text => !is_varying_text(&text.to_string()),
        },
        Expr::TypedString(typed) => !is_varying_text(&typed.value.to_string()),
        _ => true,
    };
    let end = walk(expr, |node| match node {
        Node::Query(_) => {
            ControlFlow::Break("it has a subquery, with rows that may change independently")
        }
        Node::Expr(expr) if !is_pure(expr) => ControlFlow::Break(
            "it has a function or a word that may give another value without a change to the row",
        ),
        _ => ControlFlow::Continue(()),
    });
    end.break_value().map_or(Ok(()), Err)
}

fn allows(function: &Function, grammar: &Grammar, allowed: &str) -> bool {
    let name = called_function(function);
    let several =
        |arguments: &[FunctionArg]| arguments.len() > 1 && lists(grammar.pure_of_several, &name);
    let is_plain = function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none();
    let known = arguments(function).is_some_and(|arguments| {
        lists(allowed, &name) || (!allowed.is_empty() && several(arguments))
    });
    is_plain && known
}

/// Whether an unquoted word may mean something that changes by itself.
pub(super) fn varies(word: &Ident) -> bool {
    word.quote_style.is_none() && lists(VARYING_WORDS, &word.value.to_ascii_lowercase())
}
