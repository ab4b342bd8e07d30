//! What a check before a run found.

use super::failure::{Failure, FailureKind};

/// One check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `cache memory`.
    pub check: String,
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Level {
    Ok,
    Warning,
    /// A run would fail, and how.
    Failed(FailureKind),
}

impl Level {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Finding {
    pub fn ok(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, text)
    }

    pub fn warning(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(check, Level::Warning, text)
    }

    pub fn failed(check: impl Into<String>, kind: FailureKind, text: impl Into<String>) -> Self {
        Self::new(check, Level::Failed(kind), text)
    }

    fn new(check: impl Into<String>, level: Level, text: impl Into<String>) -> Self {
        Self { check: check.into(), level, text: text.into(), hint: None }
    }

    /// The finding that a failure is.
    pub fn of(check: impl Into<String>, failure: &Failure) -> Self {
        let check = check.into();
        let text = failure.about(&check);
        Self { hint: failure.hint.clone(), ..Self::failed(check, failure.kind, text) }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
