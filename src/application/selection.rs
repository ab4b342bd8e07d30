//! Which strategies a command is about.

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::strategy::Definition;

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
    pub exclude: Vec<String>,
    /// What a name in `exclude` that does not exist is: it may stand on the command line or in a file.
    pub exclude_kind: FailureKind,
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
    let known = |kind: &str, wanted: &str, names: Vec<String>| {
        if names.iter().any(|name| name == wanted) {
            Ok(())
        } else {
            Err(unknown(kind, wanted, names))
        }
    };
    let ids = || {
        all.iter()
            .map(|d| d.spec.id.to_string())
            .collect::<Vec<_>>()
    };
    match selection {
        Selection::All | Selection::Keys(_) => {}
        Selection::Contexts(names) => {
            for name in names {
                known(
                    "context",
                    name,
                    all.iter().map(|d| d.spec.id.context.clone()).collect(),
                )?;
            }
        }
        Selection::Strategies(wanted) => {
            for id in wanted {
                known("strategy", id, ids())?;
            }
        }
        Selection::Names(names) => {
            let contexts = all.iter().map(|d| d.spec.id.context.clone());
            let there: Vec<String> = contexts.chain(ids()).collect();
            for name in names {
                known("context or strategy", name, there.clone())?;
            }
        }
    }
    for id in &filter.exclude {
        known("strategy", id, ids()).map_err(|failure| Failure {
            kind: filter.exclude_kind,
            ..failure
        })?;
    }
    for tag in &filter.tags {
        known(
            "tag",
            tag,
            all.iter().flat_map(|d| d.spec.tags.clone()).collect(),
        )?;
    }
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
        named && tagged && !filter.exclude.contains(&spec.id.to_string())
    };
    let selected: Vec<Definition> = all.into_iter().filter(meant).collect();
    if selected.is_empty() && !matches!(selection, Selection::Keys(_)) {
        let what = "nothing is selected";
        return Err(Failure::new(
            FailureKind::Usage,
            what,
            "no strategy is left of --tag and --exclude",
        ));
    }
    Ok(selected)
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

/// The known name that is most like `name`, if one is.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let scored = known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.75)
        .map(|(_, known)| known)
}
