//! What a verification requires.

use std::str::FromStr;

use super::expected::Expected;
use super::percent::Percent;
use super::report::{Gates, Report, StrategyReport};

/// Shares of the planned keys that must match the database: of all, of a context, of a strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub gates: Vec<Gate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// A context, a strategy (`catalog/hot-products` or `hot-products`), or `None`: everything.
    pub name: Option<String>,
    pub share: Percent,
}

/// What was found in the cache, and what was required.
#[derive(Clone, Debug)]
pub struct Verified {
    pub found: Report,
    pub require: Requirement,
    /// What was verified, for a gate without a name.
    pub what: String,
    /// Whether only some keys were compared.
    pub sampled: bool,
}

/// A gate and what was found.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    pub gate: &'a Gate,
    /// What the gate is about.
    pub name: &'a str,
    /// Keys that were compared.
    pub planned: u64,
    pub equal: u64,
    /// How many keys there are, as far as known: those that were not read count too.
    pub expected: Option<Expected>,
    /// Whether these are only some of the keys.
    pub sampled: bool,
    /// Strategies that were not read to their end. No share of an unknown whole meets a gate.
    pub unfinished: usize,
    pub met: bool,
}

impl Verified {
    /// The requirement alone says which keys may be missing, those among them that failed: they are
    /// not there.
    pub fn new(mut found: Report, require: Requirement, what: String) -> Self {
        let may_fail = require.allows(&found);
        found.gates = Gates { fail_under: may_fail.then_some(Percent::whole(0)), ..found.gates };
        Self { found, require, what, sampled: false }
    }

    /// Of what a run has just warmed, which has judged for itself what failed, and whether there was
    /// anything.
    pub fn after_run(mut found: Report, require: Requirement, what: String) -> Self {
        found.gates = Gates { fail_under: Some(Percent::whole(0)), allow_empty: true };
        Self { found, require, what, sampled: false }
    }

    /// Says whether only some keys were compared.
    #[must_use]
    pub fn sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    pub fn judge(&self) -> Vec<Judged<'_>> {
        let mut judged = self.require.judge(&self.found, &self.what);
        for judged in &mut judged {
            judged.sampled = self.sampled;
        }
        judged
    }
}

impl Default for Requirement {
    /// Every key.
    fn default() -> Self {
        let share = Percent::whole(100);
        Self { gates: vec![Gate { name: None, share }] }
    }
}

impl FromStr for Requirement {
    type Err = String;

    /// `99%`, `catalog=99.5%,hot-products=100%`, or both together.
    fn from_str(text: &str) -> Result<Self, String> {
        let gate = |part: &str| {
            let (name, share) = match part.rsplit_once('=') {
                Some((name, _)) if name.trim().is_empty() => {
                    return Err(format!("`{part}` names nothing before the ="));
                }
                Some((name, share)) => (Some(name.trim().to_owned()), share.trim()),
                None => (None, part.trim()),
            };
            let share = share.parse().map_err(|why| match part == share {
                true => why,
                false => format!("`{part}`: `{share}` is {why}"),
            })?;
            Ok(Gate { name, share })
        };
        let gates: Vec<Gate> = text.split(',').map(gate).collect::<Result<_, _>>()?;
        if gates.iter().skip(1).any(|gate| gate.name.is_none()) {
            let rule = "only the first percentage may be without a name, and fractions have a point: 99.5%";
            return Err(format!("`{text}`: {rule}"));
        }
        Ok(Self { gates })
    }
}

impl Gate {
    /// Whether it is about a strategy.
    pub fn covers(&self, strategy: &StrategyReport) -> bool {
        self.name.as_ref().is_none_or(|name| {
            let (id, family) = (&strategy.id, strategy.id.family());
            let names = [&id.name, &family.name, &id.context];
            let is_name = names.into_iter().any(|known| known == name);
            is_name || *name == id.to_string() || *name == family.to_string()
        })
    }
}

impl Requirement {
    /// Whether it is met, and says something of each strategy of which keys failed.
    fn allows(&self, found: &Report) -> bool {
        let is_covered = |s: &StrategyReport| self.gates.iter().any(|gate| gate.covers(s));
        let mut wrong = found.strategies.iter().filter(|s| s.wrong() > 0);
        wrong.all(is_covered) && self.judge(found, "").iter().all(|judged| judged.met)
    }

    /// Each gate against a report of `what`, in whole numbers.
    pub fn judge<'a>(&'a self, report: &Report, what: &'a str) -> Vec<Judged<'a>> {
        let judge = |gate: &'a Gate| {
            let covered = || report.strategies.iter().filter(|s| gate.covers(s));
            let planned = covered().map(StrategyReport::planned).sum();
            let equal = covered().map(|s| s.seen.classes.equal()).sum();
            let unfinished = covered().filter(|s| s.is_unfinished()).count();
            Judged {
                gate,
                name: gate.name.as_deref().unwrap_or(what),
                planned,
                equal,
                expected: Expected::sum(covered().map(whole)),
                sampled: false,
                unfinished,
                met: unfinished == 0 && gate.share.reached_by(equal, planned),
            }
        };
        self.gates.iter().map(judge).collect()
    }
}

/// How many keys of a strategy must be there.
fn whole(strategy: &StrategyReport) -> Option<Expected> {
    match strategy.is_unfinished() {
        true => strategy.expected(),
        false => Some(Expected::exactly(strategy.planned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_percentages_with_and_without_names() {
        let requirement: Requirement = "99%,catalog=99.5, a/b = 100%".parse().expect("valid");
        let shown: Vec<_> = requirement
            .gates
            .iter()
            .map(|gate| (gate.name.as_deref(), gate.share.to_string()))
            .collect();
        assert_eq!(
            shown,
            [
                (None, "99%".to_owned()),
                (Some("catalog"), "99.5%".to_owned()),
                (Some("a/b"), "100%".to_owned()),
            ]
        );
        for (wrong, why) in [
            ("", "not a percentage"),
            ("catalog=x", "`catalog=x`: `x` is not a percentage"),
            ("=99", "names nothing"),
            ("101%", "not a percentage"),
            ("99%,", "not a percentage"),
            ("99,5%", "fractions have a point"),
            ("a=99,5", "only the first percentage may be without a name"),
        ] {
            let refused = wrong.parse::<Requirement>().expect_err(wrong);
            assert!(refused.contains(why), "{wrong}: {refused}");
        }
    }
}
