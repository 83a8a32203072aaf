//! The current and the next version, from the command line.

use std::fs;

use fusebox::tokens::Catalogue;
use fusebox::tokens::Model;
use fusebox::{Ratio, TokenBudget, Version};

use crate::AnyError;
use crate::args::Args;

pub(crate) fn versions(args: &Args) -> Result<(Version, Option<Version>), AnyError> {
    let now = version("now", &args.model, &args.prompt, args.answer)?;
    if !args.plans_a_change() {
        return Ok((now, None));
    }
    let model = next_model(args);
    let prompt = args.next_prompt.as_ref().unwrap_or(&args.prompt);
    let next = version(
        "next",
        model,
        prompt,
        args.next_answer.unwrap_or(args.answer),
    )?;
    Ok((now, Some(next)))
}

pub(crate) fn budget(args: &Args) -> Result<TokenBudget, AnyError> {
    let mut builder = TokenBudget::builder().model(model(&args.model, args.window, "--window")?);
    if let Some(limit) = args.limit {
        builder = builder.limit(Ratio::percent(limit));
    }
    if args.plans_a_change() && next_model(args) != args.model {
        builder = builder.model(model(next_model(args), args.next_window, "--next-window")?);
    }
    for fallback in &args.fallback {
        let (name, window) = match fallback.split_once('=') {
            None => (fallback.as_str(), None),
            Some((name, window)) => {
                let allowed =
                    || format!("--fallback {fallback}: expected a number of tokens after `=`");
                (name, Some(window.parse().map_err(|_| allowed())?))
            }
        };
        builder = builder.fallback(model(name, window, "--fallback MODEL=TOKENS")?);
    }
    Ok(builder.build()?)
}

fn next_model(args: &Args) -> &str {
    args.next_model.as_ref().unwrap_or(&args.model)
}

fn version(id: &str, model: &str, prompt: &str, answer: u64) -> Result<Version, AnyError> {
    let version = Version::new(id, model)?.with_reserved_answer_tokens(answer);
    if let Ok(tokens) = prompt.parse() {
        return Ok(version.with_system_prompt_tokens(tokens));
    }
    let text = fs::read_to_string(prompt).map_err(|error| {
        format!(
            "system prompt: got `{prompt}`, expected a number of tokens or a readable file: {error}"
        )
    })?;
    Ok(version.with_system_prompt(text))
}

/// A model from the catalogue, with the context window that was given.
fn model(name: &str, window: Option<u64>, option: &str) -> Result<Model, AnyError> {
    let known = Catalogue::bundled().model(name).cloned();
    match (known, window) {
        (Some(model), None) => Ok(model),
        (Some(model), Some(window)) => Ok(model.with_context_window(window)?),
        (None, Some(window)) => Ok(Model::new(name, window)?),
        (None, None) => Err(format!(
            "model `{name}` is not in the catalogue: add its context window with {option}"
        )
        .into()),
    }
}
