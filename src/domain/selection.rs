//! Which strategies a command is about.

use super::failure::{Failure, FailureKind};
use super::nearest::nearest;
use super::strategy::{Definition, StrategyId};
use super::wildcard::{is_pattern, matches};

/// What was asked for, by name. A name may be a pattern: `catalog/*`.
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
            Self::Names(names) => names.join(" "),
            Self::Keys(_) => "keys".to_owned(),
        }
    }

    /// # Errors
    /// A [`FailureKind::Usage`] failure for a name that no strategy has, with the one that may be
    /// meant.
    pub fn check<'i>(&self, ids: impl Iterator<Item = &'i StrategyId>) -> Result<(), Failure> {
        let (kind, names, known): (_, _, Vec<String>) = match self {
            Self::All | Self::Keys(_) => return Ok(()),
            Self::Contexts(names) => ("context", names, ids.map(|id| id.context.clone()).collect()),
            Self::Strategies(names) => ("strategy", names, ids.map(ToString::to_string).collect()),
            Self::Names(names) => (EITHER, names, ids.flat_map(either).collect()),
        };
        names
            .iter()
            .try_for_each(|name| check_name(kind, name, &known))
    }

    /// Whether a strategy is named.
    pub fn names(&self, id: &StrategyId) -> bool {
        match self {
            Self::All => true,
            Self::Contexts(names) => names.iter().any(|name| matches(name, &id.context)),
            Self::Strategies(names) => names.iter().any(|name| matches(name, &id.to_string())),
            Self::Names(names) => names.iter().any(|name| is_meant(name, id)),
            Self::Keys(_) => false,
        }
    }
}

/// What narrows a selection down.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only strategies with one of these tags; empty: all.
    pub tags: Vec<String>,
    /// Names of contexts, `CONTEXT/NAME`, and patterns of them.
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
        let names: Vec<String> = all.iter().flat_map(|d| either(&d.spec.id)).collect();
        for name in &self.exclude {
            check_name(EITHER, name, &names).map_err(|failure| Failure {
                kind: self.exclude_kind,
                what: format!("exclude: {}", failure.what),
                ..failure
            })?;
        }
        let tags: Vec<String> = all.iter().flat_map(|d| d.spec.tags.clone()).collect();
        self.tags
            .iter()
            .try_for_each(|tag| check_name("tag", tag, &tags))
    }

    /// Whether a strategy is left out, by its own name or by that of its context.
    pub fn excludes(&self, id: &StrategyId) -> bool {
        self.exclude.iter().any(|name| is_meant(name, id))
    }
}

/// The definitions that are meant, of those there are.
///
/// # Errors
/// A [`FailureKind::Usage`] failure for a name or tag that does not exist, with those that do.
pub fn select(
    all: Vec<Definition>,
    selection: &Selection,
    filter: &Filter,
) -> Result<Vec<Definition>, Failure> {
    selection.check(all.iter().map(|definition| &definition.spec.id))?;
    filter.check(&all)?;
    let meant = |definition: &Definition| {
        let spec = &definition.spec;
        let named = match selection {
            Selection::Keys(keys) => keys.iter().any(|key| spec.key.makes(key)),
            selection => selection.names(&spec.id),
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

/// What a plain name may be.
const EITHER: &str = "context or strategy";

fn either(id: &StrategyId) -> [String; 2] {
    [id.context.clone(), id.to_string()]
}

fn is_meant(name: &str, id: &StrategyId) -> bool {
    either(id).iter().any(|known| matches(name, known))
}

fn check_name(kind: &str, wanted: &str, known: &[String]) -> Result<(), Failure> {
    match known.iter().any(|known| matches(wanted, known)) {
        true => Ok(()),
        false => Err(unknown(kind, wanted, known.to_vec())),
    }
}

fn unknown(kind: &str, wanted: &str, mut names: Vec<String>) -> Failure {
    names.sort();
    names.dedup();
    let why = format!("known: {}", names.join(", "));
    let what = match is_pattern(wanted) {
        true => format!("no {kind} matches `{wanted}`"),
        false => format!("there is no {kind} `{wanted}`"),
    };
    let failure = Failure::new(FailureKind::Usage, what, why);
    // The context is easily forgotten.
    let bare = |name: &&String| name.rsplit('/').next() == Some(wanted);
    let meant = names.iter().find(bare).map(String::as_str);
    match meant.or_else(|| nearest(wanted, names.iter().map(String::as_str))) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure,
    }
}
