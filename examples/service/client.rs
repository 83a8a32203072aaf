//! The service's own client: `async-openai` over HTTP.

use std::collections::BTreeMap;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::types::chat::{
    ChatCompletionRequestSystemMessageArgs, ChatCompletionRequestUserMessageArgs,
    CreateChatCompletionRequestArgs, FinishReason,
};
use fusebox::{Error, FailureKind, Reply, Report, Ticket, Version};
use serde::Deserialize;
use serde_json::Value;

use crate::error::AnyError;

const ANSWER_TOKENS: u32 = 800;
const PROMPT_6: &str = "You read invoices. Answer with the fields and your confidence in each.";
pub(crate) const PROMPT_7: &str = "You read invoices. Answer with JSON: fields, confidence.";

pub(crate) struct Extractor(Client<OpenAIConfig>);

/// A document as it comes over HTTP.
#[derive(Deserialize)]
pub(crate) struct Document {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// The answer that the prompts ask for.
#[derive(Deserialize)]
struct Answer {
    fields: Value,
    confidence: BTreeMap<String, f64>,
}

fn prompt(version: &str) -> &'static str {
    match version {
        "v6" => PROMPT_6,
        _ => PROMPT_7,
    }
}

/// A version as the guards must know it.
pub(crate) fn version(id: &str) -> Result<Version, Error> {
    let version = Version::new(id, "gpt-4o")?.with_system_prompt(prompt(id));
    Ok(version.with_reserved_answer_tokens(ANSWER_TOKENS.into()))
}

impl Extractor {
    /// Without the client's own retries, which would hide failures from the guards.
    pub(crate) fn new(base: &str) -> Result<Self, AnyError> {
        let config = OpenAIConfig::new()
            .with_api_base(base)
            .with_api_key(std::env::var("OPENAI_API_KEY").unwrap_or_default());
        // The model of the demonstration is on this machine.
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self(
            Client::with_config(config).with_http_service(ReqwestService::new(http)),
        ))
    }

    /// Reads the fields of one document.
    pub(crate) async fn read(
        &self,
        ticket: &Ticket,
        text: &str,
    ) -> Result<Reply<Value>, OpenAIError> {
        let system = ChatCompletionRequestSystemMessageArgs::default()
            .content(prompt(ticket.version().as_str()))
            .build()?;
        let user = ChatCompletionRequestUserMessageArgs::default()
            .content(text)
            .build()?;
        let request = CreateChatCompletionRequestArgs::default()
            .model(ticket.model().as_str())
            .messages([system.into(), user.into()])
            .max_completion_tokens(ANSWER_TOKENS)
            .build()?;
        let response = self.0.chat().create(request).await?;
        let mut report = Report::new();
        if let Some(usage) = &response.usage {
            report = report.usage(usage.prompt_tokens.into(), usage.completion_tokens.into());
        }
        let Some(choice) = response.choices.into_iter().next() else {
            let report = report.failed(FailureKind::EmptyOutput);
            return Ok(Reply::new(Value::Null).report(report));
        };
        match choice.finish_reason {
            Some(FinishReason::Length) => report = report.finish_reason("length"),
            Some(FinishReason::ContentFilter) => report = report.finish_reason("content_filter"),
            _ => {}
        }
        let content = choice.message.content.unwrap_or_default();
        let Ok(answer) = serde_json::from_str::<Answer>(&content) else {
            // An answer that was cut is no JSON either.
            let kind = report.failure().unwrap_or(FailureKind::MalformedOutput);
            return Ok(Reply::new(Value::Null).report(report.failed(kind)));
        };
        for (field, confidence) in answer.confidence {
            report = report.confidence(field, confidence);
        }
        Ok(Reply::new(answer.fields).report(report))
    }
}
