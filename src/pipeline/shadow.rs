//! A candidate's call beside production's.

mod call;
mod judge;
mod redact;
mod spawn;
mod task;

use std::future::{Future, pending};
use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::FutureExt;

use super::Pipeline;
use super::effects::LiveEffects;
use super::run::{Reply, Served, classified};
use crate::call::{Call, Ticket};
use crate::error::Error;
use crate::failure::Classify;
use crate::guard::Guard;
use crate::guards::shadow::compare::{Compare, JsonFields};
use crate::guards::shadow::{RunId, Selection, ShadowComparator};
use crate::name::{DocumentType, Field};
use judge::Comparing;
use redact::Redactor;
use task::{Answer, Beside, Side};

pub use call::ShadowCall;
pub use judge::Judge;
pub use spawn::{Spawn, Task};

/// Calls a candidate on real documents beside production, compares the answers, and gives
/// production's to the caller.
///
/// The caller gets production's answer, error and latency, whatever the candidate does. The
/// candidate runs as a task of its own, in a share of the documents that the [`ShadowComparator`]
/// chooses, with its timeout and its limit of calls in flight, once: no retries and no fallback. Its
/// answer is [sealed](crate::shadow::Sealed): it is compared, and dropped. It goes through no guard
/// of the pipeline, so it counts for no budget, breaker or rollout.
///
/// An error, a panic or a missing answer of the candidate is a divergence of its own kind. If
/// production fails, the candidate's call is dropped, and the document counts as such.
///
/// ```
/// use std::sync::Arc;
/// use fusebox::pipeline::Task;
/// use fusebox::shadow::compare::Exact;
/// use fusebox::{Call, LineUp, Pipeline, Ratio, Reply, Served, ShadowComparator, ShadowRunner, Version, VersionId};
///
/// # struct Client;
/// # impl Client {
/// #     async fn complete(&self, _version: &str, _text: &str) -> Result<String, fusebox::failure::ApiError> { Ok("12.50".into()) }
/// # }
/// # fn store(_: &str, _: &fusebox::pipeline::LiveEffects<'_>) {}
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
/// # }
/// # block_on(async {
/// let shadow = ShadowComparator::builder(VersionId::new("v8")?).share(Ratio::percent(10)).build()?;
/// let shadow = Arc::new(shadow);
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&shadow)).build()?;
/// let spawner = |task: Task| { tokio::spawn(task); };
/// let runner = ShadowRunner::new(&pipeline, &shadow, spawner, Exact)?;
///
/// let client = Arc::new(Client);
/// let text = "Invoice 2026-0417 ..";
/// let call = Call::new("inv-2026-0417", "invoice")?.with_document(text);
/// let (other_client, copy) = (Arc::clone(&client), text.to_owned());
/// let served = runner.run(
///     &call,
///     async |ticket, _effects| client.complete(ticket.version().as_str(), text).await.map(Reply::new),
///     async move |call| other_client.complete(call.version().as_str(), &copy).await.map(Reply::new),
/// );
/// let served = served.await;
/// if let (Some(effects), Served::Accepted { value, .. }) = (served.live_effects(), &served) {
///     store(value, &effects);
/// }
/// # Ok::<(), fusebox::Error>(())
/// # })?;
/// # Ok::<(), fusebox::Error>(())
/// ```
pub struct ShadowRunner<T> {
    pipeline: Pipeline,
    shadow: Arc<ShadowComparator>,
    /// The one type of documents that the pipeline asks the comparator about.
    only_for: Option<DocumentType>,
    spawner: Arc<dyn Spawn>,
    comparing: Comparing<T>,
    redactor: Option<Redactor>,
    origin: Arc<str>,
}

impl<T: Clone + Send + Sync + 'static> ShadowRunner<T> {
    /// A runner for this pipeline and one of its comparators. An error if the pipeline does not hold
    /// the comparator, or if corrections judge the candidate by other
    /// [rules](crate::shadow::ShadowComparatorBuilder::fields) than those of a [`JsonFields`] that is
    /// the `comparator`. It does not see what a comparator of your own is made of.
    ///
    /// Production's answer is cloned for the comparison; an `Arc` makes that cheap.
    pub fn new(
        pipeline: &Pipeline,
        shadow: &Arc<ShadowComparator>,
        spawner: impl Spawn + 'static,
        comparator: impl Compare<T> + 'static,
    ) -> Result<Self, Error> {
        shadow.check_fields(JsonFields::of_comparator(&comparator))?;
        let comparing = Comparing::AtOnce(Arc::new(comparator));
        Self::comparing(pipeline, shadow, spawner, comparing)
    }

    /// The same with a comparator that takes time, such as a model that judges.
    pub fn judged_by(
        pipeline: &Pipeline,
        shadow: &Arc<ShadowComparator>,
        spawner: impl Spawn + 'static,
        judge: impl Judge<T> + 'static,
    ) -> Result<Self, Error> {
        Self::comparing(
            pipeline,
            shadow,
            spawner,
            Comparing::Judged(Arc::new(judge)),
        )
    }

    fn comparing(
        pipeline: &Pipeline,
        shadow: &Arc<ShadowComparator>,
        spawner: impl Spawn + 'static,
        comparing: Comparing<T>,
    ) -> Result<Self, Error> {
        let holder = shadow.attached().and_then(|mark| pipeline.0.holder(mark));
        let Some(holder) = holder else {
            let candidate = shadow.candidate();
            let allowed = "a comparator that the pipeline holds as a guard";
            return Err(Error::invalid("shadow comparator", candidate, allowed));
        };
        Ok(Self {
            only_for: holder.only_for().cloned(),
            pipeline: pipeline.clone(),
            shadow: Arc::clone(shadow),
            spawner: Arc::new(spawner),
            comparing,
            redactor: None,
            origin: format!("fusebox-shadow/{}", shadow.experiment()).into(),
        })
    }

    /// The same with a redactor: it gets each value that differs, with its field, and returns the
    /// text that the report may keep. If it panics, the text is withheld.
    pub fn redacting(
        mut self,
        redact: impl Fn(&Field, &str) -> String + Send + Sync + 'static,
    ) -> Self {
        self.redactor = Some(Redactor::new(redact));
        self
    }

    /// Makes production's call as [`Pipeline::run`] does, and the candidate's beside it where the
    /// document is selected.
    ///
    /// `candidate` is called in its own task. It is cloned where production's version runs a second
    /// time.
    ///
    /// # Cancel safety
    /// As for [`Pipeline::run`]; the candidate's call is dropped too, and the document counts as
    /// cancelled in the shadow run.
    pub async fn run<E, P, PF, C, CF, CE>(
        &self,
        call: &Call<'_>,
        production: P,
        candidate: C,
    ) -> Served<T, E>
    where
        E: Classify,
        P: FnOnce(Ticket, LiveEffects<'static>) -> PF,
        PF: Future<Output = Result<Reply<T>, E>>,
        C: FnOnce(ShadowCall) -> CF + Clone + Send + 'static,
        CF: Future<Output = Result<Reply<T>, CE>> + Send + 'static,
        CE: Classify + Send + 'static,
    {
        self.run_until(call, pending(), production, candidate).await
    }

    /// [`run`](Self::run) with a deadline for production, as in [`Pipeline::run_until`].
    ///
    /// # Cancel safety
    /// As for [`run`](Self::run).
    pub async fn run_until<E, D, P, PF, C, CF, CE>(
        &self,
        call: &Call<'_>,
        deadline: D,
        production: P,
        candidate: C,
    ) -> Served<T, E>
    where
        E: Classify,
        D: Future<Output = ()>,
        P: FnOnce(Ticket, LiveEffects<'static>) -> PF,
        PF: Future<Output = Result<Reply<T>, E>>,
        C: FnOnce(ShadowCall) -> CF + Clone + Send + 'static,
        CF: Future<Output = Result<Reply<T>, CE>> + Send + 'static,
        CE: Classify + Send + 'static,
    {
        let mut side = None;
        let served = self.pipeline.serve(call, deadline, classified, |ticket| {
            if self.samples(&ticket) {
                side = self.begin(&ticket, candidate);
            }
            production(ticket, LiveEffects::new())
        });
        let served = served.await;
        if let Some(side) = side {
            side.end(&served);
        }
        served
    }

    /// Whether the document is in the share; if the comparator is asked about it, it counts.
    fn samples(&self, ticket: &Ticket) -> bool {
        let only_for = self.only_for.as_ref();
        only_for.is_none_or(|only| only == ticket.document_type()) && self.shadow.samples(ticket)
    }

    /// Starts the candidate beside a call whose document is in the share, if it is selected.
    fn begin<C, CF, CE>(&self, ticket: &Ticket, candidate: C) -> Option<Side<T>>
    where
        C: FnOnce(ShadowCall) -> CF + Clone + Send + 'static,
        CF: Future<Output = Result<Reply<T>, CE>> + Send + 'static,
        CE: Classify + Send + 'static,
    {
        let now = self.pipeline.now();
        if self.shadow.select_sampled(ticket, now) != Selection::Run {
            return None;
        }
        let (side, answer) = oneshot::channel();
        let answer = answer.shared();
        if self.shadow.select_baseline(ticket, now) {
            let run = RunId::baseline(ticket.id());
            let call = ShadowCall::of_baseline(ticket, Arc::clone(&self.origin));
            self.start(run, ticket, call, candidate.clone(), answer.clone());
        }
        let version = self.shadow.candidate();
        let call = ShadowCall::of_candidate(ticket, version, Arc::clone(&self.origin));
        self.start(
            RunId::candidate(ticket.id()),
            ticket,
            call,
            candidate,
            answer,
        );
        Some(Side::new(side))
    }

    fn start<C, CF, CE>(
        &self,
        run: RunId,
        ticket: &Ticket,
        call: ShadowCall,
        candidate: C,
        answer: Answer<T>,
    ) where
        C: FnOnce(ShadowCall) -> CF + Send + 'static,
        CF: Future<Output = Result<Reply<T>, CE>> + Send + 'static,
        CE: Classify + Send + 'static,
    {
        let beside = Beside {
            pipeline: self.pipeline.clone(),
            shadow: Arc::clone(&self.shadow),
            run,
            ticket: Some(ticket.clone()),
            comparing: self.comparing.clone(),
            redactor: self.redactor.clone(),
        };
        let call = async move { candidate(call).await };
        self.spawner.spawn(beside.task(call, answer));
    }
}

impl<T> std::fmt::Debug for ShadowRunner<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShadowRunner")
            .field("shadow", &self.shadow)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
