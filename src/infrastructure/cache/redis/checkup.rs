//! What is to be known of a Redis before a run: its own figures, and which commands it lets us run.
//!
//! The commands are really sent, in forms that cannot change anything: `SET` with an expiry of zero,
//! `HSET` with a field that has no value. A server refuses a user, and says that it is full or a
//! replica, before it looks at the arguments. Everything goes in one pipeline over the connection
//! that is open already, once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{Cmd, RedisError, RedisResult, Value as Reply};

use super::cluster::{Cluster, SLOTS};
use super::node::Node;
use super::sentinel::Sentinels;
use super::servers::Servers;
use super::{RedisCache, is_transient, pipe, words};
use crate::application::ports::{Known, RightsProbe};
use crate::domain::failure::FailureKind;
use crate::domain::finding::Finding;
use crate::domain::key::{printable, shortened};
use crate::domain::standing::Kind;

/// Above this share of its limit a server that does not evict is nearly full.
const NEARLY_FULL: f64 = 0.9;

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
struct Question<'p> {
    command: &'static str,
    need: Need,
    /// Whose key it is about, where the answer says whether that may be written.
    key_of: Option<&'p RightsProbe>,
    cmd: Cmd,
}

/// What an answer says of the right to a command.
enum Right {
    Given,
    /// The user may not run the command, or the server does not know it.
    Denied(String),
    /// The user may run it, and not with this key.
    KeyDenied(String),
    /// The server takes no such command from anybody now.
    State(RedisError),
}

impl Right {
    fn of(reply: &RedisResult<Reply>) -> Self {
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

/// A command about a key.
fn cmd(words: &[&str], key: &[u8], rest: &[&str]) -> Cmd {
    let mut cmd = keyless(words);
    cmd.arg(key).arg(rest);
    cmd
}

fn keyless(words: &[&str]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(words);
    cmd
}

/// All that is asked. `nobody` is a key that nobody has, for what would delete or move a value.
fn questions<'p>(probes: &'p [RightsProbe], nobody: &[u8]) -> Vec<Question<'p>> {
    let mut all = Vec::new();
    let mut ask = |command, need, key_of, cmd| {
        all.push(Question {
            command,
            need,
            key_of,
            cmd,
        });
    };
    ask("PING", Need::Answering, None, keyless(&["PING"]));
    for probe in probes {
        let (key, of) = (&probe.key[..], Some(probe));
        let odd = || cmd(&["HSET"], key, &["field", "value", "no-value"]);
        match (&probe.strategy, &probe.kind) {
            (None, _) => {
                ask("HSET", Need::Record, of, odd());
                ask("HGETALL", Need::Record, of, cmd(&["HGETALL"], key, &[]));
                let script = cmd(&["EVAL", "return 1", "1"], key, &[]);
                ask("EVAL", Need::Lock, of, script);
                ask("GET", Need::Lock, of, cmd(&["GET"], key, &[]));
                ask("SET", Need::Lock, of, cmd(&["SET"], key, &["", "PX", "0"]));
                ask("DEL", Need::Lock, of, cmd(&["DEL"], key, &[]));
                let no_number = |command| cmd(&[command], key, &["no-number"]);
                ask("PEXPIRE", Need::Lock, of, no_number("PEXPIRE"));
                let push = |command| cmd(&["EVAL", MAY_PUSH, "1"], key, &[command]);
                ask("LPUSH", Need::History, of, push("lpush"));
                ask("RPUSH", Need::OwnKeys, of, push("rpush"));
                let forget = cmd(&["HDEL"], key, &["no-field"]);
                ask("HDEL", Need::OwnKeys, of, forget);
                let trim = cmd(&["LTRIM"], key, &["no-number", "0"]);
                ask("LTRIM", Need::History, of, trim);
                ask("PEXPIRE", Need::History, of, no_number("PEXPIRE"));
                let range = cmd(&["LRANGE"], key, &["0", "0"]);
                ask("LRANGE", Need::History, of, range);
            }
            (_, Kind::Hash) => ask("HSET", Need::Hashes, of, odd()),
            _ => ask("SET", Need::Texts, of, cmd(&["SET"], key, &["", "PX", "0"])),
        }
    }
    let strategies = || probes.iter().filter(|probe| probe.strategy.is_some());
    if let Some(hash) = strategies().find(|probe| probe.kind == Kind::Hash) {
        let key = &hash.key[..];
        let looking = Need::LookingAtHashes;
        let script = &["EVAL", "return 1", "1"];
        ask("DEL", Need::Hashes, None, cmd(&["DEL"], nobody, &[]));
        let no_number = cmd(&["PEXPIRE"], key, &["no-number"]);
        ask("PEXPIRE", Need::Hashes, None, no_number);
        let eval = cmd(script, nobody, &[]);
        ask("EVAL", Need::HashesOnlyMissing, None, eval);
        ask("HLEN", looking, None, cmd(&["HLEN"], key, &[]));
        ask("HGETALL", looking, None, cmd(&["HGETALL"], nobody, &[]));
    }
    for command in ["PTTL", "TYPE", "STRLEN", "GET"] {
        ask(command, Need::Looking, None, cmd(&[command], nobody, &[]));
    }
    for command in ["EVAL_RO", "EVAL"] {
        let script = cmd(&[command, "return 1", "1"], nobody, &[]);
        ask(command, Need::Comparing, None, script);
    }
    // Each of them compares and deletes in one step.
    let undo = |words: &[&str], rest: &[&str]| cmd(words, nobody, rest);
    ask(
        "DELEX",
        Need::Undoing,
        None,
        undo(&["DELEX"], &["IFEQ", ""]),
    );
    ask("DELIFEQ", Need::Undoing, None, undo(&["DELIFEQ"], &[""]));
    let script = undo(&["EVAL", "return 1", "1"], &[]);
    ask("EVAL", Need::Undoing, None, script);
    let scan = keyless(&["SCAN", "0", "COUNT", "1"]);
    ask("SCAN", Need::Orphans, None, scan);
    ask("INFO", Need::Memory, None, keyless(&["INFO"]));
    if strategies().any(|probe| probe.kind == Kind::Hash) {
        // Last: where EXEC is denied, nothing can follow on this connection.
        ask("MULTI", Need::Hashes, None, keyless(&["MULTI"]));
        ask("EXEC", Need::Hashes, None, keyless(&["EXEC"]));
    }
    all
}

/// The server's own figures, or why they are not known.
struct Info(Known<Vec<(String, String)>>);

impl Info {
    fn of(reply: Option<RedisResult<Reply>>) -> Self {
        Self(match reply {
            Some(Ok(reply)) => redis::from_redis_value::<String>(reply)
                .map(|text| {
                    let lines = text.lines().filter_map(|line| line.split_once(':'));
                    lines
                        .map(|(name, value)| (name.to_owned(), shown(value.trim())))
                        .collect()
                })
                .map_err(|_| "INFO answers in another form".to_owned()),
            Some(Err(error)) => Err(words(&error)),
            None => Err("no answer".to_owned()),
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let fields = self.0.as_ref().ok()?;
        let (_, value) = fields.iter().find(|(field, _)| field == name)?;
        Some(value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Why a figure that INFO should have is not there.
    fn unknown(&self) -> String {
        match &self.0 {
            Ok(_) => "not known: INFO does not say".to_owned(),
            Err(why) => format!("not known: {why}"),
        }
    }
}

impl RedisCache {
    pub(super) async fn check(&self, probes: &[RightsProbe]) -> Vec<Finding> {
        let nobody = format!("shopwarm-doctor:{:032x}", fastrand::u128(..)).into_bytes();
        let questions = questions(probes, &nobody);
        let mut pipe = pipe();
        for question in &questions {
            pipe.add_command(question.cmd.clone());
        }
        let nodes = self.servers.primaries();
        let each = nodes.iter().map(|node| async {
            let asked = Instant::now();
            match node.once(&pipe).await {
                Ok(replies) => node.findings(&questions, replies, asked.elapsed()),
                Err(failure) => vec![Finding::of("cache", &failure)],
            }
        });
        let mut each = join_all(each).await;
        let mut findings = self.servers.check().await;
        if each.len() == 1 {
            findings.append(&mut each[0]);
            return findings;
        }
        findings.extend(of_several(&nodes, each));
        findings
    }
}

/// What was found at several nodes: what all have in common once, else with the node's place.
fn of_several(nodes: &[Arc<Node>], each: Vec<Vec<Finding>>) -> Vec<Finding> {
    let everywhere = |finding: &Finding| {
        let has = |of: &Vec<Finding>| of.contains(finding);
        each.iter().all(has)
    };
    let mut findings: Vec<Finding> = Vec::new();
    for (node, of) in nodes.iter().zip(&each) {
        for finding in of {
            if everywhere(finding) {
                if !findings.contains(finding) {
                    findings.push(finding.clone());
                }
                continue;
            }
            let place = node.place();
            let is_named = finding.text.contains(&place);
            let text = match is_named {
                true => finding.text.clone(),
                false => format!("{place}: {}", finding.text),
            };
            findings.push(Finding {
                text,
                ..finding.clone()
            });
        }
    }
    // Of each check together, as they come for one server.
    let mut order: Vec<String> = Vec::new();
    for finding in &findings {
        if !order.contains(&finding.check) {
            order.push(finding.check.clone());
        }
    }
    findings.sort_by_key(|finding| order.iter().position(|check| *check == finding.check));
    findings
}

impl Servers {
    /// What is to be known of them together.
    async fn check(&self) -> Vec<Finding> {
        match self {
            Self::One(_) => Vec::new(),
            Self::Sentinels(sentinels) => sentinels.check().await,
            Self::Cluster(cluster) => cluster.check().await,
        }
    }
}

impl Sentinels {
    async fn check(&self) -> Vec<Finding> {
        let all = self.health().await;
        let silent: Vec<String> = all
            .iter()
            .filter_map(|(place, why)| Some(format!("{place}: {}", why.as_ref()?)))
            .collect();
        let (name, place) = (shown(self.name()), self.primary().place());
        if silent.is_empty() {
            let text = format!(
                "{} name {place} as the primary of {name}",
                count(all.len(), "sentinel")
            );
            return vec![Finding::ok("cache sentinels", text)];
        }
        let text = format!(
            "{place} is the primary of {name}; no answer of {}",
            silent.join(", ")
        );
        let finding = Finding::warning("cache sentinels", text);
        vec![finding.hint("a failover is noticed as long as one of them answers")]
    }
}

impl Cluster {
    async fn check(&self) -> Vec<Finding> {
        const CHECK: &str = "cache cluster";
        let (slots, replicas) = self.census();
        let nodes = format!(
            "{} and {}",
            count(self.primaries().len(), "primary"),
            count(replicas, "replica")
        );
        // CLUSTER INFO may be denied; then the map speaks alone.
        let state = self.state().await.unwrap_or_default();
        let is_down = state
            .get("cluster_state")
            .is_some_and(|state| state != "ok");
        let text = format!("{nodes}, {slots} of {SLOTS} slots have a node");
        if is_down {
            return vec![
                Finding::failed(
                    CHECK,
                    FailureKind::CacheRefused,
                    format!("it is down: {text}"),
                )
                .hint("see CLUSTER NODES, and the logs of its nodes"),
            ];
        }
        if slots < SLOTS {
            return vec![
                Finding::warning(
                    CHECK,
                    format!("{text}; keys of the others cannot be written"),
                )
                .hint("see redis-cli --cluster check"),
            ];
        }
        vec![Finding::ok(CHECK, nodes)]
    }
}

fn count(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (n, Some(stem)) => format!("{n} {stem}ies"),
        (n, None) => format!("{n} {what}s"),
    }
}

impl Node {
    fn findings(
        &self,
        questions: &[Question<'_>],
        replies: Vec<RedisResult<Reply>>,
        took: Duration,
    ) -> Vec<Finding> {
        let mut rights: Vec<Right> = replies.iter().map(Right::of).collect();
        one_of_several(questions, &mut rights, Need::Comparing);
        one_of_several(questions, &mut rights, Need::Undoing);
        let at_info = questions.iter().position(|q| q.command == "INFO");
        let info = Info::of(at_info.and_then(|at| replies.into_iter().nth(at)));
        let writes = rights.iter().find_map(|right| match right {
            Right::State(error) => Some(error),
            _ => None,
        });
        let mut findings = vec![self.reached(&info, took)];
        let is_read_only = writes.is_some_and(|error| error.code() == Some("READONLY"));
        findings.push(role(&info, is_read_only));
        let is_said = is_read_only && info.get("role").is_some();
        findings.extend(
            writes
                .filter(|_| !is_said)
                .map(|error| self.takes_no_writes(error)),
        );
        findings.extend(denied(questions, &rights));
        findings.push(memory(&info));
        findings.push(persistence(&info));
        findings
    }

    fn reached(&self, info: &Info, took: Duration) -> Finding {
        let place = self.place();
        let mode = ["redis_mode", "server_mode"]
            .into_iter()
            .find_map(|name| info.get(name));
        let what = match mode {
            Some(mode) => format!("{}, {mode}", version(info)),
            None => format!("version {}", info.unknown()),
        };
        Finding::ok(
            "cache",
            format!("{place} answers in {} ms: {what}", took.as_millis()),
        )
    }

    /// The finding that a server is, which refuses writes whoever asks.
    fn takes_no_writes(&self, error: &RedisError) -> Finding {
        let failure = self.refusal(error).unwrap_or_else(|| self.not_ready(error));
        Finding::of("cache writes", &failure)
    }
}

fn version(info: &Info) -> String {
    if let Some(version) = info.get("valkey_version") {
        return format!("Valkey {version}");
    }
    let name = match info.get("server_name") {
        Some("valkey") => "Valkey",
        _ => "Redis",
    };
    let version = info.get("redis_version").unwrap_or("of unknown version");
    format!("{name} {version}")
}

/// What it is among other servers.
fn role(info: &Info, is_read_only: bool) -> Finding {
    let Some(role) = info.get("role") else {
        return Finding::ok("cache role", info.unknown());
    };
    if !matches!(role, "slave" | "replica") {
        let role = if role == "master" { "primary" } else { role };
        return Finding::ok("cache role", role);
    }
    let link = match info.get("master_link_status") {
        Some("up") | None => "",
        Some(_) => ", which it has lost",
    };
    let host = info.get("master_host").unwrap_or("another server");
    let text = format!("a replica of {host}{link}");
    // A replica that takes writes loses them.
    if is_read_only {
        Finding::failed("cache role", FailureKind::CacheRefused, text)
            .hint("give the URL of its primary")
    } else {
        let text = format!("{text}; what is written to it is lost when it syncs again");
        Finding::warning("cache role", text).hint("give the URL of its primary")
    }
}

/// What the user may not do: commands that a run must have, keys of strategies, and the rest.
fn denied(questions: &[Question<'_>], rights: &[Right]) -> Vec<Finding> {
    let asked = || questions.iter().zip(rights);
    let mut findings = Vec::new();
    let is_denied = |right: &Right| matches!(right, Right::Denied(_));
    let a_must = |need: Need| need.is_a_must();
    let musts = lacking(asked().filter(|(q, r)| is_denied(r) && a_must(q.need)));
    let why = asked().find_map(|(q, right)| match right {
        Right::Denied(why) if a_must(q.need) => Some(why),
        _ => None,
    });
    if let (Some(musts), Some(why)) = (&musts, why) {
        let text = format!("denied: {} ({why})", musts.text);
        findings.push(
            Finding::failed("cache rights", FailureKind::CacheDenied, text)
                .hint(format!("ACL SETUSER USER {}", musts.allow)),
        );
    }
    findings.extend(asked().filter_map(|(question, right)| match right {
        Right::KeyDenied(why) => key_denied(question.key_of?, why),
        _ => None,
    }));
    let mut spared = asked()
        .filter(|(q, right)| match (q.need, right) {
            (need, Right::KeyDenied(_)) if need.is_our_own() => true,
            (need, right) => is_denied(right) && !a_must(need),
        })
        .peekable();
    if spared.peek().is_some()
        && let Some(lacking) = lacking(spared)
    {
        findings.push(
            Finding::warning(
                "cache rights",
                format!("denied, and a run does without: {}", lacking.text),
            )
            .hint(format!(
                "where you want them: ACL SETUSER USER {}",
                lacking.allow
            )),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "cache rights",
            "every command that is ever needed",
        ));
    }
    findings
}

/// Where one command is enough for something, the others are not missed.
fn one_of_several(questions: &[Question<'_>], rights: &mut [Right], need: Need) {
    let mut of_need = questions
        .iter()
        .zip(&*rights)
        .filter(|(q, _)| q.need == need);
    if of_need.any(|(_, right)| !matches!(right, Right::Denied(_))) {
        let all = questions.iter().zip(rights).filter(|(q, _)| q.need == need);
        all.for_each(|(_, right)| *right = Right::Given);
    }
}

/// Commands that are denied, for people.
struct Lacking {
    /// By what they are needed for.
    text: String,
    /// As ACL rules.
    allow: String,
}

fn lacking<'a, 'p: 'a>(
    denied: impl Iterator<Item = (&'a Question<'p>, &'a Right)>,
) -> Option<Lacking> {
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
        let at = needs.iter().position(|(need, _)| *need == question.need);
        let commands = match at {
            Some(at) => &mut needs[at].1,
            None => {
                needs.push((question.need, Vec::new()));
                &mut needs.last_mut()?.1
            }
        };
        if !commands.contains(&question.command) {
            commands.push(question.command);
        }
    }
    let shown = needs
        .iter()
        .map(|(need, commands)| format!("{} for {}", commands.join(", "), need.name()));
    let text = shown.collect::<Vec<_>>().join("; ");
    (!allow.is_empty()).then(|| Lacking {
        text,
        allow: allow.join(" "),
    })
}

/// A strategy whose keys this user may not write.
fn key_denied(probe: &RightsProbe, why: &str) -> Option<Finding> {
    let strategy = probe.strategy.as_ref()?;
    let text = format!("the keys of {strategy} may not be written: {why}");
    let pattern = shown(&probe.pattern);
    Some(
        Finding::failed("cache rights", FailureKind::CacheDenied, text).hint(format!(
            "ACL SETUSER USER ~{pattern}, or leave it out with --exclude {strategy}"
        )),
    )
}

fn memory(info: &Info) -> Finding {
    const CHECK: &str = "cache memory";
    let (Some(used), Some(max)) = (info.number("used_memory"), info.number("maxmemory")) else {
        return Finding::ok(CHECK, info.unknown());
    };
    let evicted = match info.number("evicted_keys") {
        Some(keys @ 1..) => format!(", {keys} keys evicted since its start"),
        _ => String::new(),
    };
    if max == 0 {
        return Finding::ok(CHECK, format!("{} used, no limit{evicted}", bytes(used)));
    }
    let policy = info.get("maxmemory_policy").unwrap_or("policy not known");
    let share = used as f64 / max as f64;
    let text = format!(
        "{} of {} used ({:.0}%), {policy}{evicted}",
        bytes(used),
        bytes(max),
        share * 100.0
    );
    if policy == "noeviction" && share > NEARLY_FULL {
        return Finding::warning(CHECK, text)
            .hint("raise maxmemory, choose an evicting maxmemory-policy, or warm less (--limit, --exclude)");
    }
    Finding::ok(CHECK, text)
}

fn persistence(info: &Info) -> Finding {
    const CHECK: &str = "cache persistence";
    let status = [
        "rdb_last_bgsave_status",
        "aof_last_write_status",
        "aof_last_bgrewrite_status",
    ];
    let known = status
        .into_iter()
        .filter_map(|name| Some((name, info.get(name)?)));
    let known: Vec<(&str, &str)> = known.collect();
    if known.is_empty() {
        return Finding::ok(CHECK, info.unknown());
    }
    let failing = known.iter().filter(|(_, status)| *status != "ok");
    let failing: Vec<String> = failing
        .map(|(name, status)| format!("{name} is {status}"))
        .collect();
    if failing.is_empty() {
        return Finding::ok(CHECK, "its last saves went well");
    }
    Finding::warning(CHECK, failing.join(", "))
        .hint("the server cannot save to its disk, and may soon take no writes: see its log")
}

/// `1.5 MiB`.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} bytes");
    }
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A text of the server's as it can be shown.
fn shown(text: &str) -> String {
    shortened(&printable(text.as_bytes()), 100)
}
