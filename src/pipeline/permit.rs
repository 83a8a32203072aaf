//! The permission to make one call, which ends in exactly one way.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::Pipeline;
use super::effects::LiveEffects;
use crate::call::{Outcome, Reason, Report, Ticket};
use crate::failure::FailureKind;
use crate::guard::{Acceptance, Divert};

/// The permission to make one call. Reporting how the call ended uses it up.
///
/// Owned, `Send` and `'static`: move it into a task or a stream. A permit that is dropped without
/// an outcome, by a cancelled future, an early `?` or a panic, records [`Outcome::Abandoned`], so
/// no document is lost.
#[derive(Debug)]
#[must_use = "a permit dropped without an outcome is recorded as abandoned"]
pub struct Permit {
    pipeline: Pipeline,
    /// `None` once it is settled.
    ticket: Option<Ticket>,
}

impl Permit {
    pub(crate) fn new(pipeline: Pipeline, ticket: Ticket) -> Self {
        pipeline.0.open_calls.fetch_add(1, Ordering::Relaxed);
        Self {
            pipeline,
            ticket: Some(ticket),
        }
    }

    /// The ticket: it names the version and the model to call. Store it with the document.
    pub fn ticket(&self) -> &Ticket {
        match &self.ticket {
            Some(ticket) => ticket,
            None => spent(),
        }
    }

    /// What allows an effect while the call runs, such as that of a tool.
    pub fn live_effects(&self) -> LiveEffects<'_> {
        LiveEffects::new()
    }

    /// Reports an answer. The settlement says whether it may be acted on.
    pub fn answer(mut self, report: Report) -> Settlement {
        let outcome = report.failure().map_or(Outcome::Accepted, Outcome::Failed);
        let mut ticket = self.take_ticket();
        let (outcome, acceptance) = self.pipeline.settle(&mut ticket, outcome, report);
        match (outcome, acceptance) {
            (Outcome::Failed(kind), _) => Settlement::Failed { ticket, kind },
            (_, Acceptance::Review(reasons)) => Settlement::NeedsReview { ticket, reasons },
            (_, Acceptance::Accept) => Settlement::Accepted { ticket },
        }
    }

    /// Reports a failure.
    pub fn fail(self, kind: FailureKind) -> Ticket {
        self.fail_with(kind, Report::new())
    }

    /// Reports a failure, with what else the error says, such as the tokens of a prompt that was
    /// too long.
    ///
    /// ```
    /// use fusebox::{Call, FailureKind, LineUp, Pipeline, Report, TokenBudget, Version};
    /// use fusebox::failure::Overflow;
    ///
    /// # let version = Version::new("v7", "claude-sonnet-5")?.with_system_prompt_tokens(900);
    /// # let pipeline = Pipeline::builder(LineUp::new(version)).guard(TokenBudget::builder().build()?).build()?;
    /// # let permit = pipeline.admit(&Call::new("a", "contract")?.with_document("..")).permit().unwrap();
    /// let message = "prompt is too long: 200251 tokens > 200000 maximum";
    /// let tokens = Overflow::parse(message).and_then(|overflow| overflow.prompt_tokens());
    /// let report = tokens.map_or(Report::new(), |tokens| Report::new().usage(tokens, 0));
    /// permit.fail_with(FailureKind::ContextLengthExceeded, report);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn fail_with(mut self, kind: FailureKind, report: Report) -> Ticket {
        self.settle(Outcome::Failed(kind), report)
    }

    /// Reports that the call was not made: it counts neither as an answer nor as a failure.
    pub fn release(mut self) -> Ticket {
        self.settle(Outcome::Released, Report::new())
    }

    /// Ends the call with a diversion instead of making it. That is no evidence for or against its
    /// version, so its ticket has no stage, without which no rollout counts it.
    pub(super) fn divert(mut self, divert: &Divert) -> Ticket {
        let ticket = self.take_ticket().with_stage(None);
        self.pipeline.divert(&ticket, divert);
        ticket
    }

    fn settle(&mut self, outcome: Outcome, report: Report) -> Ticket {
        let mut ticket = self.take_ticket();
        let _ = self.pipeline.settle(&mut ticket, outcome, report);
        ticket
    }

    /// The ticket, of which no second outcome can be reported.
    fn take_ticket(&mut self) -> Ticket {
        match self.ticket.take() {
            Some(ticket) => ticket,
            None => spent(),
        }
    }
}

fn spent() -> ! {
    unreachable!("reporting an outcome uses the permit up")
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let _ = self.settle(Outcome::Abandoned, Report::new());
        }
        self.pipeline.0.open_calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether an answer may be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an answer that needs review must not be acted on"]
#[allow(
    clippy::exhaustive_enums,
    reason = "a new end must be a compile error for whoever handles the others"
)]
pub enum Settlement {
    /// The answer may be acted on.
    Accepted {
        /// The ticket, to store with the document.
        ticket: Ticket,
    },
    /// The answer is a failure although the API said 200: do not act on it.
    Failed {
        /// The ticket, to store with the document.
        ticket: Ticket,
        /// What kind of failure it is.
        kind: FailureKind,
    },
    /// A reviewer must see the answer first.
    NeedsReview {
        /// The ticket, to store with the document.
        ticket: Ticket,
        /// Why: at least one reason.
        reasons: BTreeSet<Reason>,
    },
}

impl Settlement {
    /// What allows an effect of the answer: only an answer that was accepted has it.
    pub fn live_effects(&self) -> Option<LiveEffects<'_>> {
        matches!(self, Self::Accepted { .. }).then(LiveEffects::new)
    }

    /// The ticket, in every case.
    pub fn ticket(&self) -> &Ticket {
        match self {
            Self::Accepted { ticket }
            | Self::Failed { ticket, .. }
            | Self::NeedsReview { ticket, .. } => ticket,
        }
    }
}
