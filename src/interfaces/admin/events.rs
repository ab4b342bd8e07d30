//! The events of a run.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, StreamExt as _, stream};

use super::problem::{Names, Problem};
use super::runs::unknown;
use super::state::Admin;
use crate::application::runs::live::{LiveRun, NumberedEvent};

/// Interval of keep-alive comments, so that both sides notice a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The events of a run, live and from its start
///
/// Server-sent events: `waiting`, `run_started`, `sized`, `strategy_started`, `progress`, `stalled`,
/// `strategy_repeated`, `strategy_finished`, `pace_changed`, `stopping`, `run_finished`.
/// `Last-Event-ID` resumes a broken connection.
#[utoipa::path(get, path = "/admin/runs/{id}/events", tag = "runs",
    params(("id" = String, Path, description = "The run's id."), ("last-event-id" = Option<u64>, Header, description = "The last event that was received.")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
))]
pub(super) async fn events(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let last = last.and_then(|id| id.parse().ok()).unwrap_or(0);
    if let Some(run) = admin.service.registry.find(&id) {
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        return Ok(Sse::new(events_after(run, last)).keep_alive(keep_alive).into_response());
    }
    // Of finished runs and runs of other processes only the end is known.
    let record = admin.service.record(&id).await?;
    let record = record.ok_or_else(|| unknown(&id))?;
    let end = serde_json::json!({ "event": "run_finished", "outcome": record.outcome });
    let end = Event::default().event("run_finished").data(end.to_string());
    let only = stream::iter([Ok::<_, Infallible>(end)]);
    Ok(Sse::new(only).into_response())
}

/// The events of a run after `last`.
fn events_after(run: Arc<LiveRun>, last: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let events_after = stream::unfold((run, last), |(run, last)| async move {
        let events = run.events_after(last).await?;
        let last = events.last().map_or(last, |event| event.number);
        Some((stream::iter(events), (run, last)))
    });
    events_after.flatten().map(|event: NumberedEvent| {
        Ok(Event::default().id(event.number.to_string()).event(event.name).data(&*event.json))
    })
}
