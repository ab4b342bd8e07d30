//! Which strategies a command is about.

use super::failure::{Failure, FailureKind};
use super::nearest::nearest;
use super::strategy::{Definition, OF_VALUE, StrategyId, Wanted};
use super::wildcard::{is_pattern, matches};
use super::wording::first;

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

    /// What it selects, for a sentence about it.
    pub fn name(&self) -> String {
        let words = self.words();
        let kinds = ["context ", "strategy "];
        let names = kinds.iter().find_map(|kind| words.strip_prefix(kind));
        names.unwrap_or(&words).replace(' ', ", ")
    }

    /// # Errors
    /// A [`FailureKind::Usage`] failure for a name that no strategy has, with the one that may be
    /// meant.
    pub fn check<'i>(
        &self,
        ids: impl Iterator<Item = (&'i StrategyId, Variants)>,
    ) -> Result<(), Failure> {
        let (kind, names) = match self {
            Self::All | Self::Keys(_) => return Ok(()),
            Self::Contexts(names) => ("context", names),
            Self::Strategies(names) => ("strategy", names),
            Self::Names(names) => (EITHER, names),
        };
        let mut known = Known::default();
        for (id, variants) in ids {
            let [context, own, family] = names_of(id);
            match self {
                Self::Contexts(_) => known.names.push(context),
                Self::Strategies(_) => known.names.extend([own.clone(), family]),
                _ => known.names.extend([context, own.clone(), family]),
            }
            known.open.extend((variants == Variants::NotKnown).then_some(own));
        }
        names.iter().try_for_each(|name| known.check(kind, name))
    }

    /// Whether a strategy is named.
    pub fn names(&self, id: &StrategyId) -> bool {
        let of_strategy = |name: &String| {
            let [_, own, family] = names_of(id);
            matches(name, &own) || matches(name, &family)
        };
        match self {
            Self::All => true,
            Self::Contexts(names) => names.iter().any(|name| matches(name, &id.context)),
            Self::Strategies(names) => names.iter().any(of_strategy),
            Self::Names(names) => names.iter().any(|name| is_meant(name, id)),
            Self::Keys(_) => false,
        }
    }

    /// The same for definitions, of which a repetition is a part.
    #[must_use]
    pub fn families(self) -> Self {
        let family = |name: String| match name.split_once(OF_VALUE) {
            Some((family, _)) => family.to_owned(),
            None => name,
        };
        let families = |names: Vec<String>| names.into_iter().map(family).collect();
        match self {
            Self::Strategies(names) => Self::Strategies(families(names)),
            Self::Names(names) => Self::Names(families(names)),
            other => other,
        }
    }

    /// The names that mean some repetitions of a definition whose values are not known yet.
    fn variants_of(&self, definition: &Definition) -> Vec<String> {
        match self {
            Self::Strategies(names) | Self::Names(names) => variants_of(names, definition),
            Self::All | Self::Contexts(_) | Self::Keys(_) => Vec::new(),
        }
    }
}

/// Whether the repetitions of a definition are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variants {
    Known,
    NotKnown,
}

/// The strategies that there are, for [`Selection::check`].
pub fn known(all: &[Definition]) -> impl Iterator<Item = (&StrategyId, Variants)> {
    all.iter().map(|definition| {
        let variants = if definition.is_open() { Variants::NotKnown } else { Variants::Known };
        (&definition.spec.id, variants)
    })
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
        let open = all.iter().filter(|definition| definition.is_open());
        let known = Known {
            names: all.iter().flat_map(|d| names_of(&d.spec.id)).collect(),
            open: open.map(|d| d.spec.id.to_string()).collect(),
        };
        for name in &self.exclude {
            known.check(EITHER, name).map_err(|failure| Failure {
                kind: self.exclude_kind,
                what: format!("exclude: {}", failure.what),
                ..failure
            })?;
        }
        let tags = Known {
            names: all.iter().flat_map(|d| d.spec.tags.clone()).collect(),
            open: Vec::new(),
        };
        self.tags.iter().try_for_each(|tag| tags.check("tag", tag))
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
    selection.check(known(&all))?;
    filter.check(&all)?;
    let why = match (all.is_empty(), filter.tags.is_empty()) {
        (true, _) => "no strategy is enabled",
        (false, true) => "everything that was selected is excluded",
        (false, false) => "the selected strategies have none of the tags, or are excluded",
    };
    let meant = |definition| meant(definition, selection, filter);
    let selected: Vec<Definition> = all.into_iter().filter_map(meant).collect();
    if selected.is_empty() && !matches!(selection, Selection::Keys(_)) {
        return Err(Failure::new(FailureKind::Usage, "nothing is selected", why));
    }
    Ok(selected)
}

/// The definition if it is meant, with those of its repetitions that are.
fn meant(mut definition: Definition, selection: &Selection, filter: &Filter) -> Option<Definition> {
    let spec = &definition.spec;
    let named = match selection {
        Selection::Keys(keys) => keys.iter().any(|key| spec.key.makes(key)),
        selection => selection.names(&spec.id),
    };
    let tagged = filter.tags.is_empty() || spec.tags.iter().any(|tag| filter.tags.contains(tag));
    let only = if named { Vec::new() } else { selection.variants_of(&definition) };
    let is_named = named || !only.is_empty();
    if !is_named || !tagged || filter.excludes(&spec.id) {
        return None;
    }
    definition.wanted = Wanted { only, except: variants_of(&filter.exclude, &definition) };
    Some(definition)
}

/// Those of some names that mean single repetitions of a definition whose values are not known yet.
fn variants_of(names: &[String], definition: &Definition) -> Vec<String> {
    let id = definition.spec.id.to_string();
    let may_mean = |name: &&String| definition.is_open() && is_variant_of(name, &id);
    names.iter().filter(may_mean).cloned().collect()
}

fn is_variant_of(name: &str, id: &str) -> bool {
    let family = name.split_once(OF_VALUE);
    family.is_some_and(|(family, _)| matches(family, id))
}

/// What a plain name may be.
const EITHER: &str = "context or strategy";

/// The names that mean a strategy: its context, itself, and what it is a repetition of.
fn names_of(id: &StrategyId) -> [String; 3] {
    [id.context.clone(), id.to_string(), id.family().to_string()]
}

fn is_meant(name: &str, id: &StrategyId) -> bool {
    names_of(id).iter().any(|known| matches(name, known))
}

/// The names that there are.
#[derive(Default)]
struct Known {
    names: Vec<String>,
    /// Strategies whose repetitions are not known yet.
    open: Vec<String>,
}

impl Known {
    fn check(&self, kind: &str, wanted: &str) -> Result<(), Failure> {
        let is_known = self.names.iter().any(|known| matches(wanted, known));
        match is_known || self.open.iter().any(|id| is_variant_of(wanted, id)) {
            true => Ok(()),
            false => Err(unknown(kind, wanted, self.names.clone())),
        }
    }
}

/// Max names in an error.
const SHOWN: usize = 8;

fn unknown(kind: &str, wanted: &str, mut names: Vec<String>) -> Failure {
    names.sort();
    names.dedup();
    let what = match is_pattern(wanted) {
        true => format!("no {kind} matches `{wanted}`"),
        false => format!("there is no {kind} `{wanted}`"),
    };
    match advice(kind, wanted, &names) {
        Some(advice) => Failure::new(FailureKind::Usage, what, "").hint(advice),
        None => Failure::new(FailureKind::Usage, what, listed(kind, &names)),
    }
}

fn listed(kind: &str, names: &[String]) -> String {
    // Where a context will do, the strategies would hide it.
    let is_shown = |name: &&str| kind != EITHER || !name.contains('/');
    let shown = names.iter().map(String::as_str).filter(is_shown);
    match names.is_empty() {
        true => format!("there is no {kind} at all"),
        false => format!("choose from {}", first(shown, SHOWN)),
    }
}

/// What was probably meant.
fn advice(kind: &str, wanted: &str, names: &[String]) -> Option<String> {
    let within = format!("{wanted}/");
    let is_first = |name: &String| wanted.split('/').next() == Some(name);
    let other = match kind {
        "strategy" if names.iter().any(|name| name.starts_with(&within)) => "context",
        "context" if names.iter().any(is_first) => "strategy",
        _ => "",
    };
    if !other.is_empty() {
        return Some(format!("`{wanted}` is a {other}: give its name alone"));
    }
    if wanted.contains(':') && !wanted.contains('/') {
        let advice = "it looks like a key: shopwarm warmup keys KEY, or shopwarm keys get KEY";
        return Some(advice.to_owned());
    }
    // The context is easily forgotten.
    let bare = |name: &&String| name.rsplit('/').next() == Some(wanted);
    let meant = names.iter().find(bare).map(String::as_str);
    let all = (kind == EITHER).then_some("all");
    let known = || names.iter().map(String::as_str).chain(all);
    let meant = meant.or_else(|| nearest(wanted, known()));
    meant.map(|meant| format!("did you mean `{meant}`?"))
}
