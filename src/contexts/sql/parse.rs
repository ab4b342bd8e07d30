//! Parses SQL as the database does, after the lexer has removed everything that could hide a table.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::lexer::harmless_text;
use super::refusal::{SqlRefused, place};
use super::spelling;
use crate::application::ports::grammar::Grammar;
use crate::domain::failure::{Failure, FailureKind};

/// Max joins to parse: each join that waits for its ON uses much of the stack.
const MAX_JOINS: usize = 100;

/// Enough for any SQL of `MAX_SQL_BYTES`: the parser limits the nesting of parentheses, but not
/// chains of joins or operators, which would overflow a worker thread's stack.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Checks that SQL can be parsed at all.
///
/// # Errors
/// The system has no thread, or no memory for one; no definition is at fault.
pub fn ready() -> Result<(), Failure> {
    on_deep_thread(|| ()).map_err(|refused| {
        let what = "the definitions cannot be checked";
        Failure::new(FailureKind::Internal, what, refused.to_string()).hint(
            "raise the limit on processes and memory: ulimit -u, ulimit -v, or the container's",
        )
    })
}

thread_local! {
    /// Whether this thread's stack is deep.
    static IS_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on a new thread with a deep stack, which costs only what is used.
///
/// # Errors
/// There is no thread.
pub fn on_deep_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, SqlRefused> {
    let work = || {
        IS_DEEP.set(true);
        work()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| SqlRefused::NoThread(error.to_string()))?;
        Ok(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Runs `work` here if this thread's stack is deep, else on a new thread.
pub(super) fn on_deep_stack<T: Send>(
    work: impl FnOnce() -> Result<T, SqlRefused> + Send,
) -> Result<T, SqlRefused> {
    let work = || catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(SqlRefused::TooDeep));
    if IS_DEEP.get() { work() } else { on_deep_thread(work)? }
}

/// Parses a query, after the lexer has removed everything that could hide a table.
///
/// # Errors
/// It cannot be parsed, or `read` refuses it.
pub(super) fn with_query<T: Send>(
    sql: &str,
    grammar: &'static Grammar,
    read: impl FnOnce(&Query) -> Result<T, SqlRefused> + Send,
) -> Result<T, SqlRefused> {
    let text = harmless_text(sql, grammar)?;
    on_deep_stack(|| {
        let query = parse(&text, grammar, |parser| parser.parse_query())?;
        read(&query)
    })
}

/// Parses the output of [`harmless_text`], for checks: what is parsed is not always what is written.
pub(super) fn parse<T>(
    text: &str,
    grammar: &'static Grammar,
    rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, SqlRefused> {
    parse_tokens(spelling::known(tokens(text, grammar)?, grammar), grammar, rule)
}

/// Parses SQL as it is written.
pub(super) fn parse_exactly<T>(
    text: &str,
    grammar: &'static Grammar,
    rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, SqlRefused> {
    parse_tokens(tokens(text, grammar)?, grammar, rule)
}

fn tokens(text: &str, grammar: &Grammar) -> Result<Vec<TokenWithSpan>, SqlRefused> {
    let tokens = Tokenizer::new(grammar.parser, text).tokenize_with_location();
    Ok(tokens.map_err(ParserError::from)?)
}

fn parse_tokens<T>(
    tokens: Vec<TokenWithSpan>,
    grammar: &'static Grammar,
    rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, SqlRefused> {
    let end = tokens.last().map(|token| place(token.span.end));
    let joins = tokens.iter().filter(|token| is_join(&token.token)).count();
    if joins > MAX_JOINS {
        return Err(SqlRefused::TooDeep);
    }
    let mut parser = Parser::new(grammar.parser).with_tokens_with_locations(tokens);
    let parsed = rule(&mut parser).and_then(|parsed| {
        parser.expect_token(&Token::EOF)?;
        Ok(parsed)
    });
    parsed.map_err(|error| {
        // Where the parser stopped, if it does not say where.
        let next = Some(place(parser.peek_token_ref().span.start));
        let next = next.filter(|next| next.line > 0);
        SqlRefused::from(error).or_at(next.or(end))
    })
}

fn is_join(token: &Token) -> bool {
    let Token::Word(word) = token else {
        return false;
    };
    matches!(word.keyword, Keyword::JOIN | Keyword::STRAIGHT_JOIN | Keyword::APPLY)
}

/// The name, as the database stores it.
pub(super) fn stored_name(ident: &Ident, grammar: &'static Grammar) -> String {
    match ident.quote_style {
        None if grammar.is_case_sensitive => ident.value.to_ascii_lowercase(),
        _ => ident.value.clone(),
    }
}

pub(super) fn identifiers(name: &ObjectName) -> Option<Vec<&Ident>> {
    let parts = name.0.iter().map(ObjectNamePart::as_ident).collect::<Option<Vec<_>>>()?;
    (!parts.is_empty()).then_some(parts)
}

pub(super) fn lists(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|word| word == name)
}
