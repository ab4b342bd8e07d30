//! The answers to a job, key by key, as they come in.

use super::parts::Picks;
use crate::domain::failure::Failure;

pub(super) enum Answer<T> {
    /// The server's last word on the key.
    Given {
        answer: T,
        /// It was sent before and no answer came: it may have been done then.
        repeated: bool,
    },
    /// No server has taken it.
    Refused(String),
    /// Sent, and no answer came.
    Unknown(String),
}

pub(super) struct Answers<T> {
    answers: Vec<Option<Answer<T>>>,
    /// Keys that were sent and not answered: whatever is said when they are sent again, they may be
    /// stored.
    doubtful: Vec<bool>,
    /// Why the job ends before all keys have an answer.
    pub fatal: Option<Failure>,
    /// Why the first key without an answer has none.
    pub failure: Option<Failure>,
}

impl<T> Answers<T> {
    pub(super) fn new(keys: usize) -> Self {
        Self {
            answers: (0..keys).map(|_| None).collect(),
            doubtful: vec![false; keys],
            fatal: None,
            failure: None,
        }
    }

    pub(super) fn doubt(&mut self, picks: &Picks) {
        for i in picks.iter() {
            self.doubtful[i] = true;
        }
    }

    pub(super) fn give(&mut self, i: usize, answer: T) {
        let repeated = self.doubtful[i];
        self.answers[i] = Some(Answer::Given { answer, repeated });
    }

    /// These keys get no answer any more, unless they have one.
    pub(super) fn refuse(&mut self, picks: &Picks, why: &str, failure: impl FnOnce() -> Failure) {
        for i in picks.iter() {
            let answer = match self.doubtful[i] {
                true => Answer::Unknown(why.to_owned()),
                false => Answer::Refused(why.to_owned()),
            };
            self.answers[i].get_or_insert(answer);
        }
        self.failure.get_or_insert_with(failure);
    }

    pub(super) fn end(&mut self, failure: Failure) {
        self.fatal.get_or_insert(failure);
    }

    /// Each key's answer, and why the job ended early.
    pub(super) fn finish(self) -> (Vec<Answer<T>>, Option<Failure>) {
        let why = self
            .fatal
            .as_ref()
            .map_or("no answer", |fatal| fatal.why.as_str());
        let unknown = || Answer::Unknown(why.to_owned());
        let answers = self.answers.into_iter();
        let answers = answers
            .map(|answer| answer.unwrap_or_else(unknown))
            .collect();
        (answers, self.fatal)
    }
}
