//! What the operator on call asks of the service, and what they tell it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Json;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Done, Service, Shared};

/// An operator has looked at an incident that only a person can end.
#[derive(Deserialize)]
struct Acknowledgement {
    incident: String,
    who: String,
    note: String,
}

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/status", get(status))
        .route("/acknowledgements", post(acknowledge))
}

async fn status(service: Shared) -> Json<Value> {
    Json(json!({
        "breaker": service.breaker.status(),
        "ledger": service.ledger.report(),
        "incidents": service.keeper.pipeline().incidents(),
        "undelivered": service.keeper.undelivered(),
    }))
}

/// The answer comes when the command and its effect are on the disk.
async fn acknowledge(service: Shared, Json(said): Json<Acknowledgement>) -> Done {
    let keeper = &service.keeper;
    let command = || {
        let pipeline = keeper.pipeline();
        pipeline.acknowledge(said.incident, said.who, said.note)
    };
    keeper.command(command).await?;
    Ok(StatusCode::NO_CONTENT)
}
