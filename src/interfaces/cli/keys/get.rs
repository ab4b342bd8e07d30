//! `shopwarm keys get`.

use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use crate::application::lookup;
use crate::application::ports::{Cached, CachedValue};
use crate::application::selection::Selection;
use crate::config::Config;
use crate::domain::entry::{Entry, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{KeyTemplate, printable, shortened};
use crate::domain::meaning::{self, Difference};
use crate::domain::standing::Kind;
use crate::domain::strategy::{Definition, Shape};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::interfaces::report::document::{inert, pretty};
use crate::interfaces::report::keys::time_left;
use crate::setup;

/// More characters of a value than this are not shown without `-v`.
const SHOWN_VALUE: usize = 2_000;

/// The state of a key that has a row which makes no value.
const NO_FORM: &str = "no JSON form";

/// Differences shown without `-v`.
const SHOWN_DIFFERENCES: usize = 40;

#[derive(Args, Debug)]
pub struct GetArgs {
    #[arg(value_name = "KEY")]
    key: String,
    /// Print the cached bytes alone
    #[arg(long, env = "SHOPWARM_RAW", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    raw: bool,
}

/// Shows a key, or its cached bytes alone.
pub(super) async fn run(args: &GetArgs, config: &Config, output: &Output) -> Result<Exit, Failure> {
    match args.raw {
        true => raw(&args.key, config).await,
        false => get(&args.key, config, output).await,
    }
}

/// The cached bytes and nothing else.
async fn raw(key: &str, config: &Config) -> Result<Exit, Failure> {
    let cache = setup::cache(config, setup::Access::Look).await?;
    let mut found = None;
    for key in spellings(key, &config.prefix) {
        found = cache.read(key.as_bytes()).await?;
        if found.is_some() {
            break;
        }
    }
    let shown = shortened(&printable(key.as_bytes()), 120);
    let bytes = match found.map(|cached| cached.value) {
        Some(CachedValue::Text(text)) => text,
        Some(CachedValue::Hash(fields)) => hash_json(&fields).to_string().into_bytes(),
        Some(CachedValue::Other(kind)) => {
            let why = format!("it is a {kind}, which has no bytes of its own");
            return Err(Failure::new(FailureKind::CacheRefused, shown, why));
        }
        None => {
            let why = "the cache holds nothing there";
            return Err(Failure::new(FailureKind::CacheRefused, shown, why));
        }
    };
    let mut out = Output::stream();
    out.write(&bytes);
    out.flush();
    Ok(Exit::Success)
}

/// A key as it was given, and with the prefix.
fn spellings(key: &str, prefix: &str) -> Vec<String> {
    let mut spellings = vec![key.to_owned()];
    if !prefix.is_empty() {
        spellings.push(format!("{prefix}{key}"));
    }
    spellings
}

/// Everything that is known of one key.
struct Shown {
    key: String,
    strategy: Option<Definition>,
    cached: Option<Cached>,
    database: Result<Option<Made>, Failure>,
}

/// What the database gives for a key.
#[derive(Default)]
struct Made {
    value: Option<CachedValue>,
    /// Why the row makes no value.
    error: Option<String>,
}

async fn get(key: &str, config: &Config, output: &Output) -> Result<Exit, Failure> {
    let definitions = setup::definitions(config, &Selection::All)?.0;
    let mut found = None;
    let spellings = spellings(key, &config.prefix);
    for spelled in &spellings {
        let templates: Vec<KeyTemplate> = definitions
            .iter()
            .map(|d| d.spec.key.clone().with_prefix(&config.prefix))
            .collect();
        if let Some(index) = lookup::maker(templates.iter(), spelled) {
            found = Some((spelled.clone(), definitions[index].clone()));
            break;
        }
    }
    let cache = setup::cache(config, setup::Access::Look).await?;
    let mut shown = Shown {
        key: found
            .as_ref()
            .map_or_else(|| key.to_owned(), |(key, _)| key.clone()),
        strategy: found.map(|(_, definition)| definition),
        cached: None,
        database: Ok(None),
    };
    shown.cached = cache.read(shown.key.as_bytes()).await?;
    if shown.strategy.is_none() && shown.cached.is_none() {
        for spelled in spellings.into_iter().skip(1) {
            shown.cached = cache.read(spelled.as_bytes()).await?;
            shown.key = spelled;
        }
    }
    if let Some(definition) = &shown.strategy {
        shown.database = made(&shown.key, definition, config).await.map(Some);
    }
    let exit = shown.exit();
    let text = match output.format {
        Format::Json => pretty(&shown.json()),
        Format::Ndjson => inert(&format!("{}\n", shown.json())),
        Format::Table | Format::Csv | Format::Markdown => shown.text(output.verbose, config),
    };
    output.result(&text);
    if let Err(failure) = &shown.database {
        output.failure(failure);
    }
    Ok(exit)
}

async fn made(key: &str, definition: &Definition, config: &Config) -> Result<Made, Failure> {
    let id = definition.spec.id.to_string();
    let strategies = setup::strategies(config, &Selection::Strategies(vec![id])).await?;
    let Some(strategy) = strategies.first() else {
        return Ok(Made::default());
    };
    let mut batch = lookup::load(strategy.as_ref(), key).await?;
    Ok(Made {
        value: batch.get(0).map(|entry| value_of(entry)),
        error: batch.failed.pop().map(|failed| failed.error),
    })
}

fn value_of(entry: Entry<'_>) -> CachedValue {
    match entry.value {
        Value::Text(text) => CachedValue::Text(text.to_vec()),
        Value::Hash(fields) => {
            let pairs = fields.iter().map(|(n, v)| (n.to_vec(), v.to_vec()));
            CachedValue::Hash(pairs.collect())
        }
    }
}

fn hash_json(fields: &[(Vec<u8>, Vec<u8>)]) -> Json {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs = fields.iter().map(|(n, v)| (text(n), text(v).into()));
    Json::Object(pairs.collect())
}

/// A value as JSON, where it is any.
fn decoded(value: &CachedValue, shape: Option<Shape>) -> Option<Json> {
    match value {
        CachedValue::Text(text) if shape == Some(Shape::Text) => {
            Some(String::from_utf8(text.clone()).ok()?.into())
        }
        CachedValue::Text(text) => serde_json::from_slice(text).ok(),
        CachedValue::Hash(fields) => Some(hash_json(fields)),
        CachedValue::Other(_) => None,
    }
}

fn kind_of(value: &CachedValue) -> Kind {
    match value {
        CachedValue::Text(_) => Kind::Text,
        CachedValue::Hash(_) => Kind::Hash,
        CachedValue::Other(name) => Kind::Other(name.clone()),
    }
}

fn bytes_of(value: &CachedValue) -> Option<u64> {
    match value {
        CachedValue::Text(text) => Some(text.len() as u64),
        CachedValue::Hash(fields) => {
            Some(fields.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum())
        }
        CachedValue::Other(_) => None,
    }
}

impl Shown {
    fn shape(&self) -> Option<Shape> {
        self.strategy.as_ref().map(|d| d.spec.value)
    }

    fn new_value(&self) -> Option<&CachedValue> {
        self.database.as_ref().ok()?.as_ref()?.value.as_ref()
    }

    /// Why the key's row makes no value.
    fn unencodable(&self) -> Option<&str> {
        self.database.as_ref().ok()?.as_ref()?.error.as_deref()
    }

    /// In one word how the two stand to each other.
    fn state(&self) -> &'static str {
        match (&self.cached, self.new_value()) {
            (_, None) if self.unencodable().is_some() => NO_FORM,
            (None, None) => "nowhere",
            (None, Some(_)) => "missing",
            (Some(_), None) if self.strategy.is_none() => "no strategy makes it",
            (Some(_), None) if self.database.is_err() => "not compared",
            (Some(_), None) => "orphan",
            (Some(cached), Some(new)) if kind_of(&cached.value) != kind_of(new) => "wrong-type",
            (Some(cached), Some(new)) if same(&cached.value, new, self.shape()) => "identical",
            _ => "different",
        }
    }

    /// Field by field, where both can be read.
    fn differences(&self) -> Vec<Difference> {
        let (Some(cached), Some(new)) = (&self.cached, self.new_value()) else {
            return Vec::new();
        };
        match (
            decoded(&cached.value, self.shape()),
            decoded(new, self.shape()),
        ) {
            (Some(cached), Some(new)) => meaning::differences(&cached, &new),
            _ => Vec::new(),
        }
    }

    fn exit(&self) -> Exit {
        match (&self.database, self.state()) {
            (Err(failure), _) => failure.into(),
            (Ok(_), "nowhere" | NO_FORM) => Exit::Incomplete,
            _ => Exit::Success,
        }
    }

    fn json(&self) -> Json {
        let side = |value: &CachedValue| {
            json!({
                "type": kind_of(value).name(),
                "bytes": bytes_of(value),
                "value": decoded(value, self.shape()).or_else(|| match value {
                    CachedValue::Text(text) => Some(printable(text).into()),
                    _ => None,
                }),
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
        let differences = self.differences().into_iter().map(|difference| {
            json!({ "field": difference.path, "cached": difference.cached, "database": difference.database })
        });
        json!({
            "schema_version": 1,
            "key": self.key,
            "strategy": self.strategy.as_ref().map(|d| d.spec.id.to_string()),
            "state": match self.state() {
                NO_FORM => "no_json_form".to_owned(),
                state => state.replace('-', "_"),
            },
            "cached": cached,
            "database": self.new_value().map(side),
            "error": error,
            "differences": differences.collect::<Vec<_>>(),
        })
    }

    fn text(&self, verbose: bool, config: &Config) -> String {
        let bold = anstyle::Style::new().bold();
        let key = shortened(&printable(self.key.as_bytes()), 1000);
        let mut text = format!("{bold}{key}{bold:#}\n");
        let mut line = |name: &str, what: String| text += &format!("{name:10} {what}\n");
        match &self.strategy {
            Some(definition) => {
                let ttl = definition.spec.ttl.unwrap_or(config.options.default_ttl);
                let ttl = humantime::format_duration(ttl);
                line("strategy", format!("{}, TTL {ttl}", definition.spec.id));
            }
            None => line("strategy", "none makes this key".to_owned()),
        }
        line(
            "cached",
            match &self.cached {
                Some(cached) => {
                    let expiry = match &cached.ttl {
                        Ok(Some(ttl)) => format!("expires in {}", time_left(*ttl)),
                        Ok(None) => "never expires".to_owned(),
                        Err(why) => format!("its time left is not known: {why}"),
                    };
                    format!("{}, {expiry}", described(&cached.value))
                }
                None => "nothing".to_owned(),
            },
        );
        line("database", self.database_line());
        line("state", self.coloured_state());
        text + &self.differences_text(verbose) + &self.value_text(verbose)
    }

    fn database_line(&self) -> String {
        match (&self.database, &self.strategy) {
            (Err(failure), _) => format!("not known: {failure}"),
            (Ok(_), None) => "not asked".to_owned(),
            (Ok(made), _) => match made {
                Some(Made {
                    value: Some(value), ..
                }) => described(value),
                Some(Made {
                    error: Some(error), ..
                }) => format!("{NO_FORM}: {error}"),
                _ => "no row".to_owned(),
            },
        }
    }

    fn coloured_state(&self) -> String {
        let state = self.state();
        let colour = match state {
            "identical" => anstyle::AnsiColor::Green,
            "missing" | "different" | "orphan" => anstyle::AnsiColor::Yellow,
            "wrong-type" | "nowhere" | NO_FORM => anstyle::AnsiColor::Red,
            _ => return state.to_owned(),
        };
        let style = colour.on_default();
        format!("{style}{state}{style:#}")
    }

    fn differences_text(&self, verbose: bool) -> String {
        let red = anstyle::AnsiColor::Red.on_default();
        let green = anstyle::AnsiColor::Green.on_default();
        let differences = self.differences();
        let shown = if verbose {
            usize::MAX
        } else {
            SHOWN_DIFFERENCES
        };
        let mut text = String::new();
        for difference in differences.iter().take(shown) {
            let path = match difference.path.as_str() {
                "" => "the value".to_owned(),
                path => printable(path.as_bytes()),
            };
            text += &format!("\n  {path}\n");
            let side = |value: &str| shortened(&printable(value.as_bytes()), 200);
            if let Some(cached) = &difference.cached {
                text += &format!("    {red}- {}{red:#}\n", side(cached));
            }
            if let Some(database) = &difference.database {
                text += &format!("    {green}+ {}{green:#}\n", side(database));
            }
        }
        if differences.len() > shown {
            text += &format!("\n  and {} more; -v shows all\n", differences.len() - shown);
        }
        text
    }

    /// The cached value, or the one that would be.
    fn value_text(&self, verbose: bool) -> String {
        let cached = self.cached.as_ref().map(|cached| &cached.value);
        let (title, value) = match (cached, self.new_value()) {
            (Some(value), _) => ("cached value", value),
            (None, Some(value)) => ("the database's value", value),
            (None, None) => return String::new(),
        };
        let whole = match (decoded(value, self.shape()), value) {
            (Some(json), _) => serde_json::to_string_pretty(&json).unwrap_or_default(),
            (None, CachedValue::Text(text)) => printable(text),
            (None, _) => return String::new(),
        };
        let limit = if verbose { usize::MAX } else { SHOWN_VALUE };
        let whole = shortened(&whole, limit);
        let lines: Vec<String> = whole
            .lines()
            .map(|line| format!("  {}", printable(line.as_bytes())))
            .collect();
        format!("\n{title}:\n{}\n", lines.join("\n"))
    }
}

fn same(cached: &CachedValue, new: &CachedValue, shape: Option<Shape>) -> bool {
    match (cached, new) {
        (CachedValue::Text(a), CachedValue::Text(b)) if shape != Some(Shape::Text) => {
            meaning::same(a, b)
        }
        (CachedValue::Hash(a), CachedValue::Hash(b)) => hash_json(a) == hash_json(b),
        (a, b) => a == b,
    }
}

/// Type, form and size.
fn described(value: &CachedValue) -> String {
    let size = |bytes: Option<u64>| HumanBytes(bytes.unwrap_or_default());
    match value {
        CachedValue::Text(text) => {
            let form = match serde_json::from_slice::<Json>(text) {
                Ok(_) => "JSON",
                Err(_) => "no JSON",
            };
            format!("string ({form}), {}", size(bytes_of(value)))
        }
        CachedValue::Hash(fields) => {
            format!("hash, {} fields, {}", fields.len(), size(bytes_of(value)))
        }
        CachedValue::Other(kind) => kind.clone(),
    }
}
