//! Values for the variables of definitions.

use std::str::FromStr;

use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::group::Setting;
use crate::domain::parameter::{Parameter, Vars, is_parameter_name};

/// Variables by name. A place with higher precedence changes those that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variables(pub Vars);

impl Variables {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Variables {
    type Err = String;

    /// `NAME=VALUE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
        if !is_parameter_name(name) {
            return Err(format!("`{name}` cannot be a name: letters, digits and _ only"));
        }
        let value = Parameter::Text(value.to_owned());
        Ok(Self(Vars::from([(name.to_owned(), value)])))
    }
}

impl Setting for Variables {
    fn given(matches: &ArgMatches, id: &str) -> Option<Self> {
        let all = matches.try_get_many::<Self>(id).ok().flatten()?;
        Some(Self(all.flat_map(|variables| variables.0.clone()).collect()))
    }

    /// A text from the command line is of the type that the file gives the variable.
    fn over(self, base: Self) -> Self {
        let mut all = base.0;
        for (name, value) in self.0 {
            let value = match all.get(&name) {
                Some(base) => value.like(base),
                None => value,
            };
            all.insert(name, value);
        }
        Self(all)
    }

    fn schema(description: &str) -> Schema {
        let types = SchemaType::from_iter([Type::Object, Type::Null]);
        let schema = ObjectBuilder::new().schema_type(types);
        schema.description(Some(description)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_keeps_the_type_that_it_has() {
        let base: Variables = toml::from_str("store = 1\nlocale = \"en\"").expect("valid");
        let given: Variables = "store=2".parse().expect("valid");
        let both = given.over(base).0;
        assert_eq!(both["store"], Parameter::Int(2));
        assert_eq!(both["locale"], Parameter::Text("en".to_owned()));
        for wrong in ["store", "=1", "a b=1"] {
            assert!(wrong.parse::<Variables>().is_err(), "{wrong}");
        }
    }
}
