//! The shadow run, on a mock clock.

use std::sync::Arc;
use std::time::Duration;

use fusebox::clock::{Clock, MockClock};
use fusebox::pipeline::ShadowCall;
use fusebox::shadow::compare::JsonFields;
use fusebox::shadow::{IgnoreRules, ShadowReport};
use fusebox::tokio::TokioSpawner;
use fusebox::{
    Call, DocumentType, Field, LineUp, Pipeline, Ratio, Served, ShadowComparator, ShadowRunner,
    Timestamp, Version, VersionId, sink,
};
use serde_json::Value;

use crate::AnyError;
use crate::documents::{self, Document};
use crate::extraction::{Arrival, Models, Of};
use crate::reviewers::Reviewers;

/// 2026-05-04 06:00 UTC, a Monday.
pub(crate) const BEGINS: Timestamp = Timestamp::from_millis(1_777_874_400_000);
pub(crate) const CANDIDATE: &str = "v8";
const PRODUCTION: &str = "v7";
const MODEL: &str = "gpt-4o-mini";
const DOCUMENTS: u64 = 500;
/// Between two documents.
const GAP: Duration = Duration::from_secs(3 * 60);
/// After a review, corrections of the same document may still come for some minutes.
const LATE: Duration = Duration::from_secs(15 * 60);
/// Sixteen secret bytes of your own.
const KEY: [u8; 16] = *b"example, not one";

struct Run {
    models: Models,
    clock: MockClock,
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    runner: ShadowRunner<Value>,
    reviewers: Reviewers,
}

/// Plays the run; prints each event when it happens.
pub(crate) async fn simulate(seed: u64, rules: IgnoreRules) -> Result<ShadowReport, AnyError> {
    let documents: Vec<_> = documents::load()?.into_iter().map(Arc::new).collect();
    let types = documents.iter().map(|document| document.kind.clone());
    let mut run = Run::new(seed, rules, types)?;
    for (number, document) in (0..DOCUMENTS).zip(documents.iter().cycle()) {
        run.document(number, document).await?;
        others_go_on().await;
        run.clock.advance(GAP);
        run.tick().await;
    }
    while let Some(due) = run.reviewers.done() {
        run.clock.set(due);
        run.tick().await;
    }
    run.clock.advance(LATE);
    run.tick().await;
    Ok(run.shadow.report())
}

impl Run {
    fn new(
        seed: u64,
        rules: IgnoreRules,
        types: impl IntoIterator<Item = DocumentType>,
    ) -> Result<Self, AnyError> {
        let fields = fields()?;
        let shadow = ShadowComparator::builder(VersionId::new(CANDIDATE)?)
            .share(Ratio::percent(100))
            .baseline_share(Ratio::percent(20))
            .expect_types(types)
            .fields(fields.clone())
            .judged_by_corrections(KEY)
            .ignore(rules)
            .build()?;
        let (shadow, clock) = (Arc::new(shadow), MockClock::at(BEGINS));
        let pipeline = Pipeline::builder(LineUp::new(Version::new(PRODUCTION, MODEL)?))
            .guard(Arc::clone(&shadow))
            .clock(clock.clone())
            .sink(sink::from_fn(|event| println!("{event}")))
            .build()?;
        let runner = ShadowRunner::new(&pipeline, &shadow, TokioSpawner::current()?, fields)?;
        Ok(Self {
            models: Models::new(seed),
            clock,
            pipeline,
            shadow,
            runner: runner.redacting(redacted),
            reviewers: Reviewers::default(),
        })
    }

    async fn document(&mut self, number: u64, document: &Arc<Document>) -> Result<(), AnyError> {
        let arrival = Arrival {
            number,
            id: format!("{}#{:03}", document.name, number + 1),
            document: Arc::clone(document),
        };
        let call = Call::new(&arrival.id, &document.kind)?.with_document(&document.text);
        let (models, copy) = (self.models, arrival.clone());
        let served = self.runner.run(
            &call,
            async |_, _| models.version_7(Of::Production, &arrival),
            async move |call: ShadowCall| models.beside(call, copy).await,
        );
        if let Served::Accepted { value, ticket } = served.await {
            let mut chance = models.chance(Of::Reviewer, &arrival);
            let now = self.clock.now();
            self.reviewers
                .take(now, &ticket, &value, document, &mut chance)?;
        }
        Ok(())
    }

    async fn tick(&mut self) {
        self.pipeline.tick();
        self.reviewers.report(&self.pipeline, self.clock.now());
        others_go_on().await;
    }
}

/// What runs beside the caller goes on while the caller waits.
async fn others_go_on() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// All fields are critical but the vendor's name, and lines may come in any order.
fn fields() -> Result<JsonFields, fusebox::Error> {
    JsonFields::builder()
        .critical([
            "/document_number",
            "/customer",
            "/date",
            "/currency",
            "/total",
            "/iban",
            "/lines",
        ])
        .unordered(["/lines"])
        .build()
}

/// Of an account number the page shows the country and the last four characters.
fn redacted(field: &Field, text: &str) -> String {
    if *field != "/iban" {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().filter(|letter| *letter != ' ').collect();
    let hidden = 2..letters.len().saturating_sub(4);
    let shown = letters.iter().enumerate();
    shown
        .map(|(place, letter)| {
            if hidden.contains(&place) {
                '•'
            } else {
                *letter
            }
        })
        .collect()
}
