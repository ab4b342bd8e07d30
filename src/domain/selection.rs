//! Which strategies a command is about.

use super::failure::{Failure, FailureKind};
use super::nearest::nearest;
use super::strategy::{Definition, StrategyId};

/// What was asked for, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    All,
    Contexts(Vec<String>),
    /// `CONTEXT/NAME` each.
    Strategies(Vec<String>),
    /// A context's name or `CONTEXT/NAME` each.
    Names(Vec<String>),
    /// The strategies that make these keys.
    Keys(Vec<String>),
}

impl Selection {
    /// As it is spelled on the command line.
    pub fn words(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Contexts(names) => format!("context {}", names.join(" ")),
            Self::Strategies(ids) => format!("strategy {}", ids.join(" ")),
            // The command line has no mixture.
            Self::Names(names) => {
                let is_strategy = |name: &&String| name.contains('/');
                match names.iter().filter(is_strategy).count() {
                    0 => format!("context {}", names.join(" ")),
                    n if n == names.len() => format!("strategy {}", names.join(" ")),
                    _ => names.join(" "),
                }
            }
            Self::Keys(_) => "keys".to_owned(),
        }
    }
}

/// What narrows a selection down.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only strategies with one of these tags; empty: all.
    pub tags: Vec<String>,
    /// Names of contexts, and `CONTEXT/NAME`.
    pub exclude: Vec<String>,
    /// The kind of failure that an unknown name in `exclude` is: the name may be on the command line
    /// or in a file.
    pub exclude_kind: FailureKind,
}

impl Filter {
    /// # Errors
    /// A name or tag that does not exist, with the one that may be meant: it would silently select
    /// something else than the operator thinks.
    pub fn check(&self, all: &[Definition]) -> Result<(), Failure> {
        for name in &self.exclude {
            known("context or strategy", name, contexts_and_ids(all)).map_err(|failure| {
                Failure {
                    kind: self.exclude_kind,
                    what: format!("exclude: {}", failure.what),
                    ..failure
                }
            })?;
        }
        for tag in &self.tags {
            let tags = all.iter().flat_map(|d| d.spec.tags.clone()).collect();
            known("tag", tag, tags)?;
        }
        Ok(())
    }

    /// Whether a strategy is left out, by its own name or by that of its context.
    pub fn excludes(&self, id: &StrategyId) -> bool {
        self.exclude.contains(&id.context) || self.exclude.contains(&id.to_string())
    }
}

/// The definitions that are meant, of those there are. Names are looked up, never interpreted.
///
/// # Errors
/// A [`FailureKind::Usage`] failure for a name or tag that does not exist, with those that do.
pub fn select(
    all: Vec<Definition>,
    selection: &Selection,
    filter: &Filter,
) -> Result<Vec<Definition>, Failure> {
    match selection {
        Selection::All | Selection::Keys(_) => {}
        Selection::Contexts(names) => {
            for name in names {
                known("context", name, contexts(&all))?;
            }
        }
        Selection::Strategies(wanted) => {
            for id in wanted {
                known("strategy", id, ids(&all))?;
            }
        }
        Selection::Names(names) => {
            for name in names {
                known("context or strategy", name, contexts_and_ids(&all))?;
            }
        }
    }
    filter.check(&all)?;
    let meant = |definition: &Definition| {
        let spec = &definition.spec;
        let named = match selection {
            Selection::All => true,
            Selection::Contexts(names) => names.contains(&spec.id.context),
            Selection::Strategies(ids) => ids.contains(&spec.id.to_string()),
            Selection::Names(names) => {
                names.contains(&spec.id.context) || names.contains(&spec.id.to_string())
            }
            Selection::Keys(keys) => keys.iter().any(|key| spec.key.makes(key)),
        };
        let tagged =
            filter.tags.is_empty() || spec.tags.iter().any(|tag| filter.tags.contains(tag));
        named && tagged && !filter.excludes(&spec.id)
    };
    let why = match (all.is_empty(), filter.tags.is_empty()) {
        (true, _) => "no strategy is enabled",
        (false, true) => "everything that was named is excluded",
        (false, false) => "no strategy that was named has one of the tags and is not excluded",
    };
    let selected: Vec<Definition> = all.into_iter().filter(meant).collect();
    if selected.is_empty() && !matches!(selection, Selection::Keys(_)) {
        return Err(Failure::new(FailureKind::Usage, "nothing is selected", why));
    }
    Ok(selected)
}

fn contexts(all: &[Definition]) -> Vec<String> {
    all.iter().map(|d| d.spec.id.context.clone()).collect()
}

fn ids(all: &[Definition]) -> Vec<String> {
    all.iter().map(|d| d.spec.id.to_string()).collect()
}

fn contexts_and_ids(all: &[Definition]) -> Vec<String> {
    [contexts(all), ids(all)].concat()
}

fn known(kind: &str, wanted: &str, names: Vec<String>) -> Result<(), Failure> {
    match names.iter().any(|name| name == wanted) {
        true => Ok(()),
        false => Err(unknown(kind, wanted, names)),
    }
}

fn unknown(kind: &str, wanted: &str, mut names: Vec<String>) -> Failure {
    names.sort();
    names.dedup();
    let why = format!("known: {}", names.join(", "));
    let failure = Failure::new(
        FailureKind::Usage,
        format!("there is no {kind} `{wanted}`"),
        why,
    );
    // The context is easily forgotten.
    let bare = |name: &&String| name.rsplit('/').next() == Some(wanted);
    let meant = names.iter().find(bare).map(String::as_str);
    match meant.or_else(|| nearest(wanted, names.iter().map(String::as_str))) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure,
    }
}
