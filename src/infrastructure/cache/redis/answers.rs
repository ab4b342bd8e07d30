//! The answers to a job, by key, as they arrive. What they mean for a written key is decided in `write.rs`.

use super::parts::Picks;
use crate::domain::failure::Failure;

pub(super) enum Answer<T> {
    /// The server's final answer.
    Given {
        answer: T,
        /// An earlier attempt got no answer, but may have been executed.
        repeated: bool,
    },
    /// Not executed by any server.
    Refused(String),
    /// Sent, and no answer came.
    Unknown(String),
}

pub(super) struct Answers<T> {
    answers: Vec<Option<Answer<T>>>,
    /// Keys that were sent without an answer: they may be stored, whatever a retry says.
    doubtful: Vec<bool>,
    /// Why the job ended early.
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

    /// Marks keys without an answer as refused or unknown.
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

    /// The answer of each key, and why the job ended early.
    pub(super) fn finish(self) -> (Vec<Answer<T>>, Option<Failure>) {
        let why = self.fatal.as_ref().map_or("no answer", |fatal| fatal.why.as_str());
        let unknown = || Answer::Unknown(why.to_owned());
        let answers = self.answers.into_iter();
        let answers = answers.map(|answer| answer.unwrap_or_else(unknown)).collect();
        (answers, self.fatal)
    }
}
