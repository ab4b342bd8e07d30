//! What a strategy's keys hold in the cache already, and what its columns hold: whether readers would
//! find what they expect.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::application::ports::{Ask, Cache, CachedValue, WarmupStrategy};
use crate::domain::advice::{Advice, advice, documents_in_strings};
use crate::domain::encode::Hint;
use crate::domain::entry::{EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::form::Form;
use crate::domain::standing::Kind;

/// Values of the database that are looked at, and of the cache.
const ROWS: usize = 20;
const VALUES: usize = 10;

/// Nothing tells who wrote a value.
const REPLACED: &str =
    "; values from before a change of the definition are replaced by the next run";

/// For each of both.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A strategy's findings; `types`: the columns that its definition says something about.
pub(super) async fn check(
    strategy: &dyn WarmupStrategy,
    types: &[(String, Hint)],
    cache: Option<&dyn Cache>,
) -> Vec<Finding> {
    let spec = strategy.spec();
    let (id, form) = (spec.id.to_string(), Form::from(spec));
    let sample = match timeout(TIMEOUT, first_entries(strategy)).await {
        Ok(Ok(sample)) => sample,
        Ok(Err(failure)) => return vec![Finding::of(id, &failure)],
        Err(_) => return vec![no_time(id, "sample", "query")],
    };
    let ours: Vec<Json> = sample.iter().filter_map(|entry| meaning(entry.value, form)).collect();
    let mut findings: Vec<Finding> = documents(&id, &ours, types).into_iter().collect();
    if let Some(cache) = cache {
        findings.extend(match timeout(TIMEOUT, compare(strategy, cache, &sample)).await {
            Ok(Ok(compared)) => compared.finding(id),
            // The permission check names what this user is not allowed to do.
            Ok(Err(failure)) if failure.kind == FailureKind::CacheDenied => None,
            Ok(Err(failure)) => Some(unread(id, &failure)),
            Err(_) => Some(no_time(id, "cached values", "cache")),
        });
    }
    findings
}

fn no_time(id: String, what: &str, slow: &str) -> Finding {
    let seconds = TIMEOUT.as_secs();
    let text = format!("{what} not checked: the {slow} took longer than {seconds} s");
    Finding::warning(id, text)
}

fn unread(id: String, failure: &Failure) -> Finding {
    Finding::warning(id, format!("cannot read its cached values to compare them: {failure}"))
}

async fn first_entries(strategy: &dyn WarmupStrategy) -> Result<EntryBatch, Failure> {
    let ask = Ask::all(Some(ROWS as u64)).batch_size(ROWS);
    let mut batches = strategy.entries(ask);
    let first = batches.try_next().await?.unwrap_or_default();
    // To the end: an unfinished query costs its connection.
    while batches.try_next().await?.is_some() {}
    Ok(first)
}

fn meaning(value: Value<'_>, form: Form) -> Option<Json> {
    match value {
        Value::Text(text) => form.read(text),
        Value::Json(_) | Value::Collection(..) => None,
    }
}

/// Columns that hold documents as strings, unless the definition says what they are.
fn documents(id: &str, ours: &[Json], types: &[(String, Hint)]) -> Option<Finding> {
    let mut columns = documents_in_strings(ours.iter());
    columns.retain(|column| !types.iter().any(|(name, _)| name == column));
    if columns.is_empty() {
        return None;
    }
    let text = format!(
        "each sampled text of {} is a JSON document, and is stored as a string",
        columns.join(", ")
    );
    let as_type = |hint: &str| {
        let types: Vec<String> =
            columns.iter().map(|name| format!("{name} = \"{hint}\"")).collect();
        format!("types = {{ {} }}", types.join(", "))
    };
    let (json, string) = (as_type("json"), as_type("string"));
    let hint = format!("add {json} to embed it, or {string} if readers want a string");
    Some(Finding::warning(id, text).hint(hint))
}

/// What was found in the cache.
#[derive(Default)]
struct Compared {
    values: usize,
    advice: Vec<(Advice, usize)>,
}

impl Compared {
    fn add(&mut self, found: Vec<Advice>) {
        self.values += 1;
        for advice in found {
            match self.advice.iter_mut().find(|(known, _)| *known == advice) {
                Some((_, count)) => *count += 1,
                None => self.advice.push((advice, 1)),
            }
        }
    }

    fn finding(self, id: String) -> Option<Finding> {
        let all = self.values;
        let found = self.advice.iter();
        let found: Vec<String> = found
            .map(|(advice, count)| format!("{count} of {all} values in the cache {}", advice.what))
            .collect();
        let todo: Vec<&str> = self.advice.iter().map(|(advice, _)| advice.todo.as_str()).collect();
        let hint = todo.join("; ") + REPLACED;
        let finding = || Finding::warning(id, found.join("; ")).hint(hint);
        (!found.is_empty()).then(finding)
    }
}

/// Looks at values in the cache: of the same keys, or else of others of the strategy.
async fn compare(
    strategy: &dyn WarmupStrategy,
    cache: &dyn Cache,
    sample: &EntryBatch,
) -> Result<Compared, Failure> {
    let spec = strategy.spec();
    let form = Form::from(spec);
    let any = sample.iter().find_map(|entry| meaning(entry.value, form));
    let mut compared = Compared::default();
    let mut look = |value: CachedValue, ours: Option<&Json>| {
        compared.add(about(&value, ours, form));
        compared.values == VALUES
    };
    for entry in sample.iter() {
        if let Some(cached) = cache.read(entry.key).await? {
            let ours = meaning(entry.value, form);
            if look(cached.value, ours.as_ref()) {
                return Ok(compared);
            }
        }
    }
    if compared.values > 0 {
        return Ok(compared);
    }
    let prefix = spec.key.literal_start();
    let mut look = |value: CachedValue| {
        compared.add(about(&value, any.as_ref(), form));
        compared.values == VALUES
    };
    let mut keys = cache.scan(prefix.as_bytes());
    while let Some(some) = keys.try_next().await? {
        let is_ours =
            |key: &&Vec<u8>| std::str::from_utf8(key).is_ok_and(|key| spec.key.makes(key));
        for key in some.iter().filter(is_ours) {
            if let Some(cached) = cache.read(key).await?
                && look(cached.value)
            {
                return Ok(compared);
            }
        }
    }
    Ok(compared)
}

fn about(value: &CachedValue, ours: Option<&Json>, form: Form) -> Vec<Advice> {
    let wanted = Kind::of(form.shape);
    let kind = value.kind();
    match value {
        CachedValue::Text(stored) if wanted == Kind::Text => return advice(stored, ours, form),
        _ if kind == wanted => return Vec::new(),
        _ => {}
    }
    let todo = match &kind {
        Kind::Hash | Kind::Set | Kind::SortedSet | Kind::Json => {
            format!("add value = \"{}\"", kind.name())
        }
        Kind::Text => "set `value` and `format` to what readers expect".to_owned(),
        Kind::Other(_) => "check whether these keys belong to this strategy".to_owned(),
    };
    let what = format!("are of the type {}, not {}", kind.name(), wanted.name());
    vec![Advice { what, todo }]
}
