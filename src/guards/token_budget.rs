//! The token budget: it measures the tokens of every call before the call is made.

mod alarm;
mod audit;
mod builder;
mod cuts;
mod estimate;
mod headroom;
mod models;
mod shift;
mod usage;
mod what_if;

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::call::{Call, Destination, LineUp, Outcome, Reason, Report, Signal, Ticket, Version};
use crate::error::Error;
use crate::event::{BudgetEvent, EventKind, Severity};
use crate::failure::FailureKind;
use crate::format::Format;
use crate::guard::{Acceptance, Attached, Cx, Guard, Share, State, Trouble, Verdict, Wanted};
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::time::Timestamp;
use crate::tokens::{Basis, Conversation, Measurement, Model, TokenBreakdown};

use alarm::Alarms;
use audit::Audit;
use estimate::{Estimate, Estimator};
use headroom::Space;
use models::{Estimators, Models};
use usage::UsageHistory;

pub use builder::TokenBudgetBuilder;
pub use headroom::{CountRange, Headroom};
pub use what_if::{BoundReport, WhatIf};

const LIMIT: Ratio = Ratio::percent(90);
/// How long before a model's end of life the warnings start.
const END_OF_LIFE_NOTICE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest document, in bytes, that is counted in full to learn how its model counts.
const LONGEST_LESSON: usize = 1 << 20;
const END_OF_LIFE_REPEAT: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends a document that does not fit into the model's input to a larger model or to human review,
/// before the call is made.
///
/// # What it watches
/// The tokens of the version that will serve: its system prompt and tools, the document, the
/// conversation, images, and what the API adds to messages. The guard therefore detects a longer
/// prompt at the first document that no longer fits. After the call it compares the usage that the
/// API reports with its own count.
///
/// # When it acts
/// The guard acts when the prompt may need more than 90 % of the input left after reserving the
/// answer, `min(largest input, context window - reserved answer)`; exactly 90 % still passes. The
/// upper end of a count decides. A call without a measurement, or one that cannot be measured, is
/// over budget.
///
/// It counts only as far as necessary: a text with fewer bytes than there are tokens left fits,
/// whatever its content, and a count stops as soon as it is over the limit. Where the model's
/// tokenizer is not published, it counts texts up to a megabyte in full, to learn from usage.
///
/// A line-up is refused if a version leaves no room for a document, or if no version could use a
/// fallback: because it is smaller, or cannot write the answer that the version reserves.
///
/// # What it does
/// The guard chooses the cheapest declared fallback model that the same call fits into, counted
/// with that model's own tokenizer. If there is none, it diverts the document to human review, with
/// the count of each part. When three documents of a type exceed the budget of one version within
/// 15 minutes, it pages once; further types, and further documents until there was none for a day,
/// belong to the same incident.
///
/// If the API reports fewer input tokens than the prompt has, the service cut the prompt. The guard
/// then diverts the answer to human review. For a model without a published tokenizer a report shows a
/// cut when it is below half of another tokenizer's count, or 30 % below all but 1 % of the documents
/// before; or when it is the third of the very same usage for texts of lengths that differ by a
/// quarter, with none above it in between.
///
/// # How it counts
/// - Exactly, with the model's encoding, if it is published and its feature is enabled.
/// - With your own counter ([`TokenBudgetBuilder::counter`]).
/// - Otherwise with another tokenizer and a factor. The first factor is above every published
///   understatement. The guard then calibrates one per document type from the usage that you
///   report, so that 99 % of the documents lie at or below the bound ([`coverage`](Self::coverage)
///   shows the observed share). With n < 99 documents of a type, its bound is above the largest of
///   them and promises n / (n + 1); with less than 19 it leans on the bound of all types, and promises
///   nothing ([`Provenance::Assumed`](crate::tokens::Provenance::Assumed)).
///
/// | Models of | Texts | Messages | Tools | Images |
/// |---|---|---|---|---|
/// | OpenAI, Azure: GPT-3.5 to GPT-4o | exact | exact | see [`ToolRule`](crate::tokens::ToolRule) | exact by size |
/// | OpenAI, Azure: later models, gpt-oss | exact | bounded | bounded | exact by size, or unmeasured |
/// | Anthropic | calibrated | bounded | calibrated with the texts | bounded |
/// | Google, Mistral, Meta, Cohere, Amazon, others | calibrated | bounded | calibrated with the texts | unmeasured |
///
/// Token counts that you give are taken for the version's model. A count by another tokenizer says so
/// ([`TokenCount::counted_with`](crate::tokens::TokenCount::counted_with)). For a model of the catalogue
/// whose tokenizer is not published, only [the provider's own
/// count](crate::tokens::TokenCount::by_provider) is taken at its word.
///
/// Usage of zero is none. Usage above eight times another tokenizer's count is not believed and not
/// learnt from, nor is that of a cut prompt or of a call with images whose tokens are only bounded.
/// When all types have fewer tokens than before, by one factor, the model has another tokenizer: what
/// was learnt is scaled.
///
/// # What it cannot see
/// Whether a service cut a prompt that the guard only bounded by its length;
/// [`measure_every_document`] counts every prompt. The first two of the prompts that a service cuts at
/// one length, if they lost less than a third. The coverage of a calibrated factor holds only for
/// documents like those it was calibrated from.
///
/// [`measure_every_document`]: TokenBudgetBuilder::measure_every_document
///
/// # Defaults and why
/// 90 %: a margin for differences in how providers count. Three documents in 15 minutes: a single
/// odd document pages nobody, and three documents of a type that no longer fits are enough. A
/// report that differs from the count by more than 2 % plus 16 tokens means that the guard counted
/// wrong. A type whose 99th percentile is above 80 % of the available input has little headroom
/// left.
///
/// # Events
/// What each page means and what to do: [the runbook](crate::documentation::runbooks::token_budget).
///
/// [`BudgetAlarm`](crate::event::BudgetEvent::BudgetAlarm) (page),
/// [`PromptCut`](crate::event::BudgetEvent::PromptCut) and
/// [`CountWrong`](crate::event::BudgetEvent::CountWrong) (a page, then warnings until there was none for a day),
/// [`LittleHeadroom`](crate::event::BudgetEvent::LittleHeadroom),
/// [`BoundMissed`](crate::event::BudgetEvent::BoundMissed),
/// [`TokenizerChanged`](crate::event::BudgetEvent::TokenizerChanged),
/// [`UsageNotBelieved`](crate::event::BudgetEvent::UsageNotBelieved),
/// [`ModelEnds`](crate::event::BudgetEvent::ModelEnds) (warnings). The pipeline reports each
/// diverted document.
///
/// # Example
/// ```
/// use fusebox::{Admission, Call, LineUp, Pipeline, TokenBudget, Version};
/// use fusebox::tokens::{Framing, Model};
///
/// let v7 = Version::new("v7", "local-small")?.with_system_prompt_tokens(1_000).with_reserved_answer_tokens(1_000);
/// let budget = TokenBudget::builder()
///     .model(Model::new("local-small", 16_000)?.with_framing(Framing::NONE))
///     .fallback(Model::new("local-large", 128_000)?.with_framing(Framing::NONE))
///     .build()?;
/// let pipeline = Pipeline::builder(LineUp::new(v7)).guard(budget).build()?;
///
/// let fits = pipeline.admit(&Call::new("a", "invoice")?.with_document_tokens(12_500));
/// assert_eq!(*fits.ticket().model(), "local-small"); // 1,000 + 12,500 = 13,500 of 15,000: exactly 90 %
/// let large = pipeline.admit(&Call::new("b", "invoice")?.with_document_tokens(12_501));
/// assert_eq!(*large.ticket().model(), "local-large");
/// let short = pipeline.admit(&Call::new("c", "invoice")?.with_document("Total: 12.50 EUR"));
/// assert_eq!(*short.ticket().model(), "local-small");
/// let unmeasured = pipeline.admit(&Call::new("d", "invoice")?);
/// assert!(matches!(unmeasured, Admission::Diverted(_)));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Debug)]
pub struct TokenBudget {
    models: Models,
    otherwise: Destination,
    larger_model_alarm: Severity,
    measure_all: bool,
    alarms: Mutex<Alarms>,
    usage: Mutex<UsageHistory>,
    ends_reported: Mutex<BTreeMap<ModelName, Timestamp>>,
    attached: Attached,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    usage: usage::Stored,
    ends_reported: Vec<(ModelName, Timestamp)>,
}

impl TokenBudget {
    fn of(
        models: Models,
        otherwise: Destination,
        larger_model_alarm: Severity,
        measure_all: bool,
    ) -> Self {
        Self {
            models,
            otherwise,
            larger_model_alarm,
            measure_all,
            alarms: Mutex::new(Alarms::new()),
            usage: Mutex::new(UsageHistory::new()),
            ends_reported: Mutex::new(BTreeMap::new()),
            attached: Attached::new(),
        }
    }

    fn stored(&self, usage: usage::Stored) -> Stored {
        let ends_reported = self.ends_reported.lock().clone();
        Stored {
            format: Format,
            usage,
            ends_reported: ends_reported.into_iter().collect(),
        }
    }

    fn restore_stored(&self, stored: Stored) {
        self.usage.lock().restore(stored.usage);
        *self.ends_reported.lock() = stored.ends_reported.into_iter().collect();
    }

    /// The tokens that a call needs with a version, each part counted in full. Returns an error if
    /// a part cannot be counted.
    ///
    /// The cost grows with the length of the texts: a megabyte takes tens of milliseconds.
    pub fn count(&self, call: &Call<'_>, version: &Version) -> Result<TokenBreakdown, Error> {
        let estimators = self.models.estimators(version)?;
        Ok(self.count_in_full(&estimators.own, call)?.breakdown)
    }

    fn count_in_full(&self, estimator: &Estimator, call: &Call<'_>) -> Result<Estimate, Error> {
        self.measure(estimator, call, None).ok_or_else(|| {
            let reason = "the document, an image or a message of this call cannot be counted";
            Error::count(estimator.tokenizer.counter.name(), reason)
        })
    }

    fn measure(
        &self,
        estimator: &Estimator,
        call: &Call<'_>,
        limit: Option<u64>,
    ) -> Option<Estimate> {
        let assumed = self.models.assumed_factor();
        if estimator.tokenizer.is_own {
            return estimator.measure(call, limit, assumed, assumed);
        }
        let factor = {
            let usage = self.usage.lock();
            usage.factor(call.document_type(), estimator.model.name(), assumed)
        };
        // Usage teaches only of texts that were counted in full.
        let document = call.document_text().map_or(0, str::len);
        let conversation = call.conversation().map_or(0, Conversation::bytes);
        let is_long = document.saturating_add(conversation) > LONGEST_LESSON;
        let limit = limit.filter(|_| is_long);
        estimator.measure(call, limit, factor, assumed)
    }

    fn evaluate(&self, call: &Call<'_>, estimators: &Estimators, cx: &Cx<'_>) -> Verdict {
        let own = &estimators.own;
        if let Some((prompt, brought)) = own.fits_at_once(call).filter(|_| !self.measure_all) {
            cx.mark_measurement(Measurement {
                model: own.model.name().clone(),
                prompt,
                raw: None,
                basis: Basis::Own,
                beside: 0,
                version_model: own.model.name().clone(),
                brought,
                guard: None,
            });
            return Verdict::Proceed;
        }
        let limit = (!self.measure_all).then_some(own.limit);
        let Some(estimate) = self.measure(own, call, limit) else {
            return Verdict::divert(self.otherwise.clone(), Reason::Unmeasured);
        };
        if estimate.breakdown.prompt().fits(own.limit) {
            cx.mark_measurement(measurement(own, own, &estimate, &estimate));
            return Verdict::Proceed;
        }
        for fallback in &estimators.fallbacks {
            let fits = self.measure(fallback, call, Some(fallback.limit));
            if let Some(fits) = fits.filter(|fits| fits.breakdown.prompt().fits(fallback.limit)) {
                cx.mark_measurement(measurement(own, fallback, &estimate, &fits));
                return Verdict::UseModel(Box::new(fallback.model.clone()));
            }
        }
        cx.mark_measurement(measurement(own, own, &estimate, &estimate));
        let reason = Reason::OverBudget {
            version: estimators.version.id().clone(),
            breakdown: Box::new(estimate.breakdown),
            limit: own.limit,
            largest_prompt: own.largest_prompt,
        };
        Verdict::divert(self.otherwise.clone(), reason)
    }

    fn settled(&self, ticket: &Ticket, outcome: &Outcome, report: &Report, cx: &Cx<'_>) {
        let Some(measurement) = own_measurement(ticket, cx) else {
            return;
        };
        let mut reported = report.input_tokens();
        let audit = reported.map(|tokens| self.audit(measurement, tokens));
        if *outcome == Outcome::Failed(FailureKind::ContextLengthExceeded) {
            // An answer that ran into the end of the window says nothing against the count.
            let has_answered = report.output_tokens().is_some_and(|tokens| tokens > 0);
            if audit != Some(Audit::Agrees) || !has_answered {
                audit::count_wrong(ticket, measurement, reported, cx);
            }
        } else if let Some((tokens, audit)) = reported.zip(audit) {
            match audit {
                Audit::Agrees => {}
                Audit::Wrong => audit::count_wrong(ticket, measurement, reported, cx),
                Audit::Cut { alike } => {
                    audit::prompt_cut(ticket, measurement, tokens, alike, cx);
                }
            }
        }
        let is_cut = matches!(audit, Some(Audit::Cut { .. }));
        let mut usage = self.usage.lock();
        if let Some(tokens) = reported {
            let assumed = self.models.assumed_factor();
            usage.calibrate(ticket, measurement, tokens, is_cut, assumed, cx);
        }
        if is_cut {
            // The report for a cut prompt is not the size of the document.
            reported = None;
        }
        if let Some(space) = self.space(ticket, measurement, cx) {
            let (document_type, version) = (ticket.document_type(), ticket.version());
            let (served_by, own) = (&measurement.model, &measurement.version_model);
            let reported = reported.filter(|_| self.models.share_tokenizer(served_by, own));
            usage.record_call(document_type, version, measurement, reported, space, cx);
        }
    }

    fn audit(&self, measurement: &Measurement, reported: u64) -> Audit {
        // Only a count by another tokenizer leaves a cut in doubt.
        let raw = measurement.raw;
        let alike = raw.and_then(|_| self.usage.lock().cut_alike(measurement, reported));
        audit::compare(measurement, reported, alike)
    }

    /// The room that the ticket's version leaves in its model's window; `None` if that version is
    /// no longer live.
    fn space(&self, ticket: &Ticket, measurement: &Measurement, cx: &Cx<'_>) -> Option<Space> {
        let mut versions = cx.line_up().versions();
        let version = versions.find(|version| {
            version.id() == ticket.version() && *version.model() == measurement.version_model
        })?;
        let estimators = self.models.estimators(version).ok()?;
        Some(estimators.space)
    }

    fn report_ends_of_life(&self, cx: &Cx<'_>) {
        for version in cx.line_up().versions() {
            let Ok(estimators) = self.models.estimators(version) else {
                continue;
            };
            let fallbacks = estimators.fallbacks.iter();
            for estimator in fallbacks.chain([&estimators.own]) {
                self.report_end_of_life(&estimator.model, cx);
            }
        }
    }

    fn report_end_of_life(&self, model: &Model, cx: &Cx<'_>) {
        let is_near = |end: &Timestamp| end.since(cx.now()) < END_OF_LIFE_NOTICE;
        let Some(end) = model.end_of_life().filter(is_near) else {
            return;
        };
        let mut ends_reported = self.ends_reported.lock();
        let last = ends_reported.get(model.name());
        let is_known = last.is_some_and(|last| cx.now().since(*last) < END_OF_LIFE_REPEAT);
        let trouble = Trouble::new("model-ends")
            .about(model.name().as_str())
            .told_as(Severity::Warning);
        let kind = || {
            EventKind::Budget(BudgetEvent::ModelEnds {
                model: model.name().clone(),
                at: end,
            })
        };
        if is_known {
            return cx.still(&trouble, kind);
        }
        ends_reported.insert(model.name().clone(), cx.now());
        cx.page(&trouble, kind());
    }

    fn record_over_budget(
        &self,
        call: &Call<'_>,
        version: &Version,
        tokens: Option<&TokenBreakdown>,
        limit: u64,
        severity: Severity,
        cx: &Cx<'_>,
    ) {
        let tokens = tokens.map(TokenBreakdown::prompt);
        let mut alarms = self.alarms.lock();
        alarms.record(
            call.document_type(),
            version.id(),
            tokens,
            limit,
            severity,
            cx,
        );
    }
}

/// The measurement by this budget for the model that was called.
fn own_measurement<'a>(ticket: &'a Ticket, cx: &Cx<'_>) -> Option<&'a Measurement> {
    let measurement = ticket.measurement()?;
    let is_own = measurement.guard() == Some(cx.guard());
    (is_own && measurement.model == *ticket.model()).then_some(measurement)
}

fn measurement(
    own: &Estimator,
    served: &Estimator,
    estimate: &Estimate,
    fits: &Estimate,
) -> Measurement {
    Measurement {
        model: served.model.name().clone(),
        prompt: fits.breakdown.prompt(),
        raw: fits.raw,
        basis: fits.basis,
        beside: fits.beside,
        version_model: own.model.name().clone(),
        brought: estimate.breakdown.brought(),
        guard: None,
    }
}

impl Guard for TokenBudget {
    fn name(&self) -> &'static str {
        "token-budget"
    }

    fn attached(&self) -> Option<&Attached> {
        Some(&self.attached)
    }

    fn settings(&self) -> String {
        let Self {
            models,
            otherwise,
            larger_model_alarm,
            measure_all,
            ..
        } = self;
        let models = models.settings();
        format!("{models} {otherwise:?} {larger_model_alarm} {measure_all}")
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &Cx<'_>) -> Verdict {
        let Ok(estimators) = self.models.estimators(version) else {
            self.record_over_budget(call, version, None, 0, Severity::Page, cx);
            return Verdict::divert(self.otherwise.clone(), Reason::Unmeasured);
        };
        let verdict = self.evaluate(call, &estimators, cx);
        let limit = estimators.own.limit;
        match &verdict {
            Verdict::Proceed => {}
            Verdict::UseModel(_) => {
                let severity = self.larger_model_alarm;
                let breakdown = self.measure(&estimators.own, call, Some(limit));
                let breakdown = breakdown.map(|estimate| estimate.breakdown);
                self.record_over_budget(call, version, breakdown.as_ref(), limit, severity, cx);
            }
            Verdict::Divert(divert) => {
                let breakdown = divert.reasons().iter().find_map(|reason| match reason {
                    Reason::OverBudget { breakdown, .. } => Some(&**breakdown),
                    _ => None,
                });
                self.record_over_budget(call, version, breakdown, limit, Severity::Page, cx);
            }
        }
        verdict
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
        let measurement = own_measurement(ticket, cx);
        let Some((measurement, reported)) = measurement.zip(report.input_tokens()) else {
            return Acceptance::Accept;
        };
        if let Audit::Cut { alike } = self.audit(measurement, reported) {
            return Acceptance::review(Reason::PromptCut {
                counted: measurement.prompt,
                reported,
                alike,
            });
        }
        Acceptance::Accept
    }

    fn observe(&self, ticket: &Ticket, signal: &Signal, cx: &Cx<'_>) {
        if let Signal::Settled { outcome, report } = signal {
            self.settled(ticket, outcome, report, cx);
        }
    }

    fn tick(&self, cx: &Cx<'_>) {
        self.report_ends_of_life(cx);
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        for version in line_up.versions() {
            self.models.estimators(version)?;
        }
        self.models.check_fallbacks(line_up)
    }

    fn share(&self, wanted: Wanted, cx: &Cx<'_>) -> Result<Share, Error> {
        let (usage, is_whole) = match wanted {
            Wanted::Facts => return Ok(Share::default()),
            Wanted::ChangedRegisters => (self.usage.lock().take_changed(), false),
            Wanted::AllRegisters => {
                let shared = self.usage.lock().shared();
                (shared.stored(), true)
            }
        };
        let mut stored = self.stored(usage);
        let mut share = Share {
            is_whole,
            ..Share::default()
        };
        stored.usage.share(&mut share, cx)?;
        share.register(&[], &stored, cx)?;
        Ok(share)
    }

    fn take(&self, shared: &Share, cx: &Cx<'_>) -> Result<(), Error> {
        let mut stored: Stored = shared.rest(cx)?;
        stored.usage.take(shared, cx)?;
        self.restore_stored(stored);
        Ok(())
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let usage = self.usage.lock().shared();
        State::write(&self.stored(usage.stored()), cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        self.restore_stored(state.read(cx)?);
        Ok(())
    }
}
