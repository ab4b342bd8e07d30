//! Questions about keys, each to the server that has its key.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use redis::{Pipeline, RedisError};

use super::node::{ATTEMPTS, Lost, Node, Replies};
use super::servers::{Part, Picks, Wait};
use super::{Course, RedisCache, at_named, course, pipe};
use crate::domain::failure::Failure;

/// So many commands about each of some keys.
pub(super) struct Questions<'q, F> {
    pub keys: Vec<&'q [u8]>,
    /// Commands, and so replies, for each.
    pub commands: usize,
    /// Adds those for one of the keys.
    pub add: F,
}

/// The replies of some questions, by place.
type Answers = Vec<(usize, Replies)>;

impl RedisCache {
    /// Asks until all is answered, within bounds; the replies come in the order of the questions.
    /// Errors of single commands are for the caller to read.
    pub(super) async fn ask<F>(&self, questions: &Questions<'_, F>) -> Result<Replies, Failure>
    where
        F: Fn(&mut Pipeline, usize) + Sync,
    {
        if questions.keys.is_empty() {
            return Ok(Vec::new());
        }
        let all = Picks::Run(0..questions.keys.len());
        let parts = self.servers.parts(all, 0, |i| questions.keys[i]);
        let asking = parts.into_iter().map(|part| self.ask_part(questions, part));
        let mut answers: Answers = try_join_all(asking).await?.into_iter().flatten().collect();
        answers.sort_unstable_by_key(|(i, _)| *i);
        Ok(answers
            .into_iter()
            .flat_map(|(_, replies)| replies)
            .collect())
    }

    /// Asks about a single key.
    pub(super) async fn ask_about<F>(
        &self,
        key: &[u8],
        commands: usize,
        add: F,
    ) -> Result<Replies, Failure>
    where
        F: Fn(&mut Pipeline) + Sync,
    {
        let add = |pipe: &mut Pipeline, _| add(pipe);
        let keys = vec![key];
        self.ask(&Questions {
            keys,
            commands,
            add,
        })
        .await
    }

    async fn ask_part<F>(
        &self,
        questions: &Questions<'_, F>,
        part: Part,
    ) -> Result<Answers, Failure>
    where
        F: Fn(&mut Pipeline, usize) + Sync,
    {
        let route = |picks| self.servers.parts(picks, 0, |i| questions.keys[i]);
        let mut answers = Vec::with_capacity(part.picks.len());
        let mut attempts = 0;
        let mut wait = Wait::new();
        let mut parts = VecDeque::from([part]);
        while let Some(part) = parts.pop_front() {
            let node = Arc::clone(&part.node);
            let asked = Instant::now();
            match node.send(&questions.pipe(&part), attempts > 0).await {
                Ok(replies) => {
                    node.lets_in(&replies)?;
                    let rest = self.sort(questions, &part, replies, &mut answers);
                    if rest.is_answered {
                        wait.progress();
                    }
                    if rest.why_later.is_none() {
                        node.answered();
                    }
                    if let Some(error) = rest.why_later {
                        let gone = node.silent(asked, || node.not_ready(&error));
                        let over = wait.is_over(node.patience()) && self.servers.can_change();
                        let over =
                            (over || self.servers.is_down(&error)).then(|| node.not_ready(&error));
                        if let Some(failure) = gone.or(over) {
                            return Err(failure);
                        }
                        wait.pause().await;
                    }
                    if let Some(error) = rest.why_redirected {
                        wait.hop().await;
                        if wait.is_over(node.patience()) {
                            return Err(node.denied(&error));
                        }
                    }
                    if !rest.again.is_empty() {
                        self.servers.refresh().await;
                        parts.extend(route(Picks::Some(rest.again)));
                    }
                    parts.extend(at_named(rest.asked));
                }
                Err(Lost::Server { failure, .. }) => {
                    self.servers.refresh().await;
                    let again = route(part.picks);
                    if again.iter().any(|part| Arc::ptr_eq(&part.node, &node)) {
                        return Err(failure);
                    }
                    parts.extend(again);
                }
                Err(Lost::Unsent) => {
                    wait.pause().await;
                    self.servers.refresh().await;
                    parts.extend(route(part.picks));
                }
                Err(Lost::Answer(why)) => {
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        return Err(node.no_answer(why));
                    }
                    self.servers.refresh().await;
                    parts.extend(route(part.picks));
                }
            }
        }
        Ok(answers)
    }

    /// Takes what is answered, and says what is to be asked again.
    fn sort<F>(
        &self,
        questions: &Questions<'_, F>,
        part: &Part,
        replies: Replies,
        answers: &mut Answers,
    ) -> Rest {
        let mut replies = replies.into_iter();
        let mut rest = Rest::default();
        for i in part.picks.iter() {
            if part.asking {
                replies.next();
            }
            let own: Replies = replies.by_ref().take(questions.commands).collect();
            let errors = own.iter().filter_map(|reply| reply.as_ref().err());
            let mut courses = errors.map(|error| (course(&self.servers, &part.node, error), error));
            match courses.find(|(course, _)| !matches!(course, Course::End)) {
                None => {
                    drop(courses);
                    answers.push((i, own));
                    rest.is_answered = true;
                }
                Some((Course::Elsewhere(Some(there)), error)) => {
                    rest.asked.push((i, there));
                    rest.why_redirected = Some(error.clone());
                }
                Some((Course::Elsewhere(None), error)) => {
                    rest.again.push(i);
                    rest.why_redirected = Some(error.clone());
                }
                Some((_, error)) => {
                    rest.again.push(i);
                    rest.why_later = Some(error.clone());
                }
            }
        }
        rest
    }
}

/// What the answers leave open.
#[derive(Default)]
struct Rest {
    is_answered: bool,
    again: Vec<usize>,
    asked: Vec<(usize, Arc<Node>)>,
    why_later: Option<RedisError>,
    why_redirected: Option<RedisError>,
}

impl<F: Fn(&mut Pipeline, usize)> Questions<'_, F> {
    fn pipe(&self, part: &Part) -> Pipeline {
        let mut pipe = pipe();
        for i in part.picks.iter() {
            if part.asking {
                pipe.cmd("ASKING");
            }
            (self.add)(&mut pipe, i);
        }
        pipe
    }
}
