//! Compares the field names and JSON types of existing values with the new ones before overwriting
//! them.

use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::application::ports::{Cache, CachedValue, Mode};
use crate::application::run_state::options::{Options, ShapeGuard};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::form::Form;
use crate::domain::json_equality::Profile;
use crate::domain::key::printable;
use crate::domain::standing::{Kind, Standing};
use crate::domain::strategy::{Shape, StrategySpec};

/// Values compared at most.
const COMPARED: usize = 20;

/// Keys compared of a later batch.
const GLANCE: usize = 10;

/// Of the first batches each is compared; of later ones every `EACH`th.
const EACH: usize = 16;

/// Checks one strategy's batches before they are written.
pub struct ShapeCheck {
    guard: ShapeGuard,
    /// What it warns of has been written by then.
    is_done: bool,
    strategy: String,
    form: Form,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    batches: usize,
    compared: usize,
    cached: Profile,
    new: Profile,
    /// Each change once, with the first key that has it.
    found: Vec<(String, String)>,
    refusal: Option<Failure>,
}

impl State {
    /// Whether enough was compared.
    fn is_done(&self) -> bool {
        self.compared >= COMPARED || !self.found.is_empty()
    }

    fn changes(&self, is_done: bool) -> Vec<String> {
        let found = self.found.iter();
        let mut changes: Vec<String> =
            found.map(|(change, key)| format!("{change}, for example at {key}")).collect();
        changes.extend(self.cached.changes(&self.new, is_done));
        changes
    }
}

impl ShapeCheck {
    /// For a run that overwrites values, or a look at what it would do, unless it is off.
    pub fn wanted(options: &Options, spec: &StrategySpec, only_looks: bool) -> Option<Self> {
        let guard = options.shape;
        (guard != ShapeGuard::Off && options.mode == Mode::Refresh).then(|| Self {
            guard,
            is_done: guard == ShapeGuard::Warn && !only_looks,
            strategy: spec.id.to_string(),
            form: spec.into(),
            state: Mutex::default(),
        })
    }

    /// Why a batch may not be written, if so. Compares the whole first batch while the others wait,
    /// then a few keys now and then until enough values were compared.
    pub async fn refuses(&self, cache: &dyn Cache, batch: &EntryBatch) -> Option<Failure> {
        let mut state = self.state.lock().await;
        if state.refusal.is_some() || state.is_done() {
            return state.refusal.clone();
        }
        state.batches += 1;
        if state.batches == 1 {
            let compared = self.compare(cache, batch, &mut state).await;
            return self.judge(&mut state, compared);
        }
        if state.batches > EACH && !state.batches.is_multiple_of(EACH) {
            return None;
        }
        drop(state);
        let some = spread(batch);
        let mut here = State::default();
        let compared = self.compare(cache, &some, &mut here).await;
        let mut state = self.state.lock().await;
        if state.refusal.is_some() || state.is_done() {
            return state.refusal.clone();
        }
        state.compared += here.compared;
        state.cached.merge(here.cached);
        state.new.merge(here.new);
        for (change, key) in here.found {
            note(&mut state.found, change, key);
        }
        self.judge(&mut state, compared)
    }

    /// A warning about what was found, if it did not stop the strategy.
    pub async fn warning(&self) -> Option<String> {
        let changes = self.state.lock().await.changes(self.is_done);
        let warns = self.guard == ShapeGuard::Warn && !changes.is_empty();
        warns.then(|| self.failure(&changes).to_string())
    }

    fn judge(&self, state: &mut State, compared: Result<(), Failure>) -> Option<Failure> {
        if self.guard == ShapeGuard::Fail {
            let changes = state.changes(self.is_done);
            state.refusal = match compared {
                // If the cache is gone, the write reports it better.
                Err(failure) if !failure.ends_run_of_cache() => Some(self.blind(failure)),
                _ => (!changes.is_empty()).then(|| self.failure(&changes)),
            };
        }
        state.refusal.clone()
    }

    fn failure(&self, changes: &[String]) -> Failure {
        let changes_it = if self.is_done { "changed" } else { "would change" };
        let what = format!("{} {changes_it} the format of cached values", self.strategy);
        let why = format!("{}; check that readers expect it", changes.join("; "));
        Failure::new(FailureKind::Query, what, why)
            .hint("compare both with `shopwarm keys get KEY`; --shape off writes anyway")
    }

    /// What becomes of a value that has another form.
    fn replaced(&self, there: &str, here: &str) -> String {
        let is_replaced = if self.is_done { "was replaced" } else { "would be replaced" };
        format!("{there} {is_replaced} with {here}")
    }

    fn blind(&self, failure: Failure) -> Failure {
        let what = format!("{}: cannot read the cached values to compare them", self.strategy);
        Failure::new(FailureKind::Query, what, failure.why).hint(
            "--shape warn continues without this check, and needs no permission to read the cache",
        )
    }

    /// Compares the values that would be overwritten and differ from ours.
    async fn compare(
        &self,
        cache: &dyn Cache,
        batch: &EntryBatch,
        state: &mut State,
    ) -> Result<(), Failure> {
        let standings = cache.inspect(batch, self.form).await?;
        let wanted = Kind::of(self.form.shape);
        for (entry, standing) in batch.iter().zip(&standings) {
            let held = match standing {
                Standing::Held(held) if state.compared < COMPARED => held,
                Standing::Unknown(why) => {
                    let what = "the cache refuses to show its values";
                    return Err(Failure::new(FailureKind::CacheDenied, what, why));
                }
                _ => continue,
            };
            if held.equal {
                continue;
            }
            state.compared += 1;
            if held.kind != wanted {
                let there = format!("a value of type {}", held.kind.name());
                let here = format!("one of type {}", wanted.name());
                let change = self.replaced(&there, &here);
                note(&mut state.found, change, printable(entry.key));
                continue;
            }
            let Some(stored) = cache.read(entry.key).await? else {
                continue;
            };
            match (read(&stored.value, self.form), read(&entry.value.into(), self.form)) {
                (Some(old), Some(value)) => {
                    state.cached.add(&old);
                    state.new.add(&value);
                }
                (None, Some(_)) => {
                    let form = self.form.name();
                    let there = format!("a value that is not {form}");
                    let change = self.replaced(&there, &form);
                    note(&mut state.found, change, printable(entry.key));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A few entries, spread over a batch.
fn spread(batch: &EntryBatch) -> EntryBatch {
    let mut some = EntryBatch::default();
    let step = batch.len().div_ceil(GLANCE).max(1);
    batch.iter().step_by(step).for_each(|entry| some.push(entry));
    some
}

fn note(found: &mut Vec<(String, String)>, change: String, key: String) {
    if !found.iter().any(|(known, _)| *known == change) {
        found.push((change, key));
    }
}

/// A value as JSON; a hash as the object of its fields. A text has no shape.
fn read(value: &CachedValue, form: Form) -> Option<Json> {
    match value {
        CachedValue::Text(_) if form.is_bytes() => Some(Json::Null),
        CachedValue::Text(text) => Some(profiled(form.read(text)?, form.shape)),
        CachedValue::Json(text) => serde_json::from_slice(text).ok(),
        CachedValue::Collection(_, pairs) => {
            let pairs = pairs.iter().map(|(name, value)| (&name[..], &value[..]));
            Some(of_pairs(pairs, form.shape))
        }
        CachedValue::Other(_) => None,
    }
}

/// A value; of a map its values, as its names are data.
fn profiled(value: Json, shape: Shape) -> Json {
    match (value, shape) {
        (Json::Object(values), Shape::Map) => {
            Json::Array(values.into_iter().map(|(_, value)| value).collect())
        }
        (value, _) => value,
    }
}

/// A collection as JSON. The names of a hash's fields are its shape, as all its values are texts; of
/// several rows, each is an item, and what is not JSON is a text.
fn of_pairs<'p>(pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>, shape: Shape) -> Json {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let object = |bytes: &[u8]| match serde_json::from_slice(bytes) {
        Ok(object @ Json::Object(_)) => object,
        _ => Json::from(""),
    };
    match shape {
        Shape::HashOfRows => pairs.map(|(_, value)| object(value)).collect(),
        Shape::Set | Shape::SortedSet => pairs.map(|(member, _)| object(member)).collect(),
        _ => Json::Object(pairs.map(|(name, _)| (text(name), Json::Null)).collect()),
    }
}
