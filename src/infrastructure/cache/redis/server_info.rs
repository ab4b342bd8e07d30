//! Checks a server's figures before a run.

use redis::{RedisResult, Value as Reply};

use super::peer::MAKE_ROOM;
use super::reply::{info, shown};
use crate::application::ports::Known;
use crate::domain::failure::FailureKind;
use crate::domain::finding::Finding;
use crate::domain::wording::{keys, size};

/// Above this share of its limit a server that does not evict is nearly full.
const NEARLY_FULL: f64 = 0.9;

/// The server's own figures, or why they are not known.
pub(super) struct Info(Known<Vec<(String, String)>>);

impl Info {
    pub(super) fn of(reply: Option<RedisResult<Reply>>) -> Self {
        let fields = |text: String| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let fields = lines.map(|(name, value)| (name.to_owned(), shown(value.trim())));
            fields.collect()
        };
        Self(info(reply).map(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let fields = self.0.as_ref().ok()?;
        let (_, value) = fields.iter().find(|(field, _)| field == name)?;
        Some(value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Why a figure is missing from INFO.
    pub(super) fn unknown(&self) -> String {
        match &self.0 {
            Ok(_) => "not known: INFO does not say".to_owned(),
            Err(why) => format!("not known: {why}"),
        }
    }
}

pub(super) fn version(info: &Info) -> String {
    if let Some(version) = info.get("valkey_version") {
        return format!("Valkey {version}");
    }
    let name = match info.get("server_name") {
        Some("valkey") => "Valkey",
        _ => "Redis",
    };
    let version = info.get("redis_version").unwrap_or("unknown version");
    format!("{name} {version}")
}

/// The server's role.
pub(super) fn role(info: &Info, is_read_only: bool) -> Finding {
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
    // A writable replica loses its writes.
    if is_read_only {
        Finding::failed("cache role", FailureKind::CacheRefused, text)
            .hint("give the URL of its primary")
    } else {
        let text = format!("{text}; writes to it are lost when it syncs again");
        Finding::warning("cache role", text).hint("give the URL of its primary")
    }
}

pub(super) fn memory(info: &Info) -> Finding {
    const CHECK: &str = "cache memory";
    let (Some(used), Some(max)) = (info.number("used_memory"), info.number("maxmemory")) else {
        return Finding::ok(CHECK, info.unknown());
    };
    let evicted = match info.number("evicted_keys") {
        Some(evicted @ 1..) => format!(", {} evicted since its start", keys(evicted)),
        _ => String::new(),
    };
    if max == 0 {
        return Finding::ok(CHECK, format!("{} used, no limit{evicted}", size(used)));
    }
    let policy = info.get("maxmemory_policy").unwrap_or("policy not known");
    let share = used as f64 / max as f64;
    let text =
        format!("{} of {} used ({:.0}%), {policy}{evicted}", size(used), size(max), share * 100.0);
    if policy == "noeviction" && share > NEARLY_FULL {
        return Finding::warning(CHECK, text).hint(MAKE_ROOM);
    }
    Finding::ok(CHECK, text)
}

pub(super) fn persistence(info: &Info) -> Finding {
    const CHECK: &str = "cache persistence";
    let status = ["rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status"];
    let known = status.into_iter().filter_map(|name| Some((name, info.get(name)?)));
    let known: Vec<(&str, &str)> = known.collect();
    if known.is_empty() {
        return Finding::ok(CHECK, info.unknown());
    }
    let failing = known.iter().filter(|(_, status)| *status != "ok");
    let failing: Vec<String> =
        failing.map(|(name, status)| format!("{name} is {status}")).collect();
    if failing.is_empty() {
        return Finding::ok(CHECK, "its last saves succeeded");
    }
    Finding::warning(CHECK, failing.join(", "))
        .hint("the server cannot save to its disk and may soon refuse writes: see its log")
}
