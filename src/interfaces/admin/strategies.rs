//! The known strategies.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::schedule::OwnSettings;
use super::state::Admin;
use crate::application::record::history::LastComplete;
use crate::application::record::ttl_seconds;
use crate::domain::strategy::Definition;

#[derive(Serialize, ToSchema)]
pub(super) struct Strategies {
    strategies: Vec<StrategyLine>,
    /// Settings of all runs; null: the default.
    settings: OwnSettings,
}

#[derive(Serialize, ToSchema)]
struct StrategyLine {
    id: String,
    context: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
    priority: i32,
    /// Null: they never expire.
    #[schema(value_type = f64, required = true)]
    ttl_seconds: Option<serde_json::Number>,
    tags: Vec<String>,
    enabled: bool,
    /// The template of its keys, without the prefix.
    key: String,
    /// Null if unknown.
    #[schema(required = true)]
    last_complete: Option<LastComplete>,
}

/// Lists the strategies
#[utoipa::path(get, path = "/admin/strategies", tag = "shop", responses(
    (status = 200, body = Strategies),
))]
pub(super) async fn strategies(State(admin): State<Arc<Admin>>) -> Json<Strategies> {
    let shop = admin.shop.get();
    // List the strategies even if the cache does not answer.
    let last_complete = admin.service.past.last_complete().await.unwrap_or_default();
    let (filter, run) = (shop.config.filter(), &shop.config.run);
    let line = |definition: &Definition| {
        let spec = &definition.spec;
        let id = spec.id.to_string();
        StrategyLine {
            last_complete: last_complete.get(&id).cloned(),
            id,
            context: spec.id.context.clone(),
            name: spec.id.name.clone(),
            description: Some(spec.description.clone()).filter(|text| !text.is_empty()),
            priority: spec.priority,
            ttl_seconds: ttl_seconds(spec.ttl.unwrap_or(run.default_ttl().0)),
            tags: spec.tags.clone(),
            enabled: !filter.excludes(&spec.id),
            key: spec.key.to_string(),
        }
    };
    Json(Strategies {
        strategies: shop.definitions.iter().map(line).collect(),
        settings: OwnSettings(shop.config.run.clone()),
    })
}
