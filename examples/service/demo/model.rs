//! A simulated model behind an API like OpenAI's, on a free port of this machine.
//!
//! It reads a document that is `hard to read` with little confidence, and never answers one that is
//! `endless`. After `POST /fault` with the body `true`, it answers the newest prompt with prose
//! instead of JSON, until a `false` comes: as it happens when a provider changes its model.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Json, State};
use axum::routing::post;
use axum::{Router, serve};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::PROMPT_7;
use crate::error::AnyError;

#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

pub(crate) async fn run() -> Result<(), AnyError> {
    let has_fault = Arc::new(AtomicBool::new(false));
    let routes = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/fault", post(set_fault))
        .with_state(has_fault);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(serve(listener, routes).await?)
}

async fn set_fault(State(has_fault): State<Arc<AtomicBool>>, Json(is_on): Json<bool>) {
    has_fault.store(is_on, Ordering::Relaxed);
}

async fn complete(
    State(has_fault): State<Arc<AtomicBool>>,
    Json(request): Json<Request>,
) -> Json<Value> {
    let text = request.messages.last().map_or("", |last| &last.content);
    if text.contains("endless") {
        std::future::pending::<()>().await;
    }
    let confidence = if text.contains("hard to read") {
        0.55
    } else {
        0.97
    };
    let answer = json!({ "fields": { "total": "12.50" }, "confidence": { "total": confidence } });
    let is_newest = request
        .messages
        .iter()
        .any(|message| message.content == PROMPT_7);
    let content = if is_newest && has_fault.load(Ordering::Relaxed) {
        "Sure! The total of this invoice is 12.50.".to_owned()
    } else {
        answer.to_string()
    };
    Json(json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_773_435_600,
        "model": request.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content, "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
    }))
}
