//! The task of a candidate's call: it waits for both answers, compares them, and reports how it
//! ended.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use futures_channel::oneshot::{self, Canceled};
use futures_util::FutureExt;
use futures_util::future::{Aborted, Either, Shared, abortable, select};

use super::judge::Comparing;
use super::redact::Redactor;
use super::spawn::Task;
use crate::call::{Feedback, Report, ShadowEnd, ShadowResult, Ticket};
use crate::failure::Classify;
use crate::guards::shadow::{RunId, Sealed, ShadowComparator, Stop};
use crate::pipeline::Pipeline;
use crate::pipeline::run::{Reply, Served, classified};

/// Production's answer, once it is there; `None` if it failed.
pub(super) type Answer<T> = Shared<oneshot::Receiver<Option<Arc<T>>>>;

/// Production's side of a run. Dropped without an end, it cancels the candidate's call.
pub(super) struct Side<T>(oneshot::Sender<Option<Arc<T>>>);

impl<T: Clone> Side<T> {
    pub(super) fn new(sender: oneshot::Sender<Option<Arc<T>>>) -> Self {
        Self(sender)
    }

    /// Production's call ended. The candidate's may have ended long before: then nobody listens.
    pub(super) fn end<E>(self, served: &Served<T, E>) {
        let answer = match served {
            Served::Accepted { value, .. } | Served::NeedsReview { value, .. } => {
                Some(Arc::new(value.clone()))
            }
            Served::Diverted(_) | Served::Failed { .. } => None,
        };
        drop(self.0.send(answer));
    }
}

/// A candidate's call. Dropped before its end is reported, it counts as cancelled.
pub(super) struct Beside<T> {
    pub(super) pipeline: Pipeline,
    pub(super) shadow: Arc<ShadowComparator>,
    pub(super) run: RunId,
    /// `None` once the end is reported.
    pub(super) ticket: Option<Ticket>,
    pub(super) comparing: Comparing<T>,
    pub(super) redactor: Option<Redactor>,
}

/// How a candidate's call ended: stopped, by a panic, with an error, or with an answer.
type Ended<T, CE> = Result<thread::Result<Result<Reply<T>, CE>>, Aborted>;

/// What a candidate's call gave.
enum Given<T> {
    Answer(Sealed<T>),
    End(ShadowEnd),
}

impl<T: Send + Sync + 'static> Beside<T> {
    pub(super) fn task<CE>(
        self,
        call: impl Future<Output = Result<Reply<T>, CE>> + Send + 'static,
        answer: Answer<T>,
    ) -> Task
    where
        CE: Classify + Send + 'static,
    {
        // What panics here is the drop of something that the candidate left.
        let task = AssertUnwindSafe(self.run(call, answer)).catch_unwind();
        Box::pin(task.map(drop))
    }

    async fn run<CE: Classify>(
        mut self,
        call: impl Future<Output = Result<Reply<T>, CE>> + Send,
        answer: Answer<T>,
    ) {
        let (call, handle) = abortable(AssertUnwindSafe(call).catch_unwind());
        let stop = Stop::new(move || handle.abort());
        self.shadow.stop_by(self.run, stop);
        let (given, production) = match select(pin!(call), answer).await {
            Either::Left((given, answer)) => {
                let Some(given) = self.given(given) else {
                    return self.forget();
                };
                (given, answer.await)
            }
            Either::Right((Ok(Some(production)), call)) => {
                let Some(given) = self.given(call.await) else {
                    return self.forget();
                };
                (given, Ok(Some(production)))
            }
            Either::Right((production, _)) => {
                return self.end(without_answer(&production), &Report::new());
            }
        };
        let (given, report) = given;
        let Ok(Some(production)) = production else {
            return self.end(without_answer(&production), &report);
        };
        let end = match given {
            Given::Answer(candidate) => self.compare(&production, candidate).await,
            Given::End(end) => Some(end),
        };
        match end {
            Some(end) => self.end(end, &report),
            None => self.forget(),
        }
    }

    /// What the candidate's call gave, and what it reported; `None` if it was stopped, which the
    /// comparator has counted as timed out.
    fn given<CE: Classify>(&self, ended: Ended<T, CE>) -> Option<(Given<T>, Report)> {
        let given = match ended.ok()? {
            Err(_) => (Given::End(ShadowEnd::CandidatePanicked), Report::new()),
            Ok(Err(error)) => {
                let (kind, report) = classified(&error);
                (Given::End(ShadowEnd::CandidateFailed(kind)), report)
            }
            Ok(Ok(reply)) => {
                let (value, report) = reply.into_parts();
                let given = match report.failure() {
                    Some(kind) => Given::End(ShadowEnd::CandidateFailed(kind)),
                    None => Given::Answer(Sealed::new(value)),
                };
                (given, report)
            }
        };
        self.shadow.answered(self.run, self.pipeline.now());
        Some(given)
    }

    /// The comparison; `None` if it took too long, which is counted already.
    async fn compare(&self, production: &T, candidate: Sealed<T>) -> Option<ShadowEnd> {
        if !self.shadow.compares(self.run, self.pipeline.now()) {
            // Overdue: how it ends makes no difference.
            return Some(ShadowEnd::TimedOut);
        }
        let compared = match &self.comparing {
            Comparing::AtOnce(compare) => {
                let compare =
                    || candidate.compare(production, |one, other| compare.compare(one, other));
                catch_unwind(AssertUnwindSafe(compare))
            }
            Comparing::Judged(judge) => {
                let judge = judge.judge(production, candidate.inner());
                let (judge, handle) = abortable(AssertUnwindSafe(judge).catch_unwind());
                let stop = Stop::new(move || handle.abort());
                self.shadow.stop_by(self.run, stop);
                judge.await.ok()?
            }
        };
        Some(match compared {
            Ok(comparison) => match &self.redactor {
                Some(redactor) => redactor.redact(comparison).into(),
                None => comparison.into(),
            },
            Err(_) => ShadowEnd::ComparatorPanicked,
        })
    }

    fn end(&mut self, end: ShadowEnd, report: &Report) {
        let tokens = [report.input_tokens(), report.output_tokens()];
        self.report(end, tokens.into_iter().flatten().sum());
    }

    fn forget(&mut self) {
        self.ticket = None;
    }
}

impl<T> Beside<T> {
    fn report(&mut self, end: ShadowEnd, tokens: u64) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let candidate = self.shadow.candidate().clone();
        let result = if self.run.is_baseline {
            ShadowResult::of_baseline(candidate, end)
        } else {
            ShadowResult::new(candidate, end)
        };
        let feedback = Feedback::Compared(result.with_tokens(tokens));
        self.pipeline.observe(&ticket, feedback);
    }
}

impl<T> Drop for Beside<T> {
    fn drop(&mut self) {
        self.report(ShadowEnd::Cancelled, 0);
    }
}

/// The end of a document that production did not answer.
fn without_answer<T>(production: &Result<Option<T>, Canceled>) -> ShadowEnd {
    match production {
        Ok(_) => ShadowEnd::ProductionFailed,
        Err(Canceled) => ShadowEnd::Cancelled,
    }
}
