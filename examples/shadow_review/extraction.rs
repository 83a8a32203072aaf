//! The two versions of the prompt, simulated: what each answers follows from the document and the
//! seed.

use std::future::pending;
use std::sync::Arc;

use fusebox::pipeline::ShadowCall;
use fusebox::{Classify, FailureKind, Reply, Report};
use serde_json::Value;

use crate::chance::Chance;
use crate::documents::Document;
use crate::mistakes;

/// The share of documents whose layout misleads version 7.
const MISLEADING: f64 = 0.05;
/// How often it is misled by them.
const MISLED: f64 = 0.85;
/// The share of calls of version 7 that fail.
const PRODUCTION_FAILING: f64 = 0.004;
/// The shares of calls of version 8 that fail, and that never end.
const FAILING: f64 = 0.01;
const HANGING: f64 = 0.005;
/// The tokens of an answer.
const ANSWER_TOKENS: u64 = 180;

/// A document that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) document: Arc<Document>,
}

/// Whose chance it is: each has numbers of its own for a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Layout,
    Production,
    Repeated,
    Candidate,
    Reviewer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Models {
    seed: u64,
}

/// An error of the model's service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overloaded;

impl Classify for Overloaded {
    fn failure_kind(&self) -> FailureKind {
        FailureKind::Overloaded
    }
}

impl Models {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(crate) fn chance(self, of: Of, arrival: &Arrival) -> Chance {
        Chance::new((self.seed << 32) ^ (arrival.number << 3) ^ of as u64)
    }

    /// Version 7's answer.
    pub(crate) fn version_7(self, of: Of, arrival: &Arrival) -> Result<Reply<Value>, Overloaded> {
        let mut chance = self.chance(of, arrival);
        if chance.uniform() < PRODUCTION_FAILING {
            return Err(Overloaded);
        }
        let mut answer = arrival.document.right.clone();
        let is_misleading = self.chance(Of::Layout, arrival).uniform() < MISLEADING;
        if is_misleading && chance.uniform() < MISLED {
            mistakes::of_version_7(&mut answer, &arrival.document);
        }
        Ok(reply(answer, arrival))
    }

    /// The answer to a call beside production's: version 8's, or version 7's for a second time.
    pub(crate) async fn beside(
        self,
        call: ShadowCall,
        arrival: Arrival,
    ) -> Result<Reply<Value>, Overloaded> {
        if call.is_baseline() {
            return self.version_7(Of::Repeated, &arrival);
        }
        let mut chance = self.chance(Of::Candidate, &arrival);
        let luck = chance.uniform();
        if luck < FAILING {
            return Err(Overloaded);
        }
        if luck < FAILING + HANGING {
            pending::<()>().await;
        }
        let mut answer = arrival.document.right.clone();
        mistakes::of_version_8(&mut answer, &arrival.document, &mut chance);
        Ok(reply(answer, &arrival))
    }
}

fn reply(answer: Value, arrival: &Arrival) -> Reply<Value> {
    let tokens = u64::try_from(arrival.document.text.len() / 4).unwrap_or(u64::MAX);
    Reply::new(answer).report(Report::new().usage(tokens, ANSWER_TOKENS))
}
