//! Which commands a server lets its user run.
//!
//! The commands are really sent, in forms that cannot change anything: `SET` with an expiry of zero,
//! `HSET` with a field that has no value. A server refuses a user, and says that it is full or a
//! replica, before it looks at the arguments.

use redis::{Cmd, RedisError, RedisResult, Value as Reply};

use super::reply::{is_transient, shown, words};
use crate::application::ports::RightsProbe;
use crate::domain::failure::FailureKind;
use crate::domain::finding::Finding;
use crate::domain::standing::Kind;

/// What a command is needed for. The first two are a must.
const TEXTS: &str = "every run";
const HASHES: &str = "hashes";
const HASHES_ONLY_MISSING: &str = "hashes with --mode only-missing";
const READING: &str = "dry-run, verify and keys";
const READING_HASHES: &str = "dry-run and verify of hashes";
/// Of the commands for these two, one is enough.
const COMPARING: &str = "comparing values without moving them";
const UNDOING: &str = "undoing what was overtaken while it was written";
const ORPHANS: &str = "--orphans";
const MEMORY: &str = "the memory figures";
/// Under keys of the tool's own.
const RECORD: &str = "the record of the last run";
const LOCK: &str = "the lock that keeps runs apart";
const HISTORY: &str = "the history of runs";
const OWN_KEYS: &str = "the keys that runs have written";
const ANSWERING: &str = "a look whether it answers";

/// `LPUSH` and `RPUSH` have no form that changes nothing. A server that cannot be asked so (before
/// 7.0) does not say.
const MAY_PUSH: &str = "if redis.acl_check_cmd and not redis.acl_check_cmd(ARGV[1], KEYS[1], '') then \
     return redis.error_reply('NOPERM this user may not run ' .. ARGV[1]) end return 1";

/// A question to the server: a command that changes nothing, and what it tells.
pub(super) struct Question<'p> {
    pub command: &'static str,
    need: &'static str,
    /// Whose key it is about, where the answer says whether that may be written.
    key_of: Option<&'p RightsProbe>,
    pub cmd: Cmd,
}

/// What an answer says of the right to a command.
pub(super) enum Right {
    Given,
    /// The user may not run the command, or the server does not know it.
    Denied(String),
    /// The user may run it, and not with this key.
    KeyDenied(String),
    /// The server takes no such command from anybody now.
    State(RedisError),
}

impl Right {
    pub(super) fn of(reply: &RedisResult<Reply>) -> Self {
        let Err(error) = reply else {
            return Self::Given;
        };
        let detail = error.detail().unwrap_or_default();
        match error.code().unwrap_or_default() {
            "NOPERM" if detail.contains("to access") => Self::KeyDenied(words(error)),
            // What is said to EXEC is said of its transaction.
            "EXECABORT" if detail.contains("NOPERM") => Self::Denied(words(error)),
            "NOPERM" => Self::Denied(words(error)),
            "ERR" if detail.starts_with("unknown command") => Self::Denied(words(error)),
            "READONLY" | "OOM" | "MISCONF" => Self::State(error.clone()),
            _ if is_transient(error) => Self::State(error.clone()),
            // It objects to the arguments, or names another node, which comes after the right to ask.
            _ => Self::Given,
        }
    }
}

/// A command, what it is needed for, and how it is sent: `KEY` is the key in question, `NOBODY` one
/// that nobody has, for what would delete or move a value.
type Row = (&'static str, &'static str, &'static str);

/// About the tool's own record.
const OWN: [Row; 13] = [
    ("HSET", RECORD, "HSET KEY field value no-value"),
    ("HGETALL", RECORD, "HGETALL KEY"),
    ("EVAL", LOCK, "EVAL RETURN 1 KEY"),
    ("GET", LOCK, "GET KEY"),
    ("SET", LOCK, "SET KEY EMPTY PX 0"),
    ("DEL", LOCK, "DEL KEY"),
    ("PEXPIRE", LOCK, "PEXPIRE KEY no-number"),
    ("LPUSH", HISTORY, "EVAL MAY_PUSH 1 KEY lpush"),
    ("RPUSH", OWN_KEYS, "EVAL MAY_PUSH 1 KEY rpush"),
    ("HDEL", OWN_KEYS, "HDEL KEY no-field"),
    ("LTRIM", HISTORY, "LTRIM KEY no-number 0"),
    ("PEXPIRE", HISTORY, "PEXPIRE KEY no-number"),
    ("LRANGE", HISTORY, "LRANGE KEY 0 0"),
];

/// What the values of a strategy need.
const TEXT: Row = ("SET", TEXTS, "SET KEY EMPTY PX 0");
const HASH: Row = ("HSET", HASHES, "HSET KEY field value no-value");

const FOR_HASHES: [Row; 5] = [
    ("DEL", HASHES, "DEL NOBODY"),
    ("PEXPIRE", HASHES, "PEXPIRE KEY no-number"),
    ("EVAL", HASHES_ONLY_MISSING, "EVAL RETURN 1 NOBODY"),
    ("HLEN", READING_HASHES, "HLEN KEY"),
    ("HGETALL", READING_HASHES, "HGETALL NOBODY"),
];

/// Of those that undo, each compares and deletes in one step.
const EVERY_RUN: [Row; 11] = [
    ("PTTL", READING, "PTTL NOBODY"),
    ("TYPE", READING, "TYPE NOBODY"),
    ("STRLEN", READING, "STRLEN NOBODY"),
    ("GET", READING, "GET NOBODY"),
    ("EVAL_RO", COMPARING, "EVAL_RO RETURN 1 NOBODY"),
    ("EVAL", COMPARING, "EVAL RETURN 1 NOBODY"),
    ("DELEX", UNDOING, "DELEX NOBODY IFEQ EMPTY"),
    ("DELIFEQ", UNDOING, "DELIFEQ NOBODY EMPTY"),
    ("EVAL", UNDOING, "EVAL RETURN 1 NOBODY"),
    ("SCAN", ORPHANS, "SCAN 0 COUNT 1"),
    ("INFO", MEMORY, "INFO"),
];

/// Last: where EXEC is denied, nothing can follow on this connection.
const TRANSACTIONS: [Row; 2] = [("MULTI", HASHES, "MULTI"), ("EXEC", HASHES, "EXEC")];

/// All that is asked.
pub(super) fn questions(probes: &[RightsProbe]) -> Vec<Question<'_>> {
    let nobody = format!("shopwarm-doctor:{:032x}", fastrand::u128(..)).into_bytes();
    let mut all = Vec::new();
    let mut ask = |rows: &[Row], key: &[u8], key_of| {
        all.extend(rows.iter().map(|&(command, need, text)| Question {
            command,
            need,
            key_of,
            cmd: cmd(text, key, &nobody),
        }));
    };
    ask(&[("PING", ANSWERING, "PING")], b"", None);
    for probe in probes {
        let rows = match (&probe.strategy, &probe.kind) {
            (None, _) => &OWN[..],
            (_, Kind::Hash) => &[HASH],
            _ => &[TEXT],
        };
        ask(rows, &probe.key, Some(probe));
    }
    let is_hash = |probe: &&RightsProbe| probe.strategy.is_some() && probe.kind == Kind::Hash;
    let hash = probes.iter().find(is_hash);
    if let Some(hash) = hash {
        ask(&FOR_HASHES, &hash.key, None);
    }
    ask(&EVERY_RUN, b"", None);
    if hash.is_some() {
        ask(&TRANSACTIONS, b"", None);
    }
    all
}

fn cmd(text: &str, key: &[u8], nobody: &[u8]) -> Cmd {
    let mut cmd = Cmd::new();
    for word in text.split(' ') {
        cmd.arg(match word {
            "KEY" => key,
            "NOBODY" => nobody,
            "EMPTY" => b"",
            "RETURN" => b"return 1",
            "MAY_PUSH" => MAY_PUSH.as_bytes(),
            word => word.as_bytes(),
        });
    }
    cmd
}

/// Where one command is enough for something, the others are not missed.
pub(super) fn rights(questions: &[Question<'_>], replies: &[RedisResult<Reply>]) -> Vec<Right> {
    let mut rights: Vec<Right> = replies.iter().map(Right::of).collect();
    one_of_several(questions, &mut rights, COMPARING);
    one_of_several(questions, &mut rights, UNDOING);
    rights
}

/// What the user may not do: commands that a run must have, keys of strategies, and the rest.
pub(super) fn denied(questions: &[Question<'_>], rights: &[Right]) -> Vec<Finding> {
    const CHECK: &str = "cache rights";
    let asked = || questions.iter().zip(rights);
    let lacks_must = |(question, right): &(&Question<'_>, &Right)| {
        matches!(right, Right::Denied(_)) && is_must(question.need)
    };
    let is_spared = |(question, right): &(&Question<'_>, &Right)| match right {
        Right::KeyDenied(_) => [RECORD, LOCK, HISTORY, OWN_KEYS].contains(&question.need),
        Right::Denied(_) => !is_must(question.need),
        _ => false,
    };
    let mut findings = Vec::new();
    let why = asked().find(lacks_must).and_then(|(_, right)| match right {
        Right::Denied(why) => Some(why),
        _ => None,
    });
    if let (Some((what, allow)), Some(why)) = (lacking(asked().filter(lacks_must)), why) {
        let text = format!("denied: {what} ({why})");
        let finding = Finding::failed(CHECK, FailureKind::CacheDenied, text);
        findings.push(finding.hint(format!("ACL SETUSER USER {allow}")));
    }
    findings.extend(asked().filter_map(|(question, right)| match right {
        Right::KeyDenied(why) => key_denied(question.key_of?, why),
        _ => None,
    }));
    if let Some((what, allow)) = lacking(asked().filter(is_spared)) {
        let text = format!("denied, and a run does without: {what}");
        let hint = format!("where you want them: ACL SETUSER USER {allow}");
        findings.push(Finding::warning(CHECK, text).hint(hint));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "every command that is ever needed"));
    }
    findings
}

fn is_must(need: &str) -> bool {
    [TEXTS, HASHES].contains(&need)
}

/// Where one command is enough for something, the others are not missed.
fn one_of_several(questions: &[Question<'_>], rights: &mut [Right], need: &str) {
    let of_need = || questions.iter().enumerate().filter(|(_, q)| q.need == need);
    if of_need().any(|(i, _)| !matches!(rights[i], Right::Denied(_))) {
        of_need().for_each(|(i, _)| rights[i] = Right::Given);
    }
}

/// Commands that are denied, by what they are needed for, and the ACL rules that allow them.
fn lacking<'a, 'p: 'a>(
    denied: impl Iterator<Item = (&'a Question<'p>, &'a Right)>,
) -> Option<(String, String)> {
    let mut needs: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut allow: Vec<String> = Vec::new();
    for (question, right) in denied {
        let rule = match (right, question.key_of) {
            (Right::KeyDenied(_), Some(probe)) => format!("~{}", probe.pattern),
            _ => format!("+{}", question.command.to_lowercase()),
        };
        if !allow.contains(&rule) {
            allow.push(rule);
        }
        match needs.iter_mut().find(|(need, _)| *need == question.need) {
            Some((_, commands)) if commands.contains(&question.command) => {}
            Some((_, commands)) => commands.push(question.command),
            None => needs.push((question.need, vec![question.command])),
        }
    }
    let shown = needs
        .iter()
        .map(|(need, commands)| format!("{} for {}", commands.join(", "), need));
    let text = shown.collect::<Vec<_>>().join("; ");
    (!allow.is_empty()).then(|| (text, allow.join(" ")))
}

/// A strategy whose keys this user may not write.
fn key_denied(probe: &RightsProbe, why: &str) -> Option<Finding> {
    let strategy = probe.strategy.as_ref()?;
    let text = format!("the keys of {strategy} may not be written: {why}");
    let pattern = shown(&probe.pattern);
    let hint = format!("ACL SETUSER USER ~{pattern}, or leave it out with --exclude {strategy}");
    Some(Finding::failed("cache rights", FailureKind::CacheDenied, text).hint(hint))
}
