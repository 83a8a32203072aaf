//! P1: tokens are measured before every call.

mod alarm;
mod audit;
mod builder;
mod estimate;
mod headroom;
mod models;
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
use crate::guard::{Acceptance, Cx, Guard, State, Verdict};
use crate::name::ModelName;
use crate::ratio::Ratio;
use crate::time::Timestamp;
use crate::tokens::{Factor, Measurement, Model, TokenBreakdown};

use alarm::{Alarmed, Alarms};
use audit::{Audit, LastReports};
use estimate::{Estimate, Estimator};
use headroom::Space;
use models::{Estimators, Models};
use usage::UsageHistory;

pub use builder::TokenBudgetBuilder;
pub use headroom::{CountRange, Headroom};
pub use what_if::{BoundReport, WhatIf};

const LIMIT: Ratio = Ratio::percent(90);
/// An announced end of life is told of from so long before on ..
const END_IN_SIGHT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// .. once in so long.
const TOLD_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends a document that does not fit into what the model can read to a larger model or to a person, before the call is
/// made.
///
/// # What it watches
/// The tokens of the version that will serve: its system prompt and tools, the document, the conversation, images, and
/// what the API adds to messages. A longer prompt is therefore seen at the first document that no longer fits. After the
/// call it holds what the API reports against what it counted.
///
/// # When it acts
/// When the prompt may need more than 90 % of what the model can read beside the reserved answer:
/// `min(largest input, context window - reserved answer)`; exactly 90 % still goes through. The upper end of a count
/// decides. A call that nobody measured, or that cannot be measured, is over budget.
///
/// It counts no further than it must: a text with fewer bytes than tokens are left fits, whatever its content, and a
/// count stops once it is over.
///
/// # What it does
/// Chooses the cheapest declared fallback model that the same call fits into, counted with that model's own tokenizer; if
/// there is none, diverts the document to human review with the count of each part. When three documents of a type were
/// over the budget of one version within 15 minutes, it pages once for that type and version.
///
/// An answer to a prompt of which the API read less than there was is not accepted: the service cut it.
///
/// # How it counts
/// - With the model's encoding, if that is published and its feature is on: exactly.
/// - With a counter of yours ([`TokenBudgetBuilder::counter`]).
/// - Otherwise with another tokenizer and a factor: first one that is above every understatement that was published, then
///   one learnt for each type of document from the usage that you report, so that 99 % of the documents lie at or below
///   the bound ([`coverage`](Self::coverage) says how many did).
///
/// # What it cannot see
/// Whether a service cut a prompt that was only bounded by its length: [`measure_every_document`] counts all of them. The
/// coverage of a learnt factor holds for documents like those it was learnt from.
///
/// [`measure_every_document`]: TokenBudgetBuilder::measure_every_document
///
/// # Defaults and why
/// 90 %: room for what a provider counts otherwise. Three documents in 15 minutes: one odd document wakes nobody, a type
/// that stopped fitting is known long before half an hour is over. A report that is more than 2 % (and 16 tokens) off the
/// count is an error of the guard's; a type whose 99th percentile is above 80 % of the window has little room left.
///
/// # Events
/// [`BudgetAlarm`](crate::event::BudgetEvent::BudgetAlarm) (page), [`PromptCut`](crate::event::BudgetEvent::PromptCut) and
/// [`CountWrong`](crate::event::BudgetEvent::CountWrong) (a page, then for an hour warnings), [`LittleHeadroom`](crate::event::BudgetEvent::LittleHeadroom),
/// [`BoundMissed`](crate::event::BudgetEvent::BoundMissed), [`ModelEnds`](crate::event::BudgetEvent::ModelEnds) (warnings). Each diverted document is an
/// event of the pipeline.
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
    last_reports: Mutex<LastReports>,
    usage: Mutex<UsageHistory>,
    ends_reported: Mutex<BTreeMap<ModelName, Timestamp>>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: Format<1>,
    alarmed: Vec<Alarmed>,
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
            last_reports: Mutex::new(LastReports::default()),
            usage: Mutex::new(UsageHistory::new()),
            ends_reported: Mutex::new(BTreeMap::new()),
        }
    }

    /// What a call needs with a version, every part counted in full; an error when a part cannot be counted.
    ///
    /// The work grows with the texts: a megabyte takes tens of milliseconds.
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
        let usage = if estimator.tokenizer.is_own {
            None
        } else {
            let usage = self.usage.lock();
            usage.factor(call.document_type(), estimator.model.name())
        };
        estimator.measure(call, limit, usage, self.models.assumed_factor())
    }

    fn evaluate(&self, call: &Call<'_>, estimators: &Estimators, cx: &Cx<'_>) -> Verdict {
        let own = &estimators.own;
        if let Some((prompt, brought)) = own.fits_at_once(call).filter(|_| !self.measure_all) {
            cx.mark_measurement(Measurement {
                model: own.model.name().clone(),
                prompt,
                raw: None,
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
        if *outcome == Outcome::Failed(FailureKind::ContextLengthExceeded) {
            self.last_reports
                .lock()
                .count_wrong(ticket, measurement, reported, cx);
        } else if let Some(tokens) = reported {
            match audit::compare(measurement, tokens) {
                Audit::Agrees => {}
                Audit::Wrong => {
                    self.last_reports
                        .lock()
                        .count_wrong(ticket, measurement, reported, cx)
                }
                Audit::Cut => {
                    self.last_reports
                        .lock()
                        .prompt_cut(ticket, measurement, tokens, cx);
                    // What was cut says nothing about the whole.
                    reported = None;
                }
            }
        }
        let mut usage = self.usage.lock();
        if let Some(tokens) = reported {
            usage.calibrate(
                ticket,
                measurement,
                tokens,
                self.models.assumed_factor(),
                cx,
            );
        }
        if let Some(space) = self.space(ticket, measurement, cx) {
            let (document_type, version) = (ticket.document_type(), ticket.version());
            let (served_by, own) = (&measurement.model, &measurement.version_model);
            let reported = reported.filter(|_| self.models.count_alike(served_by, own));
            usage.size(document_type, version, measurement, reported, space, cx);
        }
    }

    /// What the version of a ticket leaves of its model's window; `None` when it is not live any more.
    fn space(&self, ticket: &Ticket, measurement: &Measurement, cx: &Cx<'_>) -> Option<Space> {
        let mut versions = cx.line_up().versions();
        let version = versions.find(|version| {
            version.id() == ticket.version() && *version.model() == measurement.version_model
        })?;
        let estimators = self.models.estimators(version).ok()?;
        Some(space(&estimators.own, self.models.assumed_factor()))
    }

    fn tell_of_ends(&self, cx: &Cx<'_>) {
        for version in cx.line_up().versions() {
            let Ok(estimators) = self.models.estimators(version) else {
                continue;
            };
            let fallbacks = estimators.fallbacks.iter();
            for estimator in fallbacks.chain([&estimators.own]) {
                self.tell_of_end(&estimator.model, cx);
            }
        }
    }

    fn tell_of_end(&self, model: &Model, cx: &Cx<'_>) {
        let in_sight = |end: &Timestamp| end.since(cx.now()) < END_IN_SIGHT;
        let Some(end) = model.end_of_life().filter(in_sight) else {
            return;
        };
        let mut last_reports = self.ends_reported.lock();
        let last = last_reports.get(model.name());
        if last.is_some_and(|last| cx.now().since(*last) < TOLD_EVERY) {
            return;
        }
        last_reports.insert(model.name().clone(), cx.now());
        let kind = EventKind::Budget(BudgetEvent::ModelEnds {
            model: model.name().clone(),
            at: end,
        });
        cx.emit(Severity::Warning, kind);
    }

    fn note_over_budget(
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
        alarms.note(
            call.document_type(),
            version.id(),
            tokens,
            limit,
            severity,
            cx,
        );
    }
}

/// What this budget measured for the model that was called.
fn own_measurement<'a>(ticket: &'a Ticket, cx: &Cx<'_>) -> Option<&'a Measurement> {
    let measurement = ticket.measurement()?;
    let is_own = measurement.guard() == Some(cx.guard());
    (is_own && measurement.model == *ticket.model()).then_some(measurement)
}

fn space(estimator: &Estimator, assumed: Factor) -> Space {
    let own = estimator.own_tokens(assumed);
    Space {
        largest_prompt: estimator.largest_prompt,
        limit: estimator.limit,
        own: own.upper().unwrap_or(u64::MAX),
    }
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
        version_model: own.model.name().clone(),
        brought: estimate.breakdown.brought(),
        guard: None,
    }
}

impl Guard for TokenBudget {
    fn name(&self) -> &'static str {
        "token-budget"
    }

    fn check(&self, call: &Call<'_>, version: &Version, cx: &Cx<'_>) -> Verdict {
        let Ok(estimators) = self.models.estimators(version) else {
            self.note_over_budget(call, version, None, 0, Severity::Page, cx);
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
                self.note_over_budget(call, version, breakdown.as_ref(), limit, severity, cx);
            }
            Verdict::Divert(divert) => {
                let breakdown = divert.reasons().iter().find_map(|reason| match reason {
                    Reason::OverBudget { breakdown, .. } => Some(&**breakdown),
                    _ => None,
                });
                self.note_over_budget(call, version, breakdown, limit, Severity::Page, cx);
            }
        }
        verdict
    }

    fn review(&self, ticket: &Ticket, report: &Report, cx: &Cx<'_>) -> Acceptance {
        let measurement = own_measurement(ticket, cx);
        let Some((measurement, reported)) = measurement.zip(report.input_tokens()) else {
            return Acceptance::Accept;
        };
        if audit::compare(measurement, reported) == Audit::Cut {
            return Acceptance::review(Reason::PromptCut {
                counted: measurement.prompt,
                reported,
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
        self.tell_of_ends(cx);
    }

    fn check_line_up(&self, line_up: &LineUp) -> Result<(), Error> {
        for version in line_up.versions() {
            self.models.estimators(version)?;
        }
        self.models.check_fallbacks(line_up.versions())
    }

    fn snapshot(&self, cx: &Cx<'_>) -> Result<Option<State>, Error> {
        let stored = Stored {
            format: Format,
            alarmed: self.alarms.lock().stored(),
            usage: self.usage.lock().stored(),
            ends_reported: self.ends_reported.lock().clone().into_iter().collect(),
        };
        State::write(&stored, cx).map(Some)
    }

    fn restore(&self, state: &State, cx: &Cx<'_>) -> Result<(), Error> {
        let stored: Stored = state.read(cx)?;
        self.alarms.lock().restore(stored.alarmed);
        self.usage.lock().restore(stored.usage);
        *self.ends_reported.lock() = stored.ends_reported.into_iter().collect();
        Ok(())
    }
}
