//! The service's own client: `async-openai`, and the failure kinds of its errors.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::types::chat::{
    ChatCompletionRequestSystemMessageArgs, ChatCompletionRequestUserMessageArgs,
    CreateChatCompletionRequestArgs, FinishReason,
};
use fusebox::failure::ApiError;
use fusebox::{Classify, FailureKind, ModelName, Reply, Report, VersionId};
use serde::Deserialize;
use serde_json::json;

use crate::AnyError;
use crate::args::Args;
use crate::versions::{ANSWER_TOKENS, prompt};

#[derive(Debug)]
pub(crate) struct Extractor(Client<OpenAIConfig>);

/// The answer that the prompt asks for.
#[derive(Debug, Deserialize)]
struct Answer {
    fields: BTreeMap<String, String>,
    confidence: BTreeMap<String, f64>,
}

#[derive(Debug)]
pub(crate) enum ExtractError {
    Api(OpenAIError),
    Empty,
    Malformed,
}

impl Extractor {
    /// A client of the example's own server, which bypasses any network proxy.
    pub(crate) fn of_server(address: SocketAddr) -> Result<Self, AnyError> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let config = OpenAIConfig::new()
            .with_api_base(format!("http://{address}/v1"))
            .with_api_key("not-needed");
        Ok(Self::with(config, http))
    }

    /// A client of a real service, if there is a key for one.
    pub(crate) fn of_service(args: &Args) -> Option<Self> {
        let key = args.api_key.as_deref().filter(|key| !key.is_empty())?;
        let mut config = OpenAIConfig::new().with_api_key(key);
        if let Some(url) = args.base_url.as_deref().filter(|url| !url.is_empty()) {
            config = config.with_api_base(url);
        }
        Some(Self::with(config, reqwest::Client::new()))
    }

    /// Without the client's own retries, which would hide failures from the guards.
    fn with(config: OpenAIConfig, http: reqwest::Client) -> Self {
        Self(Client::with_config(config).with_http_service(ReqwestService::new(http)))
    }

    /// Reads the fields of one document.
    pub(crate) async fn extract(
        &self,
        version: &VersionId,
        model: &ModelName,
        text: &str,
    ) -> Result<Reply<BTreeMap<String, String>>, ExtractError> {
        let system = ChatCompletionRequestSystemMessageArgs::default()
            .content(prompt(version))
            .build()?;
        let user = ChatCompletionRequestUserMessageArgs::default()
            .content(text)
            .build()?;
        let request = CreateChatCompletionRequestArgs::default()
            .model(model.as_str())
            .messages([system.into(), user.into()])
            .max_completion_tokens(ANSWER_TOKENS)
            .build()?;
        let response = self.0.chat().create(request).await?;
        let choice = response
            .choices
            .into_iter()
            .next()
            .ok_or(ExtractError::Empty)?;
        let content = choice
            .message
            .content
            .filter(|content| !content.is_empty())
            .ok_or(ExtractError::Empty)?;
        let answer: Answer = serde_json::from_str(&content).map_err(|_| ExtractError::Malformed)?;
        let mut report = Report::new().finish_reason(match choice.finish_reason {
            Some(FinishReason::Length) => "length",
            Some(FinishReason::ContentFilter) => "content_filter",
            _ => "stop",
        });
        if let Some(usage) = response.usage {
            report = report.usage(usage.prompt_tokens.into(), usage.completion_tokens.into());
        }
        for (field, confidence) in answer.confidence {
            report = report.confidence(field, confidence);
        }
        Ok(Reply::new(answer.fields).report(report))
    }
}

impl Classify for ExtractError {
    fn failure_kind(&self) -> FailureKind {
        match self {
            Self::Empty => FailureKind::EmptyOutput,
            Self::Malformed | Self::Api(OpenAIError::JSONDeserialize(..)) => {
                FailureKind::MalformedOutput
            }
            Self::Api(OpenAIError::ApiError(response)) => {
                let body = json!({ "error": response.api_error }).to_string();
                let status = response.status_code.as_u16();
                ApiError::from_response(status, body.as_bytes()).failure_kind()
            }
            Self::Api(OpenAIError::Reqwest(error)) if error.is_timeout() => FailureKind::Timeout,
            Self::Api(OpenAIError::Reqwest(_)) => FailureKind::Transport,
            Self::Api(_) => FailureKind::Unknown,
        }
    }
}

impl From<OpenAIError> for ExtractError {
    fn from(error: OpenAIError) -> Self {
        Self::Api(error)
    }
}
