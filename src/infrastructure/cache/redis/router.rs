//! Sends commands to the servers that own their keys, and collects the answers.
//!
//! A job is a set of keys with some commands each. Its keys are split by owner; each part is one
//! pipeline. A final reply answers its key. If a connection breaks, the keys of its part are in
//! doubt and are sent again, to their current owner, until a server has not answered for too long.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures_util::future::join_all;
use redis::{Pipeline, RedisError};

use super::answers::Answers;
use super::course::{Course, course};
use super::job::Job;
use super::node::{Lost, Node};
use super::parts::{Part, Picks, asking, push_front};
use super::reply::{Replies, words};
use super::servers::Servers;
use super::wait::Wait;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::{into_inner, lock};

/// Max bytes in one pipeline, unless a single key has more.
const MAX_PIPELINE_BYTES: usize = 4 * 1024 * 1024;

/// What remains to be done after the replies to a part.
#[derive(Default)]
struct Rest {
    answered: usize,
    later: Vec<usize>,
    why_later: Option<RedisError>,
    /// Keys that other nodes own now.
    moved: Vec<usize>,
    /// Keys to send once to another node.
    asked: Vec<(usize, Arc<Node>)>,
    why_redirected: Option<RedisError>,
}

struct Router<'r, J: Job> {
    servers: &'r Servers,
    job: &'r J,
    answers: Mutex<Answers<J::Answer>>,
}

/// Runs a job until each of its keys has an answer.
pub(super) async fn run<J: Job>(servers: &Servers, job: &J) -> Answers<J::Answer> {
    let router = Router { servers, job, answers: Mutex::new(Answers::new(job.len())) };
    let parts = router.route(Picks::Run(0..job.len()), 0).into_iter();
    join_all(parts.map(|part| router.deliver(part))).await;
    into_inner(router.answers)
}

impl<J: Job> Router<'_, J> {
    /// Splits keys into parts, each for one server and within its limits.
    fn route(&self, picks: Picks, losses: u32) -> VecDeque<Part> {
        let mut parts = VecDeque::new();
        for (node, mut picks) in self.servers.parts(picks, |i| self.job.key(i)) {
            while let Some(n) = too_many(self.job, &picks) {
                let (first, rest) = picks.split(n);
                parts.push_back(Part::new(Arc::clone(&node), first, losses));
                picks = rest;
            }
            parts.push_back(Part::new(node, picks, losses));
        }
        parts
    }

    /// Sends a part until each of its keys has an answer, also to other servers if they own the keys
    /// by then.
    async fn deliver(&self, part: Part) {
        let mut wait = Wait::new();
        let mut parts = VecDeque::from([part]);
        while let Some(mut part) = parts.pop_front() {
            self.refuse_too_long(&mut part);
            if part.picks.len() == 0 {
                continue;
            }
            if self.is_over() {
                return;
            }
            let asked = Instant::now();
            match self.send(&part).await {
                Ok(replies) => {
                    let rest = self.sort(&part, replies);
                    if rest.answered > 0 {
                        wait.progress();
                    }
                    if rest.answered > 0 || rest.why_later.is_none() {
                        part.node.health.answered();
                    }
                    parts.extend(self.follow(&part, rest, asked, &mut wait).await);
                }
                Err(Lost::Server { failure, sent }) => {
                    let elsewhere = self.give_up(part, failure, sent).await;
                    if !elsewhere.is_empty() {
                        wait.progress();
                    }
                    parts.extend(elsewhere);
                }
                Err(Lost::Unsent) => {
                    wait.pause().await;
                    self.servers.refresh().await;
                    push_front(&mut parts, self.route(part.picks, part.losses));
                }
                Err(Lost::Answer(why)) => {
                    push_front(&mut parts, self.repeat(part, &why).await);
                }
            }
        }
    }

    /// Sends a part to its server, unless that could leave a value half-written.
    async fn send(&self, part: &Part) -> Result<Replies, Lost> {
        if part.picks.iter().any(|i| self.job.is_transaction(i)) {
            part.node.need_transactions().await?;
        }
        let mut pipe = Pipeline::with_capacity(part.picks.len());
        pipe.ignore_errors();
        for i in part.picks.iter() {
            if part.asking {
                pipe.cmd("ASKING");
            }
            self.job.add(&mut pipe, i);
        }
        part.node.send(&pipe, part.losses > 0).await
    }

    /// Records the final replies.
    fn sort(&self, part: &Part, replies: Replies) -> Rest {
        let mut replies = replies.into_iter();
        let mut answers = self.answers();
        let mut rest = Rest::default();
        for i in part.picks.iter() {
            if part.asking {
                replies.next();
            }
            let (answer, error) = self.job.read(i, &mut replies);
            let course = error.as_ref().map(|error| course(self.servers, &part.node, error));
            match course {
                Some(Course::Later) => {
                    rest.later.push(i);
                    rest.why_later = error;
                }
                Some(Course::Elsewhere(there)) => {
                    match there {
                        Some(there) => rest.asked.push((i, there)),
                        None => rest.moved.push(i),
                    }
                    rest.why_redirected = error;
                }
                Some(Course::End) | None => {
                    let refusal = error.and_then(|error| self.job.refusal(&part.node, &error));
                    refusal.into_iter().for_each(|failure| answers.end(failure));
                    answers.give(i, answer);
                    rest.answered += 1;
                }
            }
        }
        rest
    }

    /// Waits as the replies ask, and returns what to send again of an answered part.
    async fn follow(
        &self,
        part: &Part,
        rest: Rest,
        asked: Instant,
        wait: &mut Wait,
    ) -> VecDeque<Part> {
        let mut again = VecDeque::new();
        if let Some(error) = rest.why_later
            && !self.is_too_late(part, &rest.later, &error, asked, wait)
        {
            wait.pause().await;
            self.servers.refresh().await;
            again = self.route(Picks::Some(rest.later), part.losses);
        }
        if let Some(error) = rest.why_redirected.filter(|_| !self.is_over()) {
            wait.hop().await;
            if wait.is_over(part.node.health.give_up_after()) {
                let asked = rest.asked.into_iter().map(|(i, _)| i);
                let picks = Picks::Some(rest.moved.into_iter().chain(asked).collect());
                let denied = || part.node.peer.denied(&error);
                self.answers().refuse(&picks, &words(&error), denied);
                return again;
            }
            self.servers.refresh().await;
            again.extend(self.route(Picks::Some(rest.moved), 0));
            again.extend(asking(rest.asked));
        }
        if self.is_over() { VecDeque::new() } else { again }
    }

    /// Refuses keys that a server has put off for too long.
    fn is_too_late(
        &self,
        part: &Part,
        later: &[usize],
        error: &RedisError,
        asked: Instant,
        wait: &Wait,
    ) -> bool {
        let (node, can_change) = (&part.node, self.servers.can_change());
        // A cluster may report this for some slots while the node is healthy.
        let gone = match error.code() {
            Some("CLUSTERDOWN" | "TRYAGAIN") if can_change => None,
            _ => node.health.silent(asked, || node.peer.not_ready(error)),
        };
        let is_down = self.servers.is_down(error);
        let waited_enough = wait.is_over(node.health.give_up_after());
        let is_over = is_down || waited_enough && (can_change || node.health.has_failed_over());
        if gone.is_none() && !is_over {
            return false;
        }
        let failure = gone.unwrap_or_else(|| node.peer.not_ready(error));
        let mut answers = self.answers();
        answers.refuse(&Picks::Some(later.to_vec()), &words(error), || failure.clone());
        let whole = is_down && error.detail() == Some("The cluster is down");
        if whole || !can_change || self.servers.are_gone() {
            answers.end(failure);
        }
        true
    }

    /// A server is gone or refuses us: keys that others own by now go there, the rest are refused.
    async fn give_up(&self, part: Part, failure: Failure, sent: bool) -> VecDeque<Part> {
        if sent {
            self.answers().doubt(&part.picks);
        } else if failure.kind == FailureKind::CacheDenied {
            self.answers().refuse(&part.picks, &failure.why, || failure.clone());
        }
        if !self.servers.can_change() {
            self.answers().end(failure);
            return VecDeque::new();
        }
        self.servers.refresh().await;
        let (here, elsewhere): (VecDeque<Part>, VecDeque<Part>) = self
            .route(part.picks, part.losses)
            .into_iter()
            .partition(|again| Arc::ptr_eq(&again.node, &part.node));
        for again in here {
            if failure.kind == FailureKind::CacheUnreachable && !self.servers.are_gone() {
                let why = failure.to_string();
                self.answers().refuse(&again.picks, &why, || failure.clone());
            } else {
                self.answers().end(failure.clone());
            }
        }
        elsewhere
    }

    /// The server accepts connections and broke this one: after two losses, search for the key that
    /// causes it.
    async fn repeat(&self, part: Part, why: &str) -> VecDeque<Part> {
        self.answers().doubt(&part.picks);
        let losses = part.losses + 1;
        // A request stores nothing, so searching with one connection per key is not worth it.
        let whole = part.picks.len() == 1 || self.job.bytes() == 0;
        if whole && losses >= J::ATTEMPTS {
            let why = match part.picks.len() {
                1 => format!("{why}; the server closes the connection because of this key"),
                _ => why.to_owned(),
            };
            let failure = || part.node.peer.no_answer(why.clone());
            self.answers().refuse(&part.picks, &why, failure);
            return VecDeque::new();
        }
        self.servers.refresh().await;
        if part.losses == 0 || whole {
            return self.route(part.picks, losses);
        }
        let middle = part.picks.len() / 2;
        let (first, second) = part.picks.split(middle);
        let mut halves = self.route(first, part.losses);
        halves.extend(self.route(second, part.losses));
        halves
    }

    /// Removes keys that would make the server close the connection.
    fn refuse_too_long(&self, part: &mut Part) {
        let max = part.node.longest_value();
        if self.job.bytes() <= max {
            return;
        }
        let is_long = |i: &usize| self.job.longest(*i) > max;
        let (long, rest): (Vec<usize>, Vec<usize>) = part.picks.iter().partition(is_long);
        for i in long {
            let bytes = self.job.longest(i);
            let why = format!(
                "{bytes} bytes is more than the server accepts in one value (proto-max-bulk-len is {max})"
            );
            let failure = || part.node.peer.no_answer(why.clone());
            self.answers().refuse(&Picks::Some(vec![i]), &why, failure);
        }
        if rest.len() < part.picks.len() {
            part.picks = Picks::Some(rest);
        }
    }

    fn is_over(&self) -> bool {
        self.answers().fatal.is_some()
    }

    fn answers(&self) -> MutexGuard<'_, Answers<J::Answer>> {
        lock(&self.answers)
    }
}

/// The number of keys for one pipeline, if these are too many.
fn too_many(job: &impl Job, picks: &Picks) -> Option<usize> {
    // Most jobs are far smaller.
    if job.bytes() <= MAX_PIPELINE_BYTES / 2 {
        return None;
    }
    let mut bytes = 0;
    let n = picks.iter().position(|i| {
        bytes += job.bytes_of(i);
        bytes > MAX_PIPELINE_BYTES
    })?;
    // A larger key goes alone.
    let n = n.max(1);
    (n < picks.len()).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sizes(Vec<usize>);

    impl Job for Sizes {
        const ATTEMPTS: u32 = 1;

        type Answer = ();

        fn len(&self) -> usize {
            self.0.len()
        }

        fn key(&self, _: usize) -> &[u8] {
            &[]
        }

        fn add(&self, _: &mut Pipeline, _: usize) {}

        fn read(
            &self,
            _: usize,
            _: &mut impl Iterator<Item = redis::RedisResult<redis::Value>>,
        ) -> ((), Option<RedisError>) {
            ((), None)
        }

        fn refusal(&self, _: &Node, _: &RedisError) -> Option<Failure> {
            None
        }

        fn bytes(&self) -> usize {
            self.0.iter().sum()
        }

        fn bytes_of(&self, i: usize) -> usize {
            self.0[i]
        }
    }

    #[test]
    fn a_pipeline_is_no_larger_than_a_server_is_to_take() {
        let megabyte = 1024 * 1024;
        let many = Sizes(vec![megabyte + 200; 10]);
        // Four of them plus the overhead are too many.
        assert_eq!(too_many(&many, &Picks::Run(0..10)), Some(3));
        assert_eq!(too_many(&many, &Picks::Run(7..10)), None);
        let odd = Sizes(vec![10, 9 * megabyte, 10]);
        assert_eq!(too_many(&odd, &Picks::Run(0..3)), Some(1));
        assert_eq!(too_many(&odd, &Picks::Some(vec![1, 2])), Some(1));
        assert_eq!(too_many(&odd, &Picks::Some(vec![1])), None);
        assert_eq!(too_many(&Sizes(vec![200; 500]), &Picks::Run(0..500)), None);
    }
}
