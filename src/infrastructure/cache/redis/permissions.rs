//! Checks which commands the user may run.
//!
//! The commands are really sent, in forms that cannot change anything: `SET` with an expiry of
//! zero, `HSET` with a field without a value. A server refuses a user, or reports that it is full
//! or a replica, before it checks the arguments.

use redis::{Cmd, Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::reply::{is_transient, shown, words};
use crate::application::ports::PermissionProbe;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::standing::Kind;

/// The command that not every server has.
const JSON_SET: &str = "JSON.SET";

/// The purpose of a command. The first five are required.
const TEXTS: &str = "every run";
const HASHES: &str = "hashes";
const SETS: &str = "sets";
const SORTED_SETS: &str = "sorted sets";
const DOCUMENTS: &str = "JSON documents";
const HASHES_ONLY_MISSING: &str = "hashes with --mode only-missing";
const READING: &str = "dry-run, verify and keys";
const READING_HASHES: &str = "dry-run and verify of hashes";
const READING_SETS: &str = "dry-run and verify of sets";
const READING_SORTED_SETS: &str = "dry-run and verify of sorted sets";
const READING_DOCUMENTS: &str = "dry-run and verify of JSON documents";
/// Purposes for which one of several commands is enough.
const COMPARING: &str = "comparing values without moving them";
const UNDOING: &str = "removing values that changed while they were written";
const ORPHANS: &str = "--orphans";
const MEMORY: &str = "the memory figures";
/// Purposes under the tool's own keys.
const RECORD: &str = "the record of the last run";
const LOCK: &str = "the lock that keeps runs apart";
const HISTORY: &str = "the history of runs";
const OWN_KEYS: &str = "the lists of written keys";
const ANSWERING: &str = "a health check";

/// `LPUSH`, `RPUSH` and `SADD` have no harmless form. Before 7.0 a server cannot be asked.
const MAY_RUN: &str = "if redis.acl_check_cmd and not redis.acl_check_cmd(ARGV[1], KEYS[1], '') then \
     return redis.error_reply('NOPERM this user may not run ' .. ARGV[1]) end return 1";

/// A harmless command, and what its answer means.
pub(super) struct Question<'p> {
    pub command: &'static str,
    need: &'static str,
    /// The strategy of the key, if the answer says whether it may be written.
    key_of: Option<&'p PermissionProbe>,
    pub cmd: Cmd,
}

/// The permission that an answer shows.
pub(super) enum Permission {
    Given,
    /// The user may not run the command, or the server does not know it.
    Denied(String),
    /// Allowed, but not for this key.
    KeyDenied(String),
    /// The server refuses it to everybody.
    State(RedisError),
}

impl Permission {
    pub(super) fn of(reply: &RedisResult<Reply>) -> Self {
        let Err(error) = reply else {
            return Self::Given;
        };
        let detail = error.detail().unwrap_or_default();
        match error.code().unwrap_or_default() {
            "NOPERM" if detail.contains("to access") => Self::KeyDenied(words(error)),
            // An EXEC error is about its transaction.
            "EXECABORT" if detail.contains("NOPERM") => Self::Denied(words(error)),
            "NOPERM" => Self::Denied(words(error)),
            "ERR" if detail.starts_with("unknown command") => Self::Denied(words(error)),
            "READONLY" | "OOM" | "MISCONF" => Self::State(error.clone()),
            _ if is_transient(error) => Self::State(error.clone()),
            // Errors about arguments and redirections come after the permission check.
            _ => Self::Given,
        }
    }
}

/// A command, its purpose, and how it is sent: `KEY` is the probed key, `NOBODY` one that does not
/// exist, for commands that would delete or move a value.
type Row = (&'static str, &'static str, &'static str);

/// For the tool's own data.
const OWN: [Row; 13] = [
    ("HSET", RECORD, "HSET KEY field value no-value"),
    ("HGETALL", RECORD, "HGETALL KEY"),
    ("EVAL", LOCK, "EVAL RETURN 1 KEY"),
    ("GET", LOCK, "GET KEY"),
    ("SET", LOCK, "SET KEY EMPTY PX 0"),
    ("DEL", LOCK, "DEL KEY"),
    ("PEXPIRE", LOCK, "PEXPIRE KEY no-number"),
    ("LPUSH", HISTORY, "EVAL MAY_RUN 1 KEY lpush"),
    ("RPUSH", OWN_KEYS, "EVAL MAY_RUN 1 KEY rpush"),
    ("HDEL", OWN_KEYS, "HDEL KEY no-field"),
    ("LTRIM", HISTORY, "LTRIM KEY no-number 0"),
    ("PEXPIRE", HISTORY, "PEXPIRE KEY no-number"),
    ("LRANGE", HISTORY, "LRANGE KEY 0 0"),
];

/// For the values of a strategy.
const TEXT: [Row; 1] = [("SET", TEXTS, "SET KEY EMPTY PX 0")];
const HASH: [Row; 6] = [
    ("HSET", HASHES, "HSET KEY field value no-value"),
    ("DEL", HASHES, "DEL NOBODY"),
    ("PEXPIRE", HASHES, "PEXPIRE KEY no-number"),
    ("EVAL", HASHES_ONLY_MISSING, "EVAL RETURN 1 NOBODY"),
    ("HLEN", READING_HASHES, "HLEN KEY"),
    ("HGETALL", READING_HASHES, "HGETALL NOBODY"),
];
const SET: [Row; 5] = [
    ("SADD", SETS, "EVAL MAY_RUN 1 KEY sadd"),
    ("DEL", SETS, "DEL NOBODY"),
    ("PEXPIRE", SETS, "PEXPIRE KEY no-number"),
    ("SCARD", READING_SETS, "SCARD NOBODY"),
    ("SMEMBERS", READING_SETS, "SMEMBERS NOBODY"),
];
const SORTED_SET: [Row; 5] = [
    ("ZADD", SORTED_SETS, "ZADD KEY no-number member"),
    ("DEL", SORTED_SETS, "DEL NOBODY"),
    ("PEXPIRE", SORTED_SETS, "PEXPIRE KEY no-number"),
    ("ZCARD", READING_SORTED_SETS, "ZCARD NOBODY"),
    ("ZRANGE", READING_SORTED_SETS, "ZRANGE NOBODY 0 0"),
];
const DOCUMENT: [Row; 4] = [
    (JSON_SET, DOCUMENTS, "JSON.SET KEY $ no-json"),
    ("DEL", DOCUMENTS, "DEL NOBODY"),
    ("PEXPIRE", DOCUMENTS, "PEXPIRE KEY no-number"),
    ("JSON.GET", READING_DOCUMENTS, "JSON.GET NOBODY"),
];

/// The first is asked for each strategy.
fn rows_of(kind: &Kind) -> &'static [Row] {
    match kind {
        Kind::Hash => &HASH,
        Kind::Set => &SET,
        Kind::SortedSet => &SORTED_SET,
        Kind::Json => &DOCUMENT,
        Kind::Text | Kind::Other(_) => &TEXT,
    }
}

/// Each of these compares and deletes atomically.
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

/// Last: if EXEC is denied, the connection cannot be used again.
fn transactions(need: &'static str) -> [Row; 2] {
    [("MULTI", need, "MULTI"), ("EXEC", need, "EXEC")]
}

/// All questions.
pub(super) fn questions(probes: &[PermissionProbe]) -> Vec<Question<'_>> {
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
        let rows = match &probe.strategy {
            None => &OWN[..],
            Some(_) => &rows_of(&probe.kind)[..1],
        };
        ask(rows, &probe.key, Some(probe));
    }
    let mut typed: Vec<&PermissionProbe> = Vec::new();
    for probe in probes.iter().filter(|probe| probe.strategy.is_some()) {
        if !typed.iter().any(|other| other.kind == probe.kind) {
            ask(&rows_of(&probe.kind)[1..], &probe.key, None);
            typed.push(probe);
        }
    }
    ask(&EVERY_RUN, b"", None);
    let has_parts = |probe: &&&PermissionProbe| probe.kind != Kind::Text;
    if let Some(probe) = typed.iter().find(has_parts) {
        ask(&transactions(rows_of(&probe.kind)[0].1), b"", None);
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
            "MAY_RUN" => MAY_RUN.as_bytes(),
            word => word.as_bytes(),
        });
    }
    cmd
}

/// If one command is enough for a purpose, the others are not reported.
pub(super) fn permissions(
    questions: &[Question<'_>],
    replies: &[RedisResult<Reply>],
) -> Vec<Permission> {
    let mut permissions: Vec<Permission> = replies.iter().map(Permission::of).collect();
    one_of_several(questions, &mut permissions, COMPARING);
    one_of_several(questions, &mut permissions, UNDOING);
    permissions
}

/// A finding where the server does not know JSON documents. Then their commands do not count as denied.
pub(super) fn lacks_documents(
    questions: &[Question<'_>],
    permissions: &mut [Permission],
) -> Option<Finding> {
    let mut strategies: Vec<&str> = Vec::new();
    for (question, permission) in questions.iter().zip(permissions) {
        let is_lacking = matches!(permission, Permission::Denied(why) if is_unknown(why));
        if is_lacking && [DOCUMENTS, READING_DOCUMENTS].contains(&question.need) {
            let strategy = question.key_of.and_then(|probe| probe.strategy.as_deref());
            strategies.extend(strategy);
            *permission = Permission::Given;
        }
    }
    let text = format!("{NO_DOCUMENTS}, which {} needs", strategies.join(", "));
    let finding = Finding::failed("cache json", FailureKind::Config, text);
    (!strategies.is_empty()).then(|| finding.hint(NO_DOCUMENTS_HINT))
}

const NO_DOCUMENTS: &str = "the server has no JSON.SET";
const NO_DOCUMENTS_HINT: &str = "Redis 8, Redis Stack or a module for JSON have it; `value = \"object\"` stores JSON as a string";

fn is_unknown(why: &str) -> bool {
    why.contains("unknown command")
}

impl RedisCache {
    /// Why documents cannot be stored; asks in a form that changes nothing.
    pub(super) async fn lacks_documents(&self) -> Result<Option<String>, Failure> {
        const NOBODY: &[u8] = b"shopwarm:nobody";
        let ask = |pipe: &mut Pipeline| {
            pipe.add_command(cmd(DOCUMENT[0].2, NOBODY, NOBODY));
        };
        let reply = self.ask_about(NOBODY, 1, &ask).await?.pop();
        let is_lacking = match reply {
            Some(Err(error)) => is_unknown(&words(&error)),
            _ => false,
        };
        Ok(is_lacking.then(|| format!("{NO_DOCUMENTS}; {NO_DOCUMENTS_HINT}")))
    }
}

/// What the user may not do: required commands, keys of strategies, and the rest.
pub(super) fn denied(questions: &[Question<'_>], permissions: &[Permission]) -> Vec<Finding> {
    const CHECK: &str = "cache permissions";
    let asked = || questions.iter().zip(permissions);
    let lacks_must = |(question, permission): &(&Question<'_>, &Permission)| {
        matches!(permission, Permission::Denied(_)) && is_must(question.need)
    };
    let is_spared = |(question, permission): &(&Question<'_>, &Permission)| match permission {
        Permission::KeyDenied(_) => [RECORD, LOCK, HISTORY, OWN_KEYS].contains(&question.need),
        Permission::Denied(_) => !is_must(question.need),
        _ => false,
    };
    let mut findings = Vec::new();
    let why = asked().find(lacks_must).and_then(|(_, permission)| match permission {
        Permission::Denied(why) => Some(why),
        _ => None,
    });
    if let (Some((what, allow)), Some(why)) = (lacking(asked().filter(lacks_must)), why) {
        let text = format!("denied: {what} ({why})");
        let finding = Finding::failed(CHECK, FailureKind::CacheDenied, text);
        findings.push(finding.hint(format!("ACL SETUSER USER {allow}")));
    }
    let keys = asked().filter_map(|(question, permission)| match permission {
        Permission::KeyDenied(why) => Some((question.key_of?, why.as_str())),
        _ => None,
    });
    findings.extend(keys_denied(keys));
    if let Some((what, allow)) = lacking(asked().filter(is_spared)) {
        let text = format!("denied (optional): {what}");
        let hint = format!("to allow them: ACL SETUSER USER {allow}");
        findings.push(Finding::warning(CHECK, text).hint(hint));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "all commands allowed"));
    }
    findings
}

fn is_must(need: &str) -> bool {
    [TEXTS, HASHES, SETS, SORTED_SETS, DOCUMENTS].contains(&need)
}

/// If one command is enough for a purpose, the others are not reported.
fn one_of_several(questions: &[Question<'_>], permissions: &mut [Permission], need: &str) {
    let of_need = || questions.iter().enumerate().filter(|(_, q)| q.need == need);
    if of_need().any(|(i, _)| !matches!(permissions[i], Permission::Denied(_))) {
        of_need().for_each(|(i, _)| permissions[i] = Permission::Given);
    }
}

/// Denied commands by purpose, and the ACL rules that allow them.
fn lacking<'a, 'p: 'a>(
    denied: impl Iterator<Item = (&'a Question<'p>, &'a Permission)>,
) -> Option<(String, String)> {
    let mut needs: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut allow: Vec<String> = Vec::new();
    for (question, permission) in denied {
        let rule = match (permission, question.key_of) {
            (Permission::KeyDenied(_), Some(probe)) => format!("~{}", probe.pattern),
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
    let shown =
        needs.iter().map(|(need, commands)| format!("{} for {}", commands.join(", "), need));
    let text = shown.collect::<Vec<_>>().join("; ");
    (!allow.is_empty()).then(|| (text, allow.join(" ")))
}

/// Strategies whose keys this user may not write, those with the same reason together.
fn keys_denied<'a>(denied: impl Iterator<Item = (&'a PermissionProbe, &'a str)>) -> Vec<Finding> {
    let mut reasons: Vec<(&str, Vec<&str>, Vec<String>)> = Vec::new();
    for (probe, why) in denied {
        let Some(strategy) = probe.strategy.as_deref() else {
            continue;
        };
        let at = reasons.iter().position(|(known, ..)| *known == why);
        let at = at.unwrap_or_else(|| {
            reasons.push((why, Vec::new(), Vec::new()));
            reasons.len() - 1
        });
        reasons[at].1.push(strategy);
        reasons[at].2.push(format!("~{}", shown(&probe.pattern)));
    }
    let finding = |(why, strategies, patterns): (&str, Vec<&str>, Vec<String>)| {
        let (names, excluded) = (strategies.join(", "), strategies.join(","));
        let text = format!("the user is not allowed to write the keys of {names}: {why}");
        let patterns = patterns.join(" ");
        let hint =
            format!("ACL SETUSER USER {patterns}, or leave them out with --exclude {excluded}");
        Finding::failed("cache permissions", FailureKind::CacheDenied, text).hint(hint)
    };
    reasons.into_iter().map(finding).collect()
}
