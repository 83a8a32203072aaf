//! A guarded call in one expression: admit, await the caller's own client, settle.

use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use super::Pipeline;
use super::admission::{Admission, Diversion};
use super::effects::LiveEffects;
use super::permit::Settlement;
use crate::call::{Call, Destination, Reason, Report, Ticket};
use crate::failure::{Classify, FailureKind};
use crate::guard::Divert;

/// Longer texts are counted on the blocking pool: 64 KB take about 2 ms.
#[cfg(feature = "tokio")]
const COUNTED_IN_PLACE: usize = 64 << 10;

/// An answer, with the application's report on it.
///
/// ```
/// use fusebox::{Reply, Report};
///
/// let plain = Reply::new("12.50");
/// let reported = Reply::new("12.50").report(Report::new().confidence("total", 0.97).usage(1_200, 40));
/// # let _ = (plain, reported);
/// ```
#[derive(Clone, Debug)]
pub struct Reply<T> {
    value: T,
    report: Report,
}

impl<T> Reply<T> {
    /// An answer with an empty report.
    pub fn new(value: T) -> Self {
        Self {
            value,
            report: Report::new(),
        }
    }

    /// The same with a report: confidences, usage, finish reason.
    pub fn report(mut self, report: Report) -> Self {
        self.report = report;
        self
    }

    pub(super) fn into_parts(self) -> (T, Report) {
        (self.value, self.report)
    }
}

/// How a guarded call ended.
///
/// It is no `Result`: each variant carries the ticket of a document that must go somewhere, and `?`
/// would lose it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a document must go somewhere, however its call ended"]
#[allow(
    clippy::exhaustive_enums,
    reason = "a new end must be a compile error for whoever handles the others"
)]
pub enum Served<T, E> {
    /// The answer may be acted on.
    Accepted {
        /// The answer.
        value: T,
        /// The ticket, to store with the document.
        ticket: Ticket,
    },
    /// The call was not made; the document goes where the diversion says.
    Diverted(Diversion),
    /// The call failed.
    Failed {
        /// The ticket, to store with the document.
        ticket: Ticket,
        /// What kind of failure it is.
        kind: FailureKind,
        /// What the call gave instead of a usable answer.
        failure: CallFailure<T, E>,
    },
    /// A reviewer must see the answer first.
    NeedsReview {
        /// The answer, to show to the reviewer.
        value: T,
        /// The ticket, to store with the document.
        ticket: Ticket,
        /// Why: at least one reason.
        reasons: BTreeSet<Reason>,
    },
}

/// What a failed call gave instead of a usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a call fails in the client, by its deadline, or with an answer; there is no fourth way"
)]
pub enum CallFailure<T, E> {
    /// An answer that is a failure although the API said 200: do not act on it.
    Answer(T),
    /// The error of your client, untouched.
    Client(E),
    /// The deadline of [`Pipeline::run_until`] passed during the call, which was dropped.
    Deadline,
}

impl<T, E> Served<T, E> {
    /// The ticket, in every case.
    pub fn ticket(&self) -> &Ticket {
        match self {
            Self::Accepted { ticket, .. }
            | Self::Failed { ticket, .. }
            | Self::NeedsReview { ticket, .. } => ticket,
            Self::Diverted(diversion) => diversion.ticket(),
        }
    }

    /// What allows an effect of the answer: only an answer that was accepted has it.
    pub fn live_effects(&self) -> Option<LiveEffects<'_>> {
        matches!(self, Self::Accepted { .. }).then(LiveEffects::new)
    }

    /// Joins an answer with its settlement.
    fn answered(value: T, settlement: Settlement) -> Self {
        match settlement {
            Settlement::Accepted { ticket } => Self::Accepted { value, ticket },
            Settlement::Failed { ticket, kind } => Self::Failed {
                ticket,
                kind,
                failure: CallFailure::Answer(value),
            },
            Settlement::NeedsReview { ticket, reasons } => Self::NeedsReview {
                value,
                ticket,
                reasons,
            },
        }
    }
}

/// The kind of a client's error, and a report of what else it says.
pub(super) fn classified<E: Classify>(error: &E) -> (FailureKind, Report) {
    let mut report = Report::new();
    if let Some(tokens) = error.input_tokens() {
        report = report.usage(tokens, 0);
    }
    if let Some(wait) = error.retry_after() {
        report = report.retry_after(wait);
    }
    (error.failure_kind(), report)
}

/// Whether the deadline is ready now; if not, it wakes the task later.
async fn has_passed(mut deadline: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| Poll::Ready(deadline.as_mut().poll(cx).is_ready())).await
}

/// The answer, or `None` if the deadline passes first. At the deadline itself an answer counts.
async fn in_time<A>(
    answer: impl Future<Output = A>,
    deadline: impl Future<Output = ()>,
) -> Option<A> {
    let (mut answer, mut deadline) = (pin!(answer), pin!(deadline));
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
    })
    .await
}

impl Pipeline {
    /// Makes a guarded call: asks the guards, awaits `call_model` with the ticket that names the
    /// version and the model to call, and records how the call ended. An error of your client comes
    /// back untouched, with the ticket.
    ///
    /// ```
    /// # use fusebox::{Call, Classify, FailureKind, Pipeline, Reply, Report, Served, Ticket};
    /// # struct Client;
    /// # #[derive(Debug)] struct ClientError;
    /// # impl Classify for ClientError { fn failure_kind(&self) -> FailureKind { FailureKind::Unknown } }
    /// # struct Answer { text: String, score: f64 }
    /// # impl Client { async fn complete(&self, _prompt: &str, _text: &str) -> Result<Answer, ClientError> {
    /// #     Ok(Answer { text: "12.50".into(), score: 0.93 }) } }
    /// # fn store(_: String, _: Ticket) {}
    /// # fn review(_: &str, _: Ticket) {}
    /// # async fn example(pipeline: Pipeline, client: Client, call: Call<'_>, text: &str) {
    /// let served = pipeline.run(&call, async |ticket| {
    ///     let answer = client.complete(ticket.version().as_str(), text).await;
    ///     answer.map(|answer| Reply::new(answer.text).report(Report::new().confidence("total", answer.score)))
    /// });
    /// match served.await {
    ///     Served::Accepted { value, ticket } => store(value, ticket),
    ///     Served::NeedsReview { value, ticket, .. } => review(&value, ticket),
    ///     Served::Failed { ticket, kind, .. } => review(&kind.to_string(), ticket),
    ///     Served::Diverted(diversion) => review(&diversion.to_string(), diversion.into_ticket()),
    /// }
    /// # }
    /// ```
    ///
    /// Counting a megabyte of text takes some 30 ms. With feature `tokio`, `run` counts texts of
    /// more than 64 KB on tokio's blocking pool, so that they delay no other task.
    ///
    /// # Cancel safety
    /// Dropping the future before the call is admitted leaves no trace. Dropping it later, or while
    /// a large text is counted, records [`Abandoned`](crate::call::Outcome::Abandoned), as does a
    /// panic in `call_model`.
    pub async fn run<T, E, F, Fut>(&self, call: &Call<'_>, call_model: F) -> Served<T, E>
    where
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
        E: Classify,
    {
        self.serve(call, pending(), classified, call_model).await
    }

    /// [`run`](Self::run) for an error type without [`Classify`]: `classify` says what kind of
    /// failure an error is.
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    pub async fn run_with<T, E, C, F, Fut>(
        &self,
        call: &Call<'_>,
        classify: C,
        call_model: F,
    ) -> Served<T, E>
    where
        C: FnOnce(&E) -> FailureKind,
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
    {
        let classify = |error: &E| (classify(error), Report::new());
        self.serve(call, pending(), classify, call_model).await
    }

    /// [`run`](Self::run) with a deadline: a future that is ready when the call has taken too long,
    /// such as a timer of your runtime. The call is then dropped and counts as failed, with
    /// [`Timeout`](FailureKind::Timeout). A timeout around `run` says nothing about the model; it
    /// only abandons the call.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fusebox::pipeline::CallFailure;
    /// # use fusebox::{Call, Classify, FailureKind, Pipeline, Reply, Served};
    /// # struct Client;
    /// # struct ClientError;
    /// # impl Classify for ClientError { fn failure_kind(&self) -> FailureKind { FailureKind::Unknown } }
    /// # impl Client { async fn complete(&self, _text: &str) -> Result<String, ClientError> { Ok("12.50".into()) } }
    /// # async fn example(pipeline: Pipeline, client: Client, call: Call<'_>, text: &str) {
    /// let deadline = tokio::time::sleep(Duration::from_secs(90));
    /// let served = pipeline.run_until(&call, deadline, async |_ticket| {
    ///     client.complete(text).await.map(Reply::new)
    /// });
    /// if let Served::Failed { failure: CallFailure::Deadline, ticket, .. } = served.await {
    ///     eprintln!("{} had no answer after 90 s", ticket.document());
    /// }
    /// # }
    /// ```
    ///
    /// An answer that is ready when the deadline passes counts as an answer.
    ///
    /// If the deadline has passed when the call is admitted, because counting its text or a guard
    /// took too long, `call_model` is not called, and no guard counts the call for or against its
    /// version. The document goes to human review: the result is [`Served::Diverted`], for the
    /// reason [`DeadlinePassed`](Reason::DeadlinePassed). The deadline does not interrupt the
    /// guards.
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    pub async fn run_until<T, E, D, F, Fut>(
        &self,
        call: &Call<'_>,
        deadline: D,
        call_model: F,
    ) -> Served<T, E>
    where
        D: Future<Output = ()>,
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
        E: Classify,
    {
        self.serve(call, deadline, classified, call_model).await
    }

    /// [`run_with`](Self::run_with) with a deadline, as in [`run_until`](Self::run_until).
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    pub async fn run_until_with<T, E, D, C, F, Fut>(
        &self,
        call: &Call<'_>,
        deadline: D,
        classify: C,
        call_model: F,
    ) -> Served<T, E>
    where
        D: Future<Output = ()>,
        C: FnOnce(&E) -> FailureKind,
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
    {
        let classify = |error: &E| (classify(error), Report::new());
        self.serve(call, deadline, classify, call_model).await
    }

    pub(super) async fn serve<T, E, C, F, Fut>(
        &self,
        call: &Call<'_>,
        deadline: impl Future<Output = ()>,
        classify: C,
        call_model: F,
    ) -> Served<T, E>
    where
        C: FnOnce(&E) -> (FailureKind, Report),
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
    {
        let permit = match self.admit_off_the_runtime(call).await {
            Admission::Admitted(permit) => permit,
            Admission::Diverted(diversion) => return Served::Diverted(diversion),
        };
        let mut deadline = pin!(deadline);
        if has_passed(deadline.as_mut()).await {
            let divert = Divert::new(Destination::HumanReview, Reason::DeadlinePassed);
            return Served::Diverted(Diversion::new(permit.divert(&divert), divert));
        }
        match in_time(call_model(permit.ticket().clone()), deadline).await {
            Some(Ok(Reply { value, report })) => Served::answered(value, permit.answer(report)),
            Some(Err(error)) => {
                let (kind, report) = classify(&error);
                Served::Failed {
                    ticket: permit.fail_with(kind, report),
                    kind,
                    failure: CallFailure::Client(error),
                }
            }
            None => Served::Failed {
                ticket: permit.fail(FailureKind::Timeout),
                kind: FailureKind::Timeout,
                failure: CallFailure::Deadline,
            },
        }
    }

    /// Asks the guards; counts large texts where they delay no other task.
    #[cfg(feature = "tokio")]
    async fn admit_off_the_runtime(&self, call: &Call<'_>) -> Admission {
        if call.text_bytes() > COUNTED_IN_PLACE {
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                let (pipeline, owned) = (self.clone(), call.clone().into_owned());
                let admission = runtime.spawn_blocking(move || pipeline.admit(&owned)).await;
                // Without an admission the runtime is shutting down; the document must still end
                // somewhere.
                return admission.unwrap_or_else(|_| self.admit(call));
            }
        }
        self.admit(call)
    }

    #[cfg(not(feature = "tokio"))]
    #[allow(clippy::unused_async, reason = "with feature `tokio` it awaits")]
    async fn admit_off_the_runtime(&self, call: &Call<'_>) -> Admission {
        self.admit(call)
    }
}
