//! One key: its cached value, the database's value, and their differences.

use serde_json::{Value as Json, json};

use super::key_line::time_left;
use super::value::{bytes_of, decoded, described, format_of, same};
use super::words::NONE;
use crate::application::ports::{Cached, CachedValue};
use crate::domain::failure::Failure;
use crate::domain::form::Form;
use crate::domain::json_equality::{self, Difference};
use crate::domain::key::{printable, shortened};
use crate::domain::sniff::sniff;
use crate::domain::strategy::Shape;
use crate::domain::ttl::{Ttl, shown};
use crate::domain::wording::quoted;
use crate::interfaces::output::wrap;

/// Max characters of a value without `-v`.
const SHOWN_VALUE: usize = 2_000;

/// Max differences without `-v`.
const SHOWN_DIFFERENCES: usize = 40;

/// Max length of a text in a difference.
const SHOWN_SIDE: usize = 200;

/// Columns of the names at the left, and of what stands beside them at least.
const MARGIN: usize = 11;
const NARROWEST: usize = 20;

/// Everything known about a key.
pub(crate) struct KeyReport {
    pub key: String,
    /// Those of this command, for the next one.
    pub flags: String,
    pub strategy: Option<Maker>,
    /// The key that may be meant, if no strategy makes this one.
    pub meant: Option<String>,
    pub cached: Option<Cached>,
    pub database: Result<Option<Made>, Failure>,
}

/// The strategy of a key.
pub(crate) struct Maker {
    pub id: String,
    pub ttl: Ttl,
    pub form: Form,
}

/// The database's value of a key.
#[derive(Default)]
pub(crate) struct Made {
    pub value: Option<CachedValue>,
    /// Why the row cannot be encoded.
    pub error: Option<String>,
}

/// How cache and database compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum State {
    Identical,
    /// Identical, but it expires soon.
    Expiring,
    Different,
    Missing,
    WrongType,
    /// Cached, but without a row.
    Orphan,
    #[strum(serialize = "not cached")]
    Nowhere,
    /// The row cannot be encoded.
    #[strum(serialize = "no JSON form")]
    NoForm,
    #[strum(serialize = "no strategy makes it")]
    NoStrategy,
    /// The database did not answer.
    #[strum(serialize = "not compared")]
    NotCompared,
}

impl State {
    fn name(self) -> &'static str {
        self.into()
    }

    fn json(self) -> String {
        match self {
            Self::Nowhere => "nowhere".to_owned(),
            Self::NoForm => "no_json_form".to_owned(),
            state => state.name().replace('-', "_"),
        }
    }

    fn coloured(self) -> String {
        let name = self.name();
        let colour = match self {
            Self::Identical => anstyle::AnsiColor::Green,
            Self::Expiring | Self::Missing | Self::Different | Self::Orphan => {
                anstyle::AnsiColor::Yellow
            }
            Self::WrongType | Self::Nowhere | Self::NoForm => anstyle::AnsiColor::Red,
            Self::NoStrategy | Self::NotCompared => return name.to_owned(),
        };
        let style = colour.on_default();
        format!("{style}{name}{style:#}")
    }
}

impl KeyReport {
    /// How the value is stored: as its strategy says, or else as its bytes tell.
    fn form(&self) -> Form {
        if let Some(maker) = &self.strategy {
            return maker.form;
        }
        let stored = self.cached.as_ref().and_then(|cached| cached.value.text());
        let coding = stored.and_then(|stored| sniff(stored).coding());
        Form { coding: coding.unwrap_or_default(), ..Shape::Object.into() }
    }

    fn made(&self) -> Option<&Made> {
        self.database.as_ref().ok()?.as_ref()
    }

    fn new_value(&self) -> Option<&CachedValue> {
        self.made()?.value.as_ref()
    }

    pub(crate) fn state(&self) -> State {
        match (&self.cached, self.new_value()) {
            (_, None) if self.made().is_some_and(|made| made.error.is_some()) => State::NoForm,
            (None, None) => State::Nowhere,
            (None, Some(_)) => State::Missing,
            (Some(_), None) if self.strategy.is_none() => State::NoStrategy,
            (Some(_), None) if self.database.is_err() => State::NotCompared,
            (Some(_), None) => State::Orphan,
            (Some(cached), Some(new)) if cached.value.kind() != new.kind() => State::WrongType,
            (Some(cached), Some(new)) => match same(&cached.value, new, self.form()) {
                true if self.is_expiring(cached) => State::Expiring,
                true => State::Identical,
                false => State::Different,
            },
        }
    }

    fn is_expiring(&self, cached: &Cached) -> bool {
        let soon = self.strategy.as_ref().map(|maker| maker.ttl.expiring(self.key.as_bytes()));
        matches!((&cached.ttl, soon), (Ok(Some(left)), Some(soon)) if *left <= soon)
    }

    /// The differences by field, if both values are JSON of the same type.
    fn differences(&self) -> Vec<Difference> {
        if self.state() == State::WrongType {
            return Vec::new();
        }
        let decoded = |value| decoded(value, self.form());
        let cached = self.cached.as_ref().and_then(|c| decoded(&c.value));
        match (cached, self.new_value().and_then(decoded)) {
            (Some(cached), Some(new)) => json_equality::differences(&cached, &new),
            _ => Vec::new(),
        }
    }

    pub(crate) fn json(&self) -> Json {
        let side = |value: &CachedValue| {
            let whole = decoded(value, self.form());
            json!({
                "type": value.kind().name(),
                "format": format_of(value, self.form()),
                "bytes": bytes_of(value),
                "value": whole.or_else(|| Some(printable(value.text()?).into())),
            })
        };
        let cached = self.cached.as_ref().map(|cached| {
            let mut json = side(&cached.value);
            json["ttl_seconds"] = match &cached.ttl {
                Ok(Some(ttl)) => ttl.as_secs().into(),
                Ok(None) => (-1).into(),
                Err(_) => Json::Null,
            };
            json
        });
        let error = match &self.database {
            Err(failure) => Some(failure.to_string()),
            Ok(made) => made.as_ref().and_then(|made| made.error.clone()),
        };
        let differences = self.differences().into_iter().map(
            |Difference {
                 path,
                 cached,
                 database,
             }| { json!({ "field": path, "cached": cached, "database": database }) },
        );
        json!({
            "schema_version": 1,
            "key": self.key,
            "strategy": self.strategy.as_ref().map(|maker| &maker.id),
            "state": self.state().json(),
            "cached": cached,
            "database": self.new_value().map(side),
            "error": error,
            "differences": differences.collect::<Vec<_>>(),
        })
    }

    /// `width`: of the terminal, if there is one.
    pub(crate) fn text(&self, verbose: bool, width: Option<usize>) -> String {
        let bold = anstyle::Style::new().bold();
        let key = shortened(&printable(self.key.as_bytes()), 1000);
        let strategy = match &self.strategy {
            Some(Maker { id, ttl, .. }) => {
                format!("{id}, TTL {}", shown(ttl.base))
            }
            None => NONE.to_owned(),
        };
        let (next, note) = self.next().unzip();
        let lines = [
            ("strategy", Some(strategy)),
            ("cached", Some(self.cached_line())),
            ("database", Some(self.database_line())),
            ("state", Some(self.state().coloured())),
            ("next", next),
            ("", note.flatten().map(str::to_owned)),
        ];
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(MARGIN).max(NARROWEST));
        let line = |(name, what): (&str, Option<String>)| {
            // A command is never broken, so that it can be copied.
            let room = if name == "next" { usize::MAX } else { room };
            let what = wrap(&what?, room).join(&format!("\n{:MARGIN$}", ""));
            Some(format!("{name:10} {what}\n"))
        };
        let lines: String = lines.into_iter().filter_map(line).collect();
        let (differences, value) = (self.differences_text(verbose), self.value_text(verbose));
        format!("{bold}{key}{bold:#}\n{lines}{differences}{value}")
    }

    /// What to do about its state, and what that does.
    fn next(&self) -> Option<(String, Option<&'static str>)> {
        let (key, flags) = (quoted(&self.key), &self.flags);
        Some(match self.state() {
            State::Expiring | State::Different | State::Missing | State::WrongType => {
                (format!("shopwarm warmup keys {key}{flags}"), None)
            }
            State::Orphan => {
                let id = self.strategy.as_ref().map(|maker| maker.id.as_str());
                let what = quoted(id.unwrap_or("all"));
                (
                    format!("shopwarm warmup {what} --prune{flags}"),
                    Some("removes it if an earlier run wrote it"),
                )
            }
            State::Nowhere | State::NoStrategy if self.strategy.is_none() => match &self.meant {
                Some(meant) => (
                    format!("shopwarm keys get {}{flags}", quoted(meant)),
                    Some("did you mean this key?"),
                ),
                None => {
                    (format!("shopwarm strategies{flags}"), Some("lists the keys of each strategy"))
                }
            },
            State::Nowhere => {
                let id = self.strategy.as_ref().map(|maker| maker.id.as_str());
                let list = format!("shopwarm keys list {}{flags}", quoted(id.unwrap_or("all")));
                (list, Some("lists the keys that have a row"))
            }
            _ => return None,
        })
    }

    fn cached_line(&self) -> String {
        let Some(Cached { value, ttl }) = &self.cached else {
            return "nothing".to_owned();
        };
        let expiry = match ttl {
            Ok(Some(ttl)) => format!("expires in {}", time_left(*ttl)),
            Ok(None) => "never expires".to_owned(),
            Err(why) => format!("its TTL is not known: {why}"),
        };
        format!("{}, {expiry}", described(value, self.form()))
    }

    fn database_line(&self) -> String {
        match (&self.database, &self.strategy, self.made()) {
            (Err(failure), ..) => format!("not known: {failure}"),
            (Ok(_), None, _) => "not read".to_owned(),
            (_, _, Some(Made { value: Some(value), .. })) => described(value, self.form()),
            (_, _, Some(Made { error: Some(error), .. })) => {
                format!("{}: {error}", State::NoForm.name())
            }
            _ => "no row from the query".to_owned(),
        }
    }

    fn differences_text(&self, verbose: bool) -> String {
        let red = anstyle::AnsiColor::Red.on_default();
        let green = anstyle::AnsiColor::Green.on_default();
        let side = |value: &str| shortened(&printable(value.as_bytes()), SHOWN_SIDE);
        let differences = self.differences();
        let shown = if verbose { usize::MAX } else { SHOWN_DIFFERENCES };
        let mut text = match differences.is_empty() {
            true => String::new(),
            false => format!("\n  {red}- cached{red:#}  {green}+ database{green:#}\n"),
        };
        for Difference { path, cached, database } in differences.iter().take(shown) {
            let path = match path.as_str() {
                "" => "the value".to_owned(),
                path => printable(path.as_bytes()),
            };
            text += &format!("\n  {path}\n");
            if let Some(cached) = cached {
                text += &format!("    {red}- {}{red:#}\n", side(cached));
            }
            if let Some(database) = database {
                text += &format!("    {green}+ {}{green:#}\n", side(database));
            }
        }
        if differences.len() > shown {
            text += &format!("\n  and {} more; -v shows all\n", differences.len() - shown);
        }
        text
    }

    /// The cached value, or else the database's.
    fn value_text(&self, verbose: bool) -> String {
        let cached = self.cached.as_ref().map(|cached| ("cached value", &cached.value));
        let new = || self.new_value().map(|value| ("the database's value", value));
        let Some((title, value)) = cached.or_else(new) else {
            return String::new();
        };
        let whole = match (decoded(value, self.form()), value.text()) {
            (Some(json), _) => serde_json::to_string_pretty(&json).unwrap_or_default(),
            (None, Some(text)) => printable(text),
            (None, None) => return String::new(),
        };
        let limit = if verbose { usize::MAX } else { SHOWN_VALUE };
        let whole = shortened(&whole, limit);
        let lines = whole.lines().map(|line| format!("  {}", printable(line.as_bytes())));
        format!("\n{title}:\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    }
}
