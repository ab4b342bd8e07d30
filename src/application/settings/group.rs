//! Groups of settings: their names, how they are read, and how they override each other.

use std::fmt;
use std::marker::PhantomData;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, Visitor,
};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

/// The value of a setting.
pub trait Setting: DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its schema in the OpenAPI document.
    const TYPE: Type = Type::String;

    /// The value in the command line or the environment.
    fn given(matches: &ArgMatches, id: &str) -> Option<Self> {
        matches.try_get_one(id).ok().flatten().cloned()
    }

    /// What is said where a place with lower precedence says something too: usually nothing of that
    /// is left.
    #[must_use]
    fn over(self, _base: Self) -> Self {
        self
    }

    /// The meaning of null: usually that the setting is absent.
    fn null() -> Option<Self> {
        None
    }

    /// Adds the valid values to its schema.
    fn bounds(schema: ObjectBuilder) -> ObjectBuilder {
        schema
    }

    fn schema(description: &str) -> Schema {
        let types = SchemaType::from_iter([Self::TYPE, Type::Null]);
        let schema = ObjectBuilder::new().schema_type(types);
        Self::bounds(schema.description(Some(description))).into()
    }
}

/// Optional settings by name.
pub trait Settings: Default {
    fn names() -> Vec<&'static str>;

    /// Reads the setting with this name, once.
    ///
    /// # Errors
    /// The value is not valid.
    fn read<'de, D: Deserializer<'de>>(&mut self, name: &str, from: D) -> Result<(), D::Error>;

    /// Reads a table or an object.
    ///
    /// # Errors
    /// A value is not valid, or a name is not known.
    fn read_all<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Table(PhantomData))
    }
}

/// Settings for the command line, the environment and files.
pub trait Group: Settings + Serialize {
    fn defaults() -> Self;

    /// The settings from one of these sources: command line or environment.
    fn given(matches: &ArgMatches, source: ValueSource) -> Self;

    #[must_use]
    fn over(self, base: Self) -> Self;

    /// Adds each setting to the schema of an object, with the `help` for its name.
    fn properties(object: ObjectBuilder, help: impl Fn(&str) -> String) -> ObjectBuilder;

    /// The values that are set, by name.
    fn said(&self) -> Map<String, Value>;
}

/// Declares a group: name, type and default of each setting.
macro_rules! settings {
    (@default) => { None };
    (@default $default:expr) => { Some($default) };
    ($(#[$of:meta])* pub struct $group:ident {
        $($(#[$meta:meta])* $name:ident: $type:ty $(= $default:expr)?,)*
    }) => {
        $(#[$of])*
        #[allow(unreachable_pub, reason = "only some groups leave the crate")]
        #[derive(Clone, Debug, Default, serde::Serialize)]
        pub struct $group {
            $($(#[$meta])*
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $name: Option<$type>,)*
        }

        impl $group {
            $($(
                /// The value that is set, or the default.
                pub fn $name(&self) -> $type {
                    self.$name.as_ref().map_or_else(|| $default, Clone::clone)
                }
            )?)*
        }

        impl $crate::application::settings::group::Settings for $group {
            fn names() -> Vec<&'static str> {
                vec![$(stringify!($name)),*]
            }

            fn read<'de, D: serde::Deserializer<'de>>(
                &mut self,
                name: &str,
                from: D,
            ) -> Result<(), D::Error> {
                use $crate::application::settings::group::{read_into, unknown};
                match name {
                    $(stringify!($name) => read_into(&mut self.$name, name, from),)*
                    _ => Err(unknown(name, &Self::names())),
                }
            }
        }

        impl $crate::application::settings::group::Group for $group {
            fn defaults() -> Self {
                use $crate::application::settings::group::settings;
                Self { $($name: settings!(@default $($default)?)),* }
            }

            fn given(matches: &clap::ArgMatches, source: clap::parser::ValueSource) -> Self {
                use $crate::application::settings::group::given;
                Self { $($name: given(matches, stringify!($name), source)),* }
            }

            fn over(self, base: Self) -> Self {
                use $crate::application::settings::group::over;
                Self { $($name: over(self.$name, base.$name)),* }
            }

            fn said(&self) -> serde_json::Map<String, serde_json::Value> {
                use $crate::application::settings::group::shown;
                let all = [$((stringify!($name), self.$name.as_ref().map(shown))),*];
                let said = all.into_iter();
                said.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
            }

            fn properties(
                object: utoipa::openapi::schema::ObjectBuilder,
                help: impl Fn(&str) -> String,
            ) -> utoipa::openapi::schema::ObjectBuilder {
                use $crate::application::settings::group::Setting;
                object$(.property(
                    stringify!($name),
                    <$type as Setting>::schema(&help(stringify!($name))),
                ))*
            }
        }

        impl<'de> serde::Deserialize<'de> for $group {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::application::settings::group::Settings::read_all(from)
            }
        }
    };
}
pub(crate) use settings;

/// Declares a table with the settings of several groups.
macro_rules! groups {
    ($(#[$of:meta])* pub struct $table:ident { $($group:ident: $type:ty,)* }) => {
        $(#[$of])*
        #[allow(unreachable_pub, reason = "only some tables leave the crate")]
        #[derive(Clone, Debug, Default)]
        pub struct $table {
            $(pub $group: $type,)*
        }

        impl $crate::application::settings::group::Settings for $table {
            fn names() -> Vec<&'static str> {
                [$(<$type>::names()),*].concat()
            }

            fn read<'de, D: serde::Deserializer<'de>>(
                &mut self,
                name: &str,
                from: D,
            ) -> Result<(), D::Error> {
                $(if <$type>::names().contains(&name) {
                    return self.$group.read(name, from);
                })*
                Err($crate::application::settings::group::unknown(name, &Self::names()))
            }
        }

        impl<'de> serde::Deserialize<'de> for $table {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::application::settings::group::Settings::read_all(from)
            }
        }
    };
}
pub(crate) use groups;

/// The value of a setting from the command line or the environment, if the command has this setting.
pub(crate) fn given<T: Setting>(matches: &ArgMatches, id: &str, source: ValueSource) -> Option<T> {
    matches.try_contains_id(id).ok()?;
    (matches.value_source(id) == Some(source)).then(|| T::given(matches, id))?
}

/// A setting that is given in two places.
pub(crate) fn over<T: Setting>(own: Option<T>, base: Option<T>) -> Option<T> {
    match (own, base) {
        (Some(own), Some(base)) => Some(own.over(base)),
        (own, base) => own.or(base),
    }
}

/// The text of a value. A value without a JSON form, such as a path that is not UTF-8, is shown too.
pub(crate) fn shown<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|why| format!("({why})").into())
}

pub(crate) fn read_into<'de, T: Setting, D: Deserializer<'de>>(
    field: &mut Option<T>,
    name: &str,
    from: D,
) -> Result<(), D::Error> {
    // A real null, and not a number that JSON cannot represent.
    let value = Option::<Value>::deserialize(from)?;
    if field.is_some() {
        return Err(D::Error::custom(format!("duplicate field `{name}`")));
    }
    *field = match value {
        None => T::null(),
        Some(Value::Null) => {
            return Err(D::Error::custom(format!("{name}: it is not a finite number")));
        }
        Some(value) => {
            Some(T::deserialize(value).map_err(|why| D::Error::custom(format!("{name}: {why}")))?)
        }
    };
    Ok(())
}

pub(crate) fn unknown<E: Error>(name: &str, known: &[&str]) -> E {
    E::custom(format!("unknown field `{name}`, expected one of `{}`", known.join("`, `")))
}

/// Reads a table.
struct Table<S>(PhantomData<S>);

impl<'de, S: Settings> Visitor<'de> for Table<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<S, A::Error> {
        let mut settings = S::default();
        while let Some(name) = table.next_key_seed(Name::<S>(PhantomData))? {
            let settings = &mut settings;
            table.next_value_seed(Field { settings, name })?;
        }
        Ok(settings)
    }
}

/// Reads a known name; an error includes its position.
struct Name<S>(PhantomData<S>);

impl<'de, S: Settings> DeserializeSeed<'de> for Name<S> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<&'static str, D::Error> {
        let name = String::deserialize(from)?;
        let known = S::names();
        let found = known.iter().find(|known| **known == name);
        found.copied().ok_or_else(|| unknown(&name, &known))
    }
}

/// Reads the setting with this name; an error includes its position.
struct Field<'a, S> {
    settings: &'a mut S,
    name: &'static str,
}

impl<'de, S: Settings> DeserializeSeed<'de> for Field<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.settings.read(self.name, from)
    }
}
