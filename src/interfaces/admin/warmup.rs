//! Starting runs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::body::{read_body, said};
use super::problem::{Names, Problem};
use super::state::{Admin, RunId};
use crate::application::live::LiveRun;
use crate::application::ports::Mode;
use crate::application::record::RunRecord;
use crate::application::refused::Refused;
use crate::application::selection::Selection;
use crate::application::service::{Order, Started, Wishes};
use crate::domain::report::Outcome;
use crate::domain::run::Trigger;

/// The longest name of a request.
const LONGEST_KEY: usize = 255;

/// The run of a request that came before is looked for so many times, this far apart.
const LOOKS: u32 = 25;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a run is to differ from the configuration.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wish {
    /// Batches in flight.
    #[schema(minimum = 1, maximum = 1000)]
    concurrency: Option<u32>,
    /// Keys a second at most; null: as fast as it goes, whatever the configuration says.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    rate: Option<Option<u64>>,
    /// No faster than database and cache bear.
    gentle: Option<bool>,
    mode: Option<WishedMode>,
    /// Read only what changed since the last complete run.
    changed: Option<bool>,
    /// Warm nothing where one definition is invalid or does not fit the database.
    strict: Option<bool>,
    /// Only strategies with one of these tags.
    tags: Option<Vec<String>>,
    /// At most so many keys of each strategy.
    #[schema(minimum = 1)]
    limit: Option<u64>,
    /// Look, and write nothing.
    dry_run: bool,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum WishedMode {
    Refresh,
    OnlyMissing,
}

impl Wish {
    fn check(&self) -> Result<(), Problem> {
        let wrong = |what: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what);
        if self.concurrency.is_some_and(|n| !(1..=1000).contains(&n)) {
            return Err(wrong("concurrency is not in 1..1000"));
        }
        match (self.limit, self.rate) {
            (Some(0), _) => Err(wrong("limit is less than 1")),
            (_, Some(Some(0))) => Err(wrong("rate is less than 1")),
            _ => Ok(()),
        }
    }

    /// What it says wins.
    pub fn apply(&self, wishes: &mut Wishes) {
        let concurrency = self.concurrency.map(|n| n as usize);
        wishes.concurrency = concurrency.or(wishes.concurrency);
        wishes.rate = self.rate.or(wishes.rate);
        wishes.gentle = self.gentle.or(wishes.gentle);
        wishes.mode = match self.mode {
            Some(WishedMode::Refresh) => Some(Mode::Refresh),
            Some(WishedMode::OnlyMissing) => Some(Mode::OnlyMissing),
            None => wishes.mode,
        };
        wishes.changed = self.changed.or(wishes.changed);
        wishes.strict = self.strict.or(wishes.strict);
        wishes.tags = self.tags.clone().or_else(|| wishes.tags.take());
        wishes.limit = self.limit.or(wishes.limit);
        wishes.dry_run = self.dry_run;
    }
}

/// A run over several contexts, ended.
#[derive(Serialize, ToSchema)]
pub(super) struct WarmedAll {
    /// Whether it was complete.
    success: bool,
    total_warmed: u64,
    total_keys: u64,
    #[schema(required = true)]
    success_rate: Option<f64>,
    run_id: String,
    report: RunRecord,
}

impl WarmedAll {
    pub fn of(record: RunRecord) -> Self {
        Self {
            success: is_success(&record),
            total_warmed: record.totals.counts.warmed,
            total_keys: record.totals.total,
            success_rate: record.totals.success_rate,
            run_id: record.run_id.clone(),
            report: record,
        }
    }
}

/// A run over one context, ended.
#[derive(Serialize, ToSchema)]
pub(super) struct WarmedContext {
    /// Whether it was complete.
    success: bool,
    context: String,
    /// By the strategy's name.
    #[schema(value_type = std::collections::HashMap<String, WarmedStrategy>)]
    results: serde_json::Map<String, Value>,
    run_id: String,
    report: RunRecord,
}

#[derive(Serialize, ToSchema)]
struct WarmedStrategy {
    warmed: u64,
    total: u64,
    #[schema(required = true)]
    success_rate: Option<f64>,
}

impl WarmedContext {
    fn of(context: &str, record: RunRecord) -> Self {
        let result = |strategy: &crate::application::record::StrategyRecord| {
            let counts = WarmedStrategy {
                warmed: strategy.counts.warmed,
                total: strategy.total,
                success_rate: strategy.success_rate,
            };
            let counts = serde_json::to_value(counts).unwrap_or_default();
            (strategy.name.clone(), counts)
        };
        Self {
            success: is_success(&record),
            context: context.to_owned(),
            results: record.strategies.iter().map(result).collect(),
            run_id: record.run_id.clone(),
            report: record,
        }
    }
}

fn is_success(record: &RunRecord) -> bool {
    record.outcome == Some(Outcome::Complete)
}

/// The answer of a run that has ended.
pub(super) enum Answer {
    All(WarmedAll),
    Context(WarmedContext),
}

impl From<WarmedAll> for Answer {
    fn from(answer: WarmedAll) -> Self {
        Self::All(answer)
    }
}

impl From<WarmedContext> for Answer {
    fn from(answer: WarmedContext) -> Self {
        Self::Context(answer)
    }
}

/// A run that goes on.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    run_id: String,
    status: &'static str,
    /// Where to ask for it.
    location: String,
}

/// Warms the whole shop
///
/// `all` is all contexts, never one of that name.
#[utoipa::path(post, path = "/admin/warmup/all", tag = "warmup",
    params(
        ("wait" = Option<bool>, Query, description = "false: answer at once."),
        ("idempotency-key" = Option<String>, Header, description = "Names the request: sent again it leads to the same run."),
    ),
    request_body(content = Option<Wish>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedAll), (status = 202, body = Accepted, headers(("location", description = "The run."))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another run is at work."),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The run could not start."),
))]
pub(super) async fn warm_all(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let request = (query.as_deref(), &headers, body);
    warm(&admin, request, Selection::All, |record| {
        WarmedAll::of(record).into()
    })
    .await
}

/// Warms a context
#[utoipa::path(post, path = "/admin/warmup/{context}", tag = "warmup",
    params(
        ("context" = String, Path, description = "The context's name."),
        ("wait" = Option<bool>, Query, description = "false: answer at once."),
        ("idempotency-key" = Option<String>, Header, description = "Names the request: sent again it leads to the same run."),
    ),
    request_body(content = Option<Wish>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedContext), (status = 202, body = Accepted, headers(("location", description = "The run."))),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such context."),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another run is at work."),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The run could not start."),
))]
pub(super) async fn warm_context(
    State(admin): State<Arc<Admin>>,
    Names(context): Names<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_context(&admin, &context)?;
    let request = (query.as_deref(), &headers, body);
    let selection = Selection::Contexts(vec![context.clone()]);
    warm(&admin, request, selection, |record| {
        WarmedContext::of(&context, record).into()
    })
    .await
}

/// Warms a strategy
#[utoipa::path(post, path = "/admin/warmup/{context}/{strategy}", tag = "warmup",
    params(
        ("context" = String, Path, description = "The context's name."),
        ("strategy" = String, Path, description = "The strategy's name."),
        ("wait" = Option<bool>, Query, description = "false: answer at once."),
        ("idempotency-key" = Option<String>, Header, description = "Names the request: sent again it leads to the same run."),
    ),
    request_body(content = Option<Wish>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedContext), (status = 202, body = Accepted, headers(("location", description = "The run."))),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such strategy."),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another run is at work."),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The run could not start."),
))]
pub(super) async fn warm_strategy(
    State(admin): State<Arc<Admin>>,
    Names((context, strategy)): Names<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_context(&admin, &context)?;
    let shop = admin.shop.get();
    let of_context = shop.definitions.iter().map(|d| &d.spec.id);
    let of_context = of_context.filter(|id| id.context == context);
    let names: Vec<String> = of_context.map(|id| id.name.clone()).collect();
    if !names.contains(&strategy) {
        let id = format!("{context}/{strategy}");
        return Err(Problem::unknown("strategy", &id, names));
    }
    let selection = Selection::Strategies(vec![format!("{context}/{strategy}")]);
    let request = (query.as_deref(), &headers, body);
    warm(&admin, request, selection, |record| {
        WarmedContext::of(&context, record).into()
    })
    .await
}

/// Names are looked up, never interpreted.
fn check_context(admin: &Admin, name: &str) -> Result<(), Problem> {
    let shop = admin.shop.get();
    let contexts = shop.definitions.iter().map(|d| d.spec.id.context.clone());
    let mut contexts: Vec<String> = contexts.collect();
    contexts.dedup();
    if contexts.iter().any(|context| context == name) {
        return Ok(());
    }
    Err(Problem::unknown("context", name, contexts))
}

async fn warm(
    admin: &Arc<Admin>,
    (query, headers, body): (Option<&str>, &HeaderMap, Body),
    selection: Selection,
    answered: impl FnOnce(RunRecord) -> Answer,
) -> Result<Response, Problem> {
    let wait = wait(query, true)?;
    let wish = read_wish(headers, body).await?;
    let config = &admin.shop.get().config;
    let mut order = Order {
        deadline: config.deadline,
        ..Order::new(selection, Trigger::Api)
    };
    wish.apply(&mut order.wishes);
    let run = start(admin, headers, order).await?;
    answer(run, wait, answered).await
}

/// Whether the client wants to wait for the end.
pub(super) fn wait(query: Option<&str>, usual: bool) -> Result<bool, Problem> {
    let pairs = query
        .unwrap_or_default()
        .split('&')
        .filter(|p| !p.is_empty());
    let mut wait = usual;
    for pair in pairs {
        wait = match pair {
            "wait=true" | "wait=1" | "wait" => true,
            "wait=false" | "wait=0" => false,
            _ => {
                let what = "the query may say wait=true or wait=false";
                return Err(Problem::new(StatusCode::BAD_REQUEST, what));
            }
        };
    }
    Ok(wait)
}

/// What a run is wished to be, if that is said.
pub(super) async fn read_wish(headers: &HeaderMap, body: Body) -> Result<Wish, Problem> {
    let hint =
        "it may have concurrency, rate, gentle, mode, changed, strict, tags, limit and dry_run";
    let wish: Wish = read_body(headers, body, hint).await?;
    wish.check()?;
    Ok(wish)
}

/// What a started request leads to.
pub(super) enum Lead {
    Live(Arc<LiveRun>),
    /// It ended some time ago.
    Ended(Box<RunRecord>),
}

/// Starts what is ordered, or finds what the same request started before.
pub(super) async fn start(
    admin: &Arc<Admin>,
    headers: &HeaderMap,
    order: Order,
) -> Result<Lead, Problem> {
    let Some(name) = headers.get("idempotency-key") else {
        return Ok(Lead::Live(admin.service.start(order).await?));
    };
    if name.is_empty() || name.len() > LONGEST_KEY {
        let what = format!("an Idempotency-Key has 1 to {LONGEST_KEY} characters");
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    // Digests: what clients call their requests may be long, and tells things of them.
    let name = hex(name.as_bytes());
    let asked = hex(format!("{} {:?}", order.command, order.wishes).as_bytes());
    match admin.service.start_once(&name, asked, order).await? {
        Started::New(run) => Ok(Lead::Live(run)),
        Started::Before(run_id) => before(admin, run_id).await,
        Started::Other => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this Idempotency-Key was used for another request",
        )),
    }
}

/// The run that the same request led to. One that began at this very moment, or has just ended
/// elsewhere, is known in the next.
async fn before(admin: &Admin, id: String) -> Result<Lead, Problem> {
    for _ in 0..LOOKS {
        if let Some(run) = admin.service.find(&id) {
            return Ok(Lead::Live(run));
        }
        if let Some(record) = admin.service.record(&id).await? {
            return Ok(Lead::Ended(Box::new(record)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let detail = "the same request led to a run that is not known here: another server is at work on \
                  it or died of it, or its report is not kept any more";
    Err(Problem {
        run_id: Some(id),
        ..Problem::new(StatusCode::CONFLICT, detail)
            .hint("ask again in a minute, or with another Idempotency-Key")
    })
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// Answers with the run, ended or going on.
pub(super) async fn answer(
    lead: Lead,
    wait: bool,
    answered: impl FnOnce(RunRecord) -> Answer,
) -> Result<Response, Problem> {
    let (id, mut response) = match lead {
        Lead::Ended(record) => (record.run_id.clone(), ended(answered(*record))),
        Lead::Live(run) if wait || run.ended().is_some() => {
            let end = run.end().await;
            let record = end.map_err(|refused| Refused::clone(&refused))?;
            (run.info.id.clone(), ended(answered(record)))
        }
        Lead::Live(run) => (run.info.id.clone(), accepted(&run.info.id)),
    };
    response.extensions_mut().insert(RunId(id));
    Ok(response)
}

fn ended(answer: Answer) -> Response {
    match answer {
        Answer::All(all) => Json(all).into_response(),
        Answer::Context(context) => Json(context).into_response(),
    }
}

fn accepted(id: &str) -> Response {
    let location = format!("/admin/runs/{id}");
    let value = HeaderValue::from_str(&location);
    let answer = Accepted {
        run_id: id.to_owned(),
        status: "running",
        location,
    };
    let mut response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    if let Ok(value) = value {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
