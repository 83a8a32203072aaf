//! The everyday form of a guarded call: admit, await the caller's own client, settle.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{Future, Pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::Pipeline;
use super::admission::{Admission, Diversion};
use super::permit::Settlement;
use crate::call::{Call, Reason, Report, Ticket};
use crate::failure::{Classify, FailureKind};

/// Texts of more bytes than this are counted on the blocking pool: 64 KB, about 2 ms of counting.
#[cfg(feature = "tokio")]
const COUNTED_IN_PLACE: usize = 64 << 10;

/// An answer and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    value: T,
    report: Report,
}

impl<T> Reply<T> {
    /// An answer of which nothing is said.
    pub fn new(value: T) -> Self {
        Self {
            value,
            report: Report::new(),
        }
    }

    /// The model's confidence in a field, from 0 to 1; see [`Report::confidence`].
    pub fn confidence(mut self, field: impl AsRef<str>, score: f64) -> Self {
        self.report = self.report.confidence(field, score);
        self
    }

    /// Tokens read and written; see [`Report::usage`].
    pub fn usage(mut self, input: u64, output: u64) -> Self {
        self.report = self.report.usage(input, output);
        self
    }

    /// Tokens read besides, from a cache or into it; see [`Report::cached_input`].
    pub fn cached_input(mut self, creation: u64, read: u64) -> Self {
        self.report = self.report.cached_input(creation, read);
        self
    }

    /// The finish or stop reason that the API gave; see [`Report::finish_reason`].
    pub fn finish_reason(mut self, reason: &str) -> Self {
        self.report = self.report.finish_reason(reason);
        self
    }

    /// The answer is a failure although the API said 200; see [`Report::failed`].
    pub fn failed(mut self, kind: FailureKind) -> Self {
        self.report = self.report.failed(kind);
        self
    }
}

/// What came of a guarded call that your client made without an error of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a diverted document must be sent on, and an answer that needs review must not be acted on"]
#[allow(
    clippy::exhaustive_enums,
    reason = "a new end must be a compile error for whoever handles the others"
)]
pub enum Served<T> {
    /// Act on it.
    Accepted {
        /// The answer.
        value: T,
        /// The ticket, to store with the document.
        ticket: Ticket,
    },
    /// The call was not made; the document goes elsewhere.
    Diverted(Diversion),
    /// The answer is a failure although the API said 200: do not act on it.
    Failed {
        /// The answer as it came.
        value: T,
        /// The ticket, to store with the document.
        ticket: Ticket,
        /// What kind.
        kind: FailureKind,
    },
    /// A person must look first.
    NeedsReview {
        /// The answer, to show to that person.
        value: T,
        /// The ticket, to store with the document.
        ticket: Ticket,
        /// Why: at least one reason.
        reasons: BTreeSet<Reason>,
    },
}

impl<T> Served<T> {
    /// The ticket, whatever came of it.
    pub fn ticket(&self) -> &Ticket {
        match self {
            Self::Accepted { ticket, .. }
            | Self::Failed { ticket, .. }
            | Self::NeedsReview { ticket, .. } => ticket,
            Self::Diverted(diversion) => diversion.ticket(),
        }
    }

    fn new(value: T, settlement: Settlement) -> Self {
        match settlement {
            Settlement::Accepted { ticket } => Self::Accepted { value, ticket },
            Settlement::Failed { ticket, kind } => Self::Failed {
                value,
                ticket,
                kind,
            },
            Settlement::NeedsReview { ticket, reasons } => Self::NeedsReview {
                value,
                ticket,
                reasons,
            },
        }
    }
}

/// A call had taken too long when the deadline of [`Pipeline::run_until`] passed: it was dropped, and counts as failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} had no answer by its deadline", .0.document())]
pub struct DeadlineExceeded(Ticket);

impl DeadlineExceeded {
    /// The ticket, to store with the document.
    pub fn ticket(&self) -> &Ticket {
        &self.0
    }
}

/// Why there is no answer; `L` is what a deadline gives, where there is one.
enum Unserved<E, L> {
    Client(E),
    Late(L, Box<Ticket>),
}

impl<E> Unserved<E, Infallible> {
    /// Without a deadline there is nothing else.
    fn into_client_error(self) -> E {
        match self {
            Self::Client(error) => error,
            Self::Late(never, _) => match never {},
        }
    }
}

/// What a client's error says of itself.
fn classified<E: Classify>(error: &E) -> (FailureKind, Report) {
    let mut report = Report::new();
    if let Some(tokens) = error.input_tokens() {
        report = report.usage(tokens, 0);
    }
    if let Some(wait) = error.retry_after() {
        report = report.retry_after(wait);
    }
    (error.failure_kind(), report)
}

/// The answer, or what the deadline gives if that is ready and the answer is not.
async fn either<A, L>(
    answer: impl Future<Output = A>,
    deadline: impl Future<Output = L>,
) -> Result<A, L> {
    let (mut answer, mut deadline) = (pin!(answer), pin!(deadline));
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Ok(answer)),
        Poll::Pending => deadline.as_mut().poll(cx).map(Err),
    })
    .await
}

/// A deadline that never passes.
fn pending() -> Pending<Infallible> {
    std::future::pending()
}

impl Pipeline {
    /// Makes a guarded call: asks the guards, awaits `call_model` with the ticket that says which version and model to
    /// call, and records how it ended. An error of your client comes back untouched.
    ///
    /// ```
    /// # use fusebox::{Call, Classify, ErrorRateBreaker, FailureKind, LineUp, Pipeline, Reply, Served, Version};
    /// # struct Client;
    /// # #[derive(Debug)] struct ClientError;
    /// # impl Classify for ClientError { fn failure_kind(&self) -> FailureKind { FailureKind::Unknown } }
    /// # struct Answer { text: String, score: f64 }
    /// # impl Client { async fn complete(&self, _prompt: &str, _text: &str) -> Result<Answer, ClientError> {
    /// #     Ok(Answer { text: "12.50".into(), score: 0.93 }) } }
    /// # async fn example(pipeline: Pipeline, client: Client, call: Call<'_>, text: &str) -> Result<(), ClientError> {
    /// let served = pipeline.run(&call, |ticket| {
    ///     let client = &client;
    ///     async move {
    ///         let answer = client.complete(ticket.version().as_str(), text).await?;
    ///         Ok(Reply::new(answer.text).confidence("total", answer.score))
    ///     }
    /// }).await?;
    /// # let _ = served;
    /// # Ok(()) }
    /// ```
    ///
    /// Counting a text takes some 30 ms for a megabyte. With feature `tokio`, texts of more than 64 KB are counted on
    /// tokio's blocking pool, so that other tasks go on meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future before the call is admitted leaves no trace; dropping it later records
    /// [`Abandoned`](crate::call::Outcome::Abandoned), as does dropping it while a large text is counted. A panic in
    /// `call_model` does the same.
    pub async fn run<T, E, F, Fut>(&self, call: &Call<'_>, call_model: F) -> Result<Served<T>, E>
    where
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
        E: Classify,
    {
        let served = self.serve(call, pending(), classified, call_model).await;
        served.map_err(Unserved::into_client_error)
    }

    /// The same with a deadline, a future that is ready when the call has taken too long: a timer of your runtime. The
    /// call is dropped then and counts as failed, as a [`Timeout`](FailureKind::Timeout), and [`DeadlineExceeded`] becomes
    /// an error of yours. (A timeout put around [`run`](Self::run) says nothing of the model: it only abandons the call.)
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use fusebox::{Call, Classify, FailureKind, Pipeline, Reply};
    /// # use fusebox::pipeline::DeadlineExceeded;
    /// # struct Client;
    /// # impl Client { async fn complete(&self, _text: &str) -> Result<String, ClientError> { Ok("12.50".into()) } }
    /// #[derive(Debug)]
    /// enum ClientError {
    ///     TooLate,
    ///     // ..
    /// }
    ///
    /// impl From<DeadlineExceeded> for ClientError {
    ///     fn from(_: DeadlineExceeded) -> Self {
    ///         Self::TooLate
    ///     }
    /// }
    ///
    /// # impl Classify for ClientError { fn failure_kind(&self) -> FailureKind { FailureKind::Timeout } }
    /// # async fn example(pipeline: Pipeline, client: Client, call: Call<'_>, text: &str) -> Result<(), ClientError> {
    /// let deadline = tokio::time::sleep(Duration::from_secs(90));
    /// let served = pipeline.run_until(&call, deadline, async |_ticket| {
    ///     client.complete(text).await.map(Reply::new)
    /// }).await?;
    /// # let _ = served;
    /// # Ok(()) }
    /// ```
    ///
    /// An answer that is there when the deadline passes counts as an answer.
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    pub async fn run_until<T, E, D, F, Fut>(
        &self,
        call: &Call<'_>,
        deadline: D,
        call_model: F,
    ) -> Result<Served<T>, E>
    where
        D: Future<Output = ()>,
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
        E: Classify + From<DeadlineExceeded>,
    {
        let served = self.serve(call, deadline, classified, call_model).await;
        served.map_err(|unserved| match unserved {
            Unserved::Client(error) => error,
            Unserved::Late((), ticket) => DeadlineExceeded(*ticket).into(),
        })
    }

    /// The same for an error type of somebody else's: `classify` says what kind of failure an error is.
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    pub async fn run_with<T, E, C, F, Fut>(
        &self,
        call: &Call<'_>,
        classify: C,
        call_model: F,
    ) -> Result<Served<T>, E>
    where
        C: FnOnce(&E) -> FailureKind,
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
    {
        let classify = |error: &E| (classify(error), Report::new());
        let served = self.serve(call, pending(), classify, call_model).await;
        served.map_err(Unserved::into_client_error)
    }

    async fn serve<T, E, L, C, F, Fut>(
        &self,
        call: &Call<'_>,
        deadline: impl Future<Output = L>,
        classify: C,
        call_model: F,
    ) -> Result<Served<T>, Unserved<E, L>>
    where
        C: FnOnce(&E) -> (FailureKind, Report),
        F: FnOnce(Ticket) -> Fut,
        Fut: Future<Output = Result<Reply<T>, E>>,
    {
        let permit = match self.admit_off_the_runtime(call).await {
            Admission::Admitted(permit) => permit,
            Admission::Diverted(diversion) => return Ok(Served::Diverted(diversion)),
        };
        match either(call_model(permit.ticket().clone()), deadline).await {
            Ok(Ok(Reply { value, report })) => Ok(Served::new(value, permit.answer(report))),
            Ok(Err(error)) => {
                let (kind, report) = classify(&error);
                permit.fail_with(kind, report);
                Err(Unserved::Client(error))
            }
            Err(late) => {
                let ticket = permit.fail(FailureKind::Timeout);
                Err(Unserved::Late(late, Box::new(ticket)))
            }
        }
    }

    /// Asks the guards; large texts are counted where they hold up no other task.
    #[cfg(feature = "tokio")]
    async fn admit_off_the_runtime(&self, call: &Call<'_>) -> Admission {
        if call.text_bytes() > COUNTED_IN_PLACE {
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                let (pipeline, owned) = (self.clone(), call.clone().into_owned());
                let admission = runtime.spawn_blocking(move || pipeline.admit(&owned)).await;
                // The runtime is shutting down if there is none; the document must end somewhere all the same.
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
