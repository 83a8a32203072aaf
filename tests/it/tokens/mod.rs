//! P1: what a call needs is measured before it is sent, and held against what the API reports.

use fusebox::tokens::{Framing, Model, TokenCount};
use fusebox::{Admission, Call, LineUp, Permit, TokenBudget, Version};

use crate::support::Bench;

mod budget;
mod calibration;
mod catalogue;
mod conversation;
mod counts;
mod headroom;
#[cfg(feature = "tiktoken")]
mod kinds;
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
mod learning;
mod litellm;
mod messages;
mod names;
#[cfg(any(feature = "tiktoken", feature = "bpe"))]
mod random;
mod usage;

/// A model whose API adds nothing to what it is sent.
fn model(name: &str, window: u64) -> Model {
    Model::new(name, window)
        .unwrap()
        .with_framing(Framing::NONE)
}

/// A model that counts numbers as they are given, with a window of 100,000 tokens.
fn exact() -> Model {
    model("exact", 100_000)
}

fn version(model: &str, prompt: u64) -> Version {
    let version = Version::new("v7", model).unwrap();
    version.with_system_prompt_tokens(prompt)
}

fn bench(budget: TokenBudget) -> Bench {
    let line_up = LineUp::new(version("exact", 1_000));
    Bench::with(line_up, |builder| builder.guard(budget))
}

fn exact_bench() -> Bench {
    bench(TokenBudget::builder().model(exact()).build().unwrap())
}

fn invoice(tokens: impl Into<TokenCount>) -> Call<'static> {
    let call = Call::new("doc", "invoice").unwrap();
    call.with_document_tokens(tokens)
}

fn permit(bench: &Bench, call: &Call<'_>) -> Permit {
    match bench.pipeline.admit(call) {
        Admission::Admitted(permit) => permit,
        Admission::Diverted(diversion) => panic!("{diversion}"),
    }
}

fn document(text: &str) -> Call<'_> {
    Call::new("doc", "invoice").unwrap().with_document(text)
}
