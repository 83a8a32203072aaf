//! The two prompt versions of the story, and the pipeline around them.

use fusebox::clock::Clock;
use fusebox::sink::MemorySink;
use fusebox::tokens::Catalogue;
use fusebox::tokens::{Encoding, Model};
use fusebox::{
    Call, ConfidenceDriftMonitor, ErrorRateBreaker, Guard, LineUp, Pipeline, TokenBudget, Version,
    VersionId,
};

use crate::AnyError;
use crate::args::Args;

const V6_PROMPT: &str = include_str!("prompts/v6.txt");
const V7_ADDED: &str = include_str!("prompts/v7_added.txt");
/// The fallback model, for documents that are too large for the version's own.
const LARGER_MODEL: &str = "gpt-4.1";
const LARGER_WINDOW: u64 = 1_047_576;
/// Tokens reserved for the answer; also the limit that the request sets.
pub(crate) const ANSWER_TOKENS: u32 = 800;

#[derive(Debug)]
pub(crate) struct Versions {
    pub(crate) v6: Version,
    pub(crate) v7: Version,
    pub(crate) model: Model,
    pub(crate) larger: Model,
}

impl Versions {
    pub(crate) fn new(args: &Args) -> Result<Self, AnyError> {
        let version = |id: &str| -> Result<Version, AnyError> {
            let prompt = prompt(&VersionId::new(id)?);
            let version = Version::new(id, &args.model)?.with_system_prompt(prompt);
            Ok(version.with_reserved_answer_tokens(ANSWER_TOKENS.into()))
        };
        let model = |name: &str, window: u64| {
            let model = Model::new(name, window)?.with_encoding(Encoding::O200kBase);
            Catalogue::bundled().of_family(model, "gpt-4o")
        };
        Ok(Self {
            v6: version("v6")?,
            v7: version("v7")?,
            model: model(&args.model, args.window.get())?,
            larger: model(LARGER_MODEL, LARGER_WINDOW)?,
        })
    }

    /// The tokens of a version's prompt.
    pub(crate) fn prompt_tokens(&self, version: &Version) -> u64 {
        let budget = TokenBudget::builder().model(self.model.clone()).build();
        let empty = Call::new("none", "none").map(|call| call.with_document(""));
        let breakdown = budget.and_then(|budget| budget.count(&empty?, version));
        breakdown.map_or(0, |breakdown| breakdown.system.lower())
    }

    /// Version 6 alone, as before 22:00.
    pub(crate) fn before(&self) -> LineUp {
        LineUp::new(self.v6.clone())
    }

    /// Version 7, with 6 to fall back to.
    pub(crate) fn after(&self) -> LineUp {
        LineUp::new(self.v7.clone()).with_previous(self.v6.clone())
    }

    /// The pipeline that a service would build, on the story's clock.
    pub(crate) fn pipeline(
        &self,
        ledger: impl Guard + 'static,
        clock: impl Clock + 'static,
        sink: MemorySink,
    ) -> Result<Pipeline, AnyError> {
        let budget = TokenBudget::builder()
            .model(self.model.clone())
            .fallback(self.larger.clone())
            .build()?;
        let pipeline = Pipeline::builder(self.before())
            .guard(budget)
            .guard(ErrorRateBreaker::default())
            .guard(ConfidenceDriftMonitor::default())
            .guard(ledger)
            .clock(clock)
            .sink(sink)
            .build()?;
        Ok(pipeline)
    }
}

/// The system prompt of a version.
pub(crate) fn prompt(version: &VersionId) -> String {
    match version.as_str() {
        "v7" => format!("{V6_PROMPT}{V7_ADDED}"),
        _ => V6_PROMPT.to_owned(),
    }
}
