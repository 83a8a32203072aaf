//! An OpenAI-compatible server on a loopback port, so that the example needs no key and no network.
//!
//! It enforces the context window and answers with the error bodies of the real API. It has no
//! model: its answers are the expected fields from the JSON file of each document.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use fusebox::tokens::Encoding;
use fusebox::tokens::{Tiktoken, TokenCounter};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::AnyError;
use crate::args::FaultOf;
use crate::documents::Documents;
use crate::versions::{Versions, prompt};

/// Tokens around each message, its role included, and before the answer (OpenAI cookbook, "How to
/// count tokens with tiktoken").
const PER_MESSAGE: u64 = 4;
const PRIMING: u64 = 3;
/// One answer in this many has a low confidence.
const DOUBTFUL: u64 = 40;
/// With a fault, one affected request in this many fails.
const FAILS: u64 = 5;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    windows: HashMap<String, u64>,
    /// The expected fields and the number of tokens of each document, by its text.
    known: HashMap<String, (BTreeMap<String, String>, u64)>,
    counter: Tiktoken,
    newest_prompt: String,
    /// Which requests the fault affects.
    fault: Mutex<Option<FaultOf>>,
    requests: AtomicU64,
    suspects: AtomicU64,
}

#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    max_completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

/// Starts the server on a free port. It ends with the program.
pub(crate) async fn start(documents: &Documents, versions: &Versions) -> Result<Server, AnyError> {
    let counter = Tiktoken::new(Encoding::O200kBase);
    let models = [&versions.model, &versions.larger];
    let known = documents.all.iter().map(|document| {
        (
            document.text.clone(),
            (document.fields.clone(), document.tokens),
        )
    });
    let state = Arc::new(Shared {
        windows: models
            .map(|model| (model.name().to_string(), model.context_window()))
            .into(),
        known: known.collect(),
        counter,
        newest_prompt: prompt(versions.v7.id()),
        fault: Mutex::new(None),
        requests: AtomicU64::new(0),
        suspects: AtomicU64::new(0),
    });
    let app = Router::new()
        .route("/v1/chat/completions", post(complete))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(&state));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(Server { address, state })
}

impl Server {
    /// From now on, one in five of the affected requests fails.
    pub(crate) fn fail(&self, fault: FaultOf) {
        *self
            .state
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

async fn complete(State(state): State<Arc<Shared>>, Json(request): Json<Request>) -> Response {
    let number = state.requests.fetch_add(1, Ordering::Relaxed);
    if state.fails(&request) {
        let message = "The server had an error while processing your request. Sorry about that!";
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            message,
            "server_error",
            &Value::Null,
            &Value::Null,
        );
    }
    let Some(window) = state.windows.get(&request.model) else {
        let message = format!(
            "The model `{}` does not exist or you do not have access to it.",
            request.model
        );
        let code = json!("model_not_found");
        return error(
            StatusCode::NOT_FOUND,
            &message,
            "invalid_request_error",
            &Value::Null,
            &code,
        );
    };
    let prompt_tokens = request
        .messages
        .iter()
        .map(|message| state.tokens(&message.content) + PER_MESSAGE)
        .sum::<u64>();
    let prompt_tokens = prompt_tokens + PRIMING;
    let wanted = request.max_completion_tokens.unwrap_or(0);
    if prompt_tokens + wanted > *window {
        let message = format!(
            "This model's maximum context length is {window} tokens. However, you requested {} tokens ({prompt_tokens} in the \
             messages, {wanted} in the completion). Please reduce the length of the messages or completion.",
            prompt_tokens + wanted
        );
        let (param, code) = (json!("messages"), json!("context_length_exceeded"));
        return error(
            StatusCode::BAD_REQUEST,
            &message,
            "invalid_request_error",
            &param,
            &code,
        );
    }
    let content = state.answer(&request, number);
    let completion_tokens = state.tokens(&content);
    Json(json!({
        "id": format!("chatcmpl-{number}"),
        "object": "chat.completion",
        "created": 1_773_435_600,
        "model": request.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }))
    .into_response()
}

fn error(status: StatusCode, message: &str, kind: &str, param: &Value, code: &Value) -> Response {
    let body = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    (status, Json(body)).into_response()
}

impl Shared {
    fn fails(&self, request: &Request) -> bool {
        let concerned = match *self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            None => false,
            Some(FaultOf::Prompt) => request
                .messages
                .iter()
                .any(|message| message.content == self.newest_prompt),
            Some(FaultOf::Provider) => true,
        };
        concerned && self.suspects.fetch_add(1, Ordering::Relaxed) % FAILS == 0
    }

    fn tokens(&self, text: &str) -> u64 {
        let counted = || {
            self.counter
                .count(text)
                .map_or(text.len() as u64, fusebox::tokens::TokenCount::lower)
        };
        self.known
            .get(text)
            .map_or_else(counted, |(_, tokens)| *tokens)
    }

    /// The expected fields of the document, with plausible confidences.
    fn answer(&self, request: &Request, number: u64) -> String {
        let document = request
            .messages
            .last()
            .and_then(|message| self.known.get(&message.content));
        let fields = document.map_or_else(BTreeMap::new, |(fields, _)| fields.clone());
        let doubtful = number % DOUBTFUL == DOUBTFUL - 1;
        let confidence: BTreeMap<_, _> = fields
            .keys()
            .map(|field| {
                (
                    field,
                    if doubtful && field == "total" {
                        0.71
                    } else {
                        0.96
                    },
                )
            })
            .collect();
        json!({"fields": fields, "confidence": confidence}).to_string()
    }
}
