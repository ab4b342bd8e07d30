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

/// What a command is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Every run.
    Texts,
    /// A run of a strategy whose values are hashes.
    Hashes,
    HashesOnlyMissing,
    Looking,
    LookingAtHashes,
    /// One of two ways is enough.
    Comparing,
    Undoing,
    Orphans,
    Memory,
    Record,
    Lock,
    History,
    OwnKeys,
    Answering,
}

impl Need {
    fn is_a_must(self) -> bool {
        matches!(self, Self::Texts | Self::Hashes)
    }

    /// What the tool keeps for itself, under keys of its own.
    fn is_our_own(self) -> bool {
        matches!(
            self,
            Self::Record | Self::Lock | Self::History | Self::OwnKeys
        )
    }

    fn name(self) -> &'static str {
        match self {
            Self::Texts => "every run",
            Self::Hashes => "hashes",
            Self::HashesOnlyMissing => "hashes with --mode only-missing",
            Self::Looking => "dry-run, verify and keys",
            Self::LookingAtHashes => "dry-run and verify of hashes",
            Self::Comparing => "comparing values without moving them",
            Self::Undoing => "undoing what was overtaken while it was written",
            Self::Orphans => "--orphans",
            Self::Memory => "the memory figures",
            Self::Record => "the record of the last run",
            Self::Lock => "the lock that keeps runs apart",
            Self::History => "the history of runs",
            Self::OwnKeys => "the keys that runs have written",
            Self::Answering => "a look whether it answers",
        }
    }
}

/// `LPUSH` and `RPUSH` have no form that changes nothing. A server that cannot be asked so (before
/// 7.0) does not say.
const MAY_PUSH: &str = "if redis.acl_check_cmd and not redis.acl_check_cmd(ARGV[1], KEYS[1], '') then \
     return redis.error_reply('NOPERM this user may not run ' .. ARGV[1]) end return 1";

/// A question to the server: a command that changes nothing, and what it tells.
pub(super) struct Question<'p> {
    pub command: &'static str,
    need: Need,
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

/// Where the tool's own key is `KEY` and a key that nobody has is `NOBODY`, for what would delete or
/// move a value.
const OWN: [(&str, Need, &str); 13] = [
    ("HSET", Need::Record, "HSET KEY field value no-value"),
    ("HGETALL", Need::Record, "HGETALL KEY"),
    ("EVAL", Need::Lock, "EVAL RETURN 1 KEY"),
    ("GET", Need::Lock, "GET KEY"),
    ("SET", Need::Lock, "SET KEY EMPTY PX 0"),
    ("DEL", Need::Lock, "DEL KEY"),
    ("PEXPIRE", Need::Lock, "PEXPIRE KEY no-number"),
    ("LPUSH", Need::History, "EVAL MAY_PUSH 1 KEY lpush"),
    ("RPUSH", Need::OwnKeys, "EVAL MAY_PUSH 1 KEY rpush"),
    ("HDEL", Need::OwnKeys, "HDEL KEY no-field"),
    ("LTRIM", Need::History, "LTRIM KEY no-number 0"),
    ("PEXPIRE", Need::History, "PEXPIRE KEY no-number"),
    ("LRANGE", Need::History, "LRANGE KEY 0 0"),
];

/// What the values of a strategy need.
const TEXT: (&str, Need, &str) = ("SET", Need::Texts, "SET KEY EMPTY PX 0");
const HASH: (&str, Need, &str) = ("HSET", Need::Hashes, "HSET KEY field value no-value");

const HASHES: [(&str, Need, &str); 5] = [
    ("DEL", Need::Hashes, "DEL NOBODY"),
    ("PEXPIRE", Need::Hashes, "PEXPIRE KEY no-number"),
    ("EVAL", Need::HashesOnlyMissing, "EVAL RETURN 1 NOBODY"),
    ("HLEN", Need::LookingAtHashes, "HLEN KEY"),
    ("HGETALL", Need::LookingAtHashes, "HGETALL NOBODY"),
];

/// Of those that undo, each compares and deletes in one step.
const EVERY_RUN: [(&str, Need, &str); 11] = [
    ("PTTL", Need::Looking, "PTTL NOBODY"),
    ("TYPE", Need::Looking, "TYPE NOBODY"),
    ("STRLEN", Need::Looking, "STRLEN NOBODY"),
    ("GET", Need::Looking, "GET NOBODY"),
    ("EVAL_RO", Need::Comparing, "EVAL_RO RETURN 1 NOBODY"),
    ("EVAL", Need::Comparing, "EVAL RETURN 1 NOBODY"),
    ("DELEX", Need::Undoing, "DELEX NOBODY IFEQ EMPTY"),
    ("DELIFEQ", Need::Undoing, "DELIFEQ NOBODY EMPTY"),
    ("EVAL", Need::Undoing, "EVAL RETURN 1 NOBODY"),
    ("SCAN", Need::Orphans, "SCAN 0 COUNT 1"),
    ("INFO", Need::Memory, "INFO"),
];

/// Last: where EXEC is denied, nothing can follow on this connection.
const TRANSACTIONS: [(&str, Need, &str); 2] = [
    ("MULTI", Need::Hashes, "MULTI"),
    ("EXEC", Need::Hashes, "EXEC"),
];

/// All that is asked.
pub(super) fn questions(probes: &[RightsProbe]) -> Vec<Question<'_>> {
    let nobody = format!("shopwarm-doctor:{:032x}", fastrand::u128(..)).into_bytes();
    let mut all = Vec::new();
    let mut ask = |rows: &[(&'static str, Need, &str)], key: &[u8], key_of| {
        all.extend(rows.iter().map(|(command, need, text)| Question {
            command,
            need: *need,
            key_of,
            cmd: cmd(text, key, &nobody),
        }));
    };
    ask(&[("PING", Need::Answering, "PING")], b"", None);
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
        ask(&HASHES, &hash.key, None);
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
    one_of_several(questions, &mut rights, Need::Comparing);
    one_of_several(questions, &mut rights, Need::Undoing);
    rights
}

/// What the user may not do: commands that a run must have, keys of strategies, and the rest.
pub(super) fn denied(questions: &[Question<'_>], rights: &[Right]) -> Vec<Finding> {
    const CHECK: &str = "cache rights";
    let asked = || questions.iter().zip(rights);
    let is_must = |(question, right): &(&Question<'_>, &Right)| {
        matches!(right, Right::Denied(_)) && question.need.is_a_must()
    };
    let is_spared = |(question, right): &(&Question<'_>, &Right)| match right {
        Right::KeyDenied(_) => question.need.is_our_own(),
        Right::Denied(_) => !question.need.is_a_must(),
        _ => false,
    };
    let mut findings = Vec::new();
    let why = asked().find(is_must).and_then(|(_, right)| match right {
        Right::Denied(why) => Some(why),
        _ => None,
    });
    if let (Some((what, allow)), Some(why)) = (lacking(asked().filter(is_must)), why) {
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

/// Where one command is enough for something, the others are not missed.
fn one_of_several(questions: &[Question<'_>], rights: &mut [Right], need: Need) {
    let of_need = || questions.iter().enumerate().filter(|(_, q)| q.need == need);
    if of_need().any(|(i, _)| !matches!(rights[i], Right::Denied(_))) {
        of_need().for_each(|(i, _)| rights[i] = Right::Given);
    }
}

/// Commands that are denied, by what they are needed for, and the ACL rules that allow them.
fn lacking<'a, 'p: 'a>(
    denied: impl Iterator<Item = (&'a Question<'p>, &'a Right)>,
) -> Option<(String, String)> {
    let mut needs: Vec<(Need, Vec<&str>)> = Vec::new();
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
        .map(|(need, commands)| format!("{} for {}", commands.join(", "), need.name()));
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
