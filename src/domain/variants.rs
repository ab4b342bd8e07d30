//! A definition that is repeated, once for each value of `for`: each repetition is a strategy of its
//! own, with its keys, limit and counts.

use super::parameter::{Each, Parameter};
use super::strategy::Definition;
use super::written::Wrong;

/// The most repetitions of one definition.
const MAX_VARIANTS: usize = 1_000;

impl Definition {
    /// Whether a database must be asked what it is repeated for.
    pub fn is_open(&self) -> bool {
        let mut each = self.each.iter();
        each.any(|(_, each)| matches!(each, Each::Query(_)))
    }

    /// A definition for each combination of the values of its parameters, in the order of `for`.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn repeated(mut self) -> Result<Vec<Self>, Wrong> {
        let each = std::mem::take(&mut self.each);
        let columns = self.spec.key.columns();
        let columns: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        let mut all = vec![(self, Vec::new())];
        for (name, each) in &each {
            let wrong = |why: String| Wrong::new(format!("for.{name}"), why);
            let Each::Values(values) = each else {
                return Err(wrong("its values are not known".to_owned()));
            };
            check(values).map_err(wrong)?;
            if values.len() > 1 && !columns.contains(name) {
                let why = format!(
                    "it has no {{{name}}}, so all values of for.{name} would make the same keys"
                );
                return Err(Wrong::new("key", why));
            }
            if all.len() * values.len() > MAX_VARIANTS {
                let why = format!("more than {MAX_VARIANTS} combinations of values");
                return Err(wrong(why));
            }
            let with = |(definition, chosen): &(Self, Vec<(String, String)>)| {
                let (definition, chosen) = (definition.clone(), chosen.clone());
                values.iter().map(move |value| {
                    let mut chosen = chosen.clone();
                    chosen.push((name.clone(), value.to_string()));
                    (definition.clone().with(name, value), chosen)
                })
            };
            all = all.iter().flat_map(with).collect();
        }
        // In the order of the key, which tells the repetitions apart.
        let place = |name: &String| columns.iter().position(|column| column == name);
        let named = all.into_iter().map(|(mut definition, mut chosen)| {
            chosen.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
            let values = chosen.iter().map(|(_, value)| value.as_str());
            definition.spec.id = definition.spec.id.variant(values);
            definition
        });
        Ok(named.collect())
    }

    /// The same with a value for a parameter, also in its key.
    #[must_use]
    pub fn with(mut self, name: &str, value: &Parameter) -> Self {
        self.spec.key = self.spec.key.filled(name, &value.to_string());
        self.vars.insert(name.to_owned(), value.clone());
        self
    }
}

fn check(values: &[Parameter]) -> Result<(), String> {
    if values.is_empty() {
        return Err("there are no values".to_owned());
    }
    for (at, value) in values.iter().enumerate() {
        if value.to_string().is_empty() {
            return Err("a value is empty".to_owned());
        }
        if values[..at].iter().any(|earlier| earlier.to_string() == value.to_string()) {
            return Err(format!("`{value}` is listed twice"));
        }
    }
    Ok(())
}
