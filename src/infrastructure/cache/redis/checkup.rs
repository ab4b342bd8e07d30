//! Checks of the servers before a run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::cluster::Cluster;
use super::node::Node;
use super::permissions::{Permission, Question, denied, lacks_documents, permissions, questions};
use super::reply::{pipe, shown};
use super::sentinel::Sentinels;
use super::server_info::{Info, memory, persistence, role, version};
use super::servers::Servers;
use super::slots::SLOTS;
use crate::application::ports::PermissionProbe;
use crate::domain::failure::FailureKind;
use crate::domain::finding::Finding;

impl RedisCache {
    pub(super) async fn check(&self, probes: &[PermissionProbe]) -> Vec<Finding> {
        let questions = questions(probes);
        let mut pipe = pipe();
        for question in &questions {
            pipe.add_command(question.cmd.clone());
        }
        let nodes = self.servers.primaries();
        let each = nodes.iter().map(|node| async {
            let asked = Instant::now();
            match node.once(&pipe).await {
                Ok(replies) => findings(node, &questions, replies, asked.elapsed()),
                Err(failure) => vec![Finding::of("cache", &failure)],
            }
        });
        let mut each = join_all(each).await;
        let mut findings = together(&self.servers).await;
        if each.len() == 1 {
            findings.append(&mut each[0]);
            return findings;
        }
        findings.extend(of_several(&nodes, each));
        findings
    }
}

/// Merges the findings of several nodes: common ones once, others with the node's address.
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
            let place = node.peer.place();
            let is_named = finding.text.contains(&place);
            let text = match is_named {
                true => finding.text.clone(),
                false => format!("{place}: {}", finding.text),
            };
            findings.push(Finding { text, ..finding.clone() });
        }
    }
    // Group by check, in the order for a single server.
    let mut order: Vec<String> = Vec::new();
    for finding in &findings {
        if !order.contains(&finding.check) {
            order.push(finding.check.clone());
        }
    }
    findings.sort_by_key(|finding| order.iter().position(|check| *check == finding.check));
    findings
}

/// Findings about all nodes together.
async fn together(servers: &Servers) -> Vec<Finding> {
    match servers {
        Servers::One(_) => Vec::new(),
        Servers::Sentinels(sentinels) => vec![of_sentinels(sentinels).await],
        Servers::Cluster(cluster) => vec![of_cluster(cluster).await],
    }
}

async fn of_sentinels(sentinels: &Sentinels) -> Finding {
    let all = sentinels.health().await;
    let silent: Vec<String> =
        all.iter().filter_map(|(place, why)| Some(format!("{place}: {}", why.as_ref()?))).collect();
    let (name, place) = (shown(sentinels.name()), sentinels.primary().peer.place());
    if silent.is_empty() {
        let text =
            format!("{} name {place} as the primary of {name}", count(all.len(), "sentinel"));
        return Finding::ok("cache sentinels", text);
    }
    let text = format!("{place} is the primary of {name}; no answer from {}", silent.join(", "));
    Finding::warning("cache sentinels", text)
        .hint("one that answers is enough to notice a failover")
}

async fn of_cluster(cluster: &Cluster) -> Finding {
    const CHECK: &str = "cache cluster";
    let (slots, replicas) = cluster.census();
    let nodes = format!(
        "{} and {}",
        count(cluster.primaries().len(), "primary"),
        count(replicas, "replica")
    );
    // CLUSTER INFO may be denied; then use only the slot map.
    let is_down = cluster.state().await.is_some_and(|state| state != "ok");
    let text = format!("{nodes}, {slots} of {SLOTS} slots are assigned");
    if is_down {
        let text = format!("it is down: {text}");
        return Finding::failed(CHECK, FailureKind::CacheRefused, text)
            .hint("see CLUSTER NODES, and the logs of its nodes");
    }
    if slots < SLOTS {
        let text = format!("{text}; keys of the others cannot be written");
        return Finding::warning(CHECK, text).hint("see redis-cli --cluster check");
    }
    Finding::ok(CHECK, nodes)
}

fn count(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (n, Some(stem)) => format!("{n} {stem}ies"),
        (n, None) => format!("{n} {what}s"),
    }
}

fn findings(
    node: &Node,
    questions: &[Question<'_>],
    replies: Vec<RedisResult<Reply>>,
    took: Duration,
) -> Vec<Finding> {
    let mut permissions = permissions(questions, &replies);
    let no_documents = lacks_documents(questions, &mut permissions);
    let at_info = questions.iter().position(|q| q.command == "INFO");
    let info = Info::of(at_info.and_then(|at| replies.into_iter().nth(at)));
    let writes = permissions.iter().find_map(|permission| match permission {
        Permission::State(error) => Some(error),
        _ => None,
    });
    let mut findings = vec![reached(&node.peer.place(), &info, took)];
    let is_read_only = writes.is_some_and(|error| error.code() == Some("READONLY"));
    findings.push(role(&info, is_read_only));
    let is_said = is_read_only && info.get("role").is_some();
    findings.extend(writes.filter(|_| !is_said).map(|error| takes_no_writes(node, error)));
    findings.extend(no_documents);
    findings.extend(denied(questions, &permissions));
    findings.push(memory(&info));
    findings.push(persistence(&info));
    findings
}

fn reached(place: &str, info: &Info, took: Duration) -> Finding {
    let mode = ["redis_mode", "server_mode"].into_iter().find_map(|name| info.get(name));
    let what = match mode {
        Some(mode) => format!("{}, {mode}", version(info)),
        None => format!("version {}", info.unknown()),
    };
    Finding::ok("cache", format!("{place} answers in {} ms: {what}", took.as_millis()))
}

/// A finding for a server that refuses all writes.
fn takes_no_writes(node: &Node, error: &RedisError) -> Finding {
    let failure = node.peer.refusal(error).unwrap_or_else(|| node.peer.not_ready(error));
    Finding::of("cache writes", &failure)
}
