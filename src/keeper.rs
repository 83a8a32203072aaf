//! The keeper: it keeps a pipeline's state in a store, and tells people of what is wrong.

mod builder;
mod courier;
mod feedback;
mod journal;
mod neighbours;
mod pace;
#[cfg(feature = "tokio")]
mod run;
mod slots;
mod trouble;
mod written;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::lock::Mutex as AsyncMutex;
use serde::Deserialize;

use crate::call::{Feedback, Ticket};
use crate::error::Error;
use crate::event::PipelineEvent;
use crate::guard::Wanted;
use crate::guards::ticket_book;
use crate::name::{PipelineName, RouteName};
use crate::pager::{OutboxRow, PagerRoute, Post, reconcile};
use crate::pipeline::{Keyed, Pipeline};
use crate::store::{Batch, Fact, Instance, Register, Store};
use crate::time::Timestamp;
use courier::{Courier, Stuck};
use feedback::Reports;
use journal::{Batched, Dropped, Journal};
use neighbours::Neighbours;
use pace::WritePace;
use trouble::{StoreTrouble, tell_of_dropped, trouble};
use written::Written;

pub use builder::KeeperBuilder;

/// Keeps the state of one pipeline in a store, and delivers its pages. Cheap to clone; clones share
/// one keeper.
///
/// A [`turn`](Self::turn) ticks the pipeline, writes what has changed, and sends what is due. A
/// service spawns one loop ([`run`](Self::run), feature `tokio`) that does it several times a
/// second.
///
/// After a crash, [`start`](KeeperBuilder::start) brings back what the last turn wrote: the state of
/// every guard, at most five seconds old where turns come (fifty times as old as it takes to make, where
/// that is longer), the open incidents, and every page that was not delivered. What came through
/// [`feedback`](Self::feedback) and [`command`](Self::command) was written before these returned, so
/// all of it comes back.
///
/// A pipeline in a store is kept by one process. Two that overlap for up to a minute, as in a
/// deployment, are no harm: feedback that one of them gets counts in both, and both take the steps of
/// a rollout that one of them takes, or is commanded to take, within ten seconds. A longer overlap is
/// an incident, because each process decides by the calls that it made itself and the next start goes
/// on with the state of the one that wrote last; until then none of them ends a page that another one
/// has open.
///
/// ```
/// use fusebox::keeper::Keeper;
/// use fusebox::store::MemoryStore;
/// use fusebox::{ErrorRateBreaker, LineUp, Pipeline, Version};
///
/// # async fn service() -> Result<(), fusebox::Error> {
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(ErrorRateBreaker::default())
///     .build()?;
/// let keeper = Keeper::builder("invoices", &pipeline)?
///     .store(MemoryStore::new())
///     .start()
///     .await?;
/// keeper.turn().await?;
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(service()).unwrap();
/// ```
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    name: PipelineName,
    pipeline: Pipeline,
    instance: Instance,
    store: Box<dyn Store>,
    routes: Vec<PagerRoute>,
    post: Option<Box<dyn Post>>,
    /// Facts that are not in the store yet: commands, and what guards share.
    journal: Arc<Journal>,
    reports: Reports,
    pace: WritePace,
    courier: Courier,
    /// What the store has. One exchange at a time.
    written: AsyncMutex<Written>,
    /// A turn holds it, and feedback goes through it before it asks for `written`: who asks for that
    /// lock again and again gets it again and again, and a turn would never have it.
    turnstile: AsyncMutex<()>,
    store_trouble: StoreTrouble,
    neighbours: Neighbours,
    #[cfg_attr(
        not(feature = "tokio"),
        allow(dead_code, reason = "closing waits by tokio's timer")
    )]
    wait_on_close: Duration,
}

impl Keeper {
    /// One turn: ticks the pipeline, writes what has changed to the store, sends what is due, and
    /// writes how that went with the next turn.
    ///
    /// An error says why the store could not write. Nothing is lost then: calls and pages go on
    /// from memory, and the next turn writes again.
    pub async fn turn(&self) -> Result<(), Error> {
        self.tick();
        let kept = self.keep(false).await;
        self.deliver().await;
        kept
    }

    /// Reports feedback on an answer, and returns when it is in the store: answer the reviewer's
    /// request after it. Feedback with the same ticket, field and id counts once, however often and
    /// to whichever process it is reported. While [`run`](Self::run) runs, what is reported within a
    /// quarter of a second is written together: report much of it at the same time, not one after
    /// the other.
    ///
    /// The value that a reviewer settled on ([`Correction::settled_on`](crate::Correction)) is
    /// content of a document, and is not stored. An error says why the store could not write: the
    /// feedback counts already, and is written as soon as the store can.
    pub async fn feedback(&self, ticket: &Ticket, feedback: Feedback) -> Result<(), Error> {
        let inner = &self.0;
        let number = inner.reports.push(ticket, feedback, self.now())?;
        inner.pace.wait().await;
        drop(inner.turnstile.lock().await);
        let mut written = inner.written.lock().await;
        if inner.reports.is_stored(number) {
            return Ok(());
        }
        let result = self.attempt(&mut written, false).await;
        if inner.reports.is_stored(number) {
            return Ok(());
        }
        result
    }

    /// Reports feedback on the latest answer for a document, whose ticket a
    /// [`TicketBook`](crate::TicketBook) among the guards has kept; as [`feedback`](Self::feedback)
    /// does. Where the document has no answer because it was diverted, the feedback is on that. An
    /// error if no ticket of the document is found.
    pub async fn feedback_for(
        &self,
        document: impl AsRef<str>,
        feedback: Feedback,
    ) -> Result<(), Error> {
        let document = document.as_ref();
        let found = self.ticket_of(document).await?;
        let ticket = found.ok_or_else(|| {
            let allowed = "a document that was answered or diverted while a `TicketBook` was \
                           among the guards, and whose ticket the store still has";
            Error::invalid("document", document, allowed)
        })?;
        self.feedback(&ticket, feedback).await
    }

    /// The ticket of the latest answer for a document, or of the latest call that was diverted if it
    /// has none, if a [`TicketBook`](crate::TicketBook) among the guards has kept it.
    pub async fn ticket_of(&self, document: impl AsRef<str>) -> Result<Option<Ticket>, Error> {
        let (inner, document) = (&self.0, document.as_ref());
        inner.journal.collect(&inner.pipeline);
        for kind in [ticket_book::ANSWERED, ticket_book::DIVERTED] {
            let mut fact = inner.journal.latest(kind, document);
            if fact.is_none() {
                fact = inner.store.latest(&inner.name, kind, document).await?;
            }
            if let Some(fact) = fact {
                let ticket = Ticket::deserialize(&fact.value);
                let ticket = ticket.map_err(|error| Error::unreadable(kind, error))?;
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    /// Gives a command to a guard, and returns when its effect and its record are in the store.
    ///
    /// ```
    /// # use fusebox::keeper::Keeper;
    /// # use fusebox::store::MemoryStore;
    /// # use fusebox::{ErrorRateBreaker, LineUp, Pipeline, Version};
    /// # use std::sync::Arc;
    /// use fusebox::breaker::BreakerMode;
    ///
    /// # async fn service() -> Result<(), fusebox::Error> {
    /// # let breaker = Arc::new(ErrorRateBreaker::default());
    /// # let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).guard(Arc::clone(&breaker)).build()?;
    /// # let keeper = Keeper::builder("invoices", &pipeline)?.store(MemoryStore::new()).start().await?;
    /// let seen = breaker.status().revision;
    /// keeper
    ///     .command(|| breaker.switch(BreakerMode::ObserveOnly, seen, "ada", "the provider is down"))
    ///     .await?;
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(service()).unwrap();
    /// ```
    ///
    /// An error of the command changes nothing; an error of the store says that the command has its
    /// effect but is not stored yet.
    pub async fn command<T>(&self, command: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let result = command()?;
        // Its event may wait for a sink.
        self.tick();
        self.keep(true).await?;
        Ok(result)
    }

    /// Opens and resolves an incident on each route, so that somebody sees that pages arrive: when a
    /// service is deployed, and in a drill. The answer says of each route what it said.
    pub async fn test_routes(&self) -> Vec<(RouteName, Result<(), String>)> {
        let inner = &self.0;
        let now = self.now();
        Courier::test(&inner.name, &inner.routes, inner.post.as_deref(), now).await
    }

    /// How many things wait to be told.
    pub fn undelivered(&self) -> usize {
        self.0.courier.undelivered()
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    #[cfg(feature = "tokio")]
    pub(super) fn wait_on_close(&self) -> Duration {
        self.0.wait_on_close
    }

    fn now(&self) -> Timestamp {
        self.0.pipeline.now()
    }

    /// Says what is wrong with store and routes, and ticks.
    pub(super) fn tick(&self) {
        let inner = &self.0;
        inner.store_trouble.tell(&inner.pipeline);
        inner.neighbours.tell(&inner.pipeline);
        let cut = inner.store.take_cut().unwrap_or_default();
        let full = "the store has reached the most that it may hold";
        tell_of_dropped(&inner.pipeline, cut.early, cut.until, full);
        let Dropped { facts, until } = inner.journal.take_dropped();
        let waited = "too many waited for the store";
        tell_of_dropped(&inner.pipeline, facts, until, waited);
        for stuck in inner.courier.stuck(self.now()) {
            let Stuck {
                route,
                pages,
                lasted,
                reason,
            } = stuck;
            let wrong = PipelineEvent::PagesUndelivered {
                route: route.clone(),
                pages,
                lasted,
                reason,
            };
            let trouble = trouble("pages-undelivered");
            inner.pipeline.still(&trouble.about(route.as_str()), wrong);
        }
        inner.pipeline.tick();
    }

    /// Writes what has changed.
    pub(super) async fn keep(&self, is_urgent: bool) -> Result<(), Error> {
        let _turnstile = self.0.turnstile.lock().await;
        let mut written = self.0.written.lock().await;
        self.attempt(&mut written, is_urgent).await
    }

    /// Writes, and notes how the store answered. What it has lost is written anew with the next
    /// attempt.
    async fn attempt(&self, written: &mut Written, is_urgent: bool) -> Result<(), Error> {
        let inner = &self.0;
        inner.store_trouble.asked(self.now());
        let result = self.write(written, is_urgent).await;
        let trouble = &inner.store_trouble;
        if trouble.answered(&result, written.unmade(), self.now()) {
            written.forget();
            inner.courier.write_anew();
        }
        result
    }

    /// Writes what has changed, and takes in what others have written.
    async fn write(&self, written: &mut Written, is_urgent: bool) -> Result<(), Error> {
        let (inner, now) = (&self.0, self.now());
        // The state that is written has no feedback that the store has not.
        if inner.reports.has_counted() {
            let feedback = inner.reports.begin();
            let slots = written.slots.begin(false, inner.instance, now);
            let batch = Batch {
                slots,
                ..Batch::default()
            };
            self.exchange(written, batch, feedback).await?;
        }
        // Rows first, the state last: a row may be older than the state that it is stored with, and
        // the next turn makes it anew. The other way round, a row could be of no incident.
        self.learn();
        let rows = inner.courier.unwritten();
        let open = inner.pipeline.incidents();
        // With the tickets, by which feedback can find an answer.
        inner.journal.collect(&inner.pipeline);
        let has_news = inner.journal.has_commands() || written.has_news(&open);
        let is_due = is_urgent || written.is_due(has_news, now);
        // What is news is written with the state, within a second.
        let (rows, batched) = if has_news && !is_due {
            (Vec::new(), Batched::default())
        } else {
            (rows, inner.journal.waiting())
        };
        let state = if is_due {
            self.changed(written).await
        } else {
            Ok(Vec::new())
        };
        let has_state = is_due && state.is_ok();
        let slots = written.slots.begin(has_state, inner.instance, now);
        let mut registers = state.as_ref().cloned().unwrap_or_default();
        if registers.is_empty() {
            registers = written.sign_of_life(inner.instance, &open, now);
        }
        let feedback = inner.reports.begin();
        let has_facts = !(feedback.is_empty() && batched.facts.is_empty());
        let is_empty = registers.is_empty() && rows.is_empty() && slots.is_empty();
        let writes = has_facts || !is_empty;
        if writes || is_due || written.asks(now) {
            let batch = Batch {
                registers: registers.clone(),
                facts: batched.facts.clone(),
                rows: rows.clone(),
                slots,
                ..Batch::default()
            };
            self.exchange(written, batch, feedback).await?;
            inner.journal.accept(&batched);
            inner.courier.accept(&rows, now);
            written.accept(&registers, now);
            if has_state {
                written.accept_state(&open);
            }
            self.look_after_left().await;
        }
        // A state that cannot be made holds up nothing else.
        state.map(drop)
    }

    /// The registers of the state that have changed.
    async fn changed(&self, written: &mut Written) -> Result<Vec<Register>, Error> {
        let (wanted, making) = written.begin();
        let made = self.state(wanted, making).await;
        let now = self.now();
        match made {
            Ok(MadeState { at, keyed, took }) => {
                written.made(keyed, took, now);
                written.changed(self.0.instance, at)
            }
            Err(error) => {
                written.could_not_be_made(&error, now);
                Err(error)
            }
        }
    }

    #[cfg(feature = "tokio")]
    async fn state(&self, wanted: Wanted, making: Arc<()>) -> Result<MadeState, Error> {
        let pipeline = self.0.pipeline.clone();
        let made = self.off_the_runtime(move || MadeState::of(&pipeline, wanted, &making));
        made.await.unwrap_or_else(|| {
            let reason = "it is not made within 10 seconds: look whether the runtime's pool for work \
                          that blocks has a thread for it";
            Err(Error::state("all guards", reason))
        })
    }

    #[cfg(not(feature = "tokio"))]
    #[allow(clippy::unused_async, reason = "with feature `tokio` it awaits")]
    async fn state(&self, wanted: Wanted, making: Arc<()>) -> Result<MadeState, Error> {
        MadeState::of(&self.0.pipeline, wanted, &making)
    }

    /// One exchange with the store: feedback and a batch are written as a whole, feedback that others
    /// have written is counted, and what was decided is handed on.
    async fn exchange(
        &self,
        written: &mut Written,
        mut batch: Batch,
        feedback: Vec<Fact>,
    ) -> Result<(), Error> {
        let (inner, begun) = (&self.0, feedback.len());
        inner.pace.writes();
        batch.position = written.position();
        batch.facts.splice(0..0, feedback);
        let turn = inner.store.turn(&inner.name, inner.instance, batch);
        let answer = match turn.await {
            Ok(answer) => answer,
            Err(error) => {
                inner.reports.end(&inner.pipeline, begun, None);
                return Err(error);
            }
        };
        let now = self.now();
        inner.neighbours.hear(&answer.registers, now);
        let news_since = written.read(answer.position, now);
        let news = answer.facts.iter().filter(|fact| fact.at >= news_since);
        // All of it was written before what this exchange wrote.
        inner.reports.count(&inner.pipeline, news);
        let is_new = Some(answer.is_new.as_slice());
        inner.reports.end(&inner.pipeline, begun, is_new);
        for slot in written.slots.decided(answer.slots) {
            let is_own = slot.by == inner.instance;
            inner.pipeline.decided(slot.into_decided(is_own));
        }
        Ok(())
    }

    /// Takes over the rows that a process has left that has ended: its pages end with what it knew.
    /// Where the store does not say, the next exchange asks again.
    async fn look_after_left(&self) {
        let inner = &self.0;
        if !inner.neighbours.has_left() {
            return;
        }
        let Ok(stored) = inner.store.load(&inner.name).await else {
            return;
        };
        let neighbours = &inner.neighbours;
        neighbours.hear_latest(&stored.registers, inner.instance, self.now());
        let of_others = inner.neighbours.open();
        let is_left = |row: &OutboxRow| !of_others.contains(&row.notification.incident);
        inner
            .courier
            .take_over(stored.rows.into_iter().filter(is_left));
        inner.neighbours.looked_after();
    }

    /// Makes rows of the outbox of what is open and what has ended. Whatever the store does: no page
    /// waits for it. What another process has open is not over.
    fn learn(&self) {
        let (inner, now) = (&self.0, self.now());
        let open = inner.pipeline.incidents();
        let of_others = inner.neighbours.open();
        let changed = |rows: &mut dyn Iterator<Item = &OutboxRow>| {
            let rows = rows.filter(|row| {
                let incident = &row.notification.incident;
                let is_ours = || open.iter().any(|open| open.key == *incident);
                !of_others.contains(incident) || is_ours()
            });
            reconcile(&inner.name, &open, rows, &inner.routes, now)
        };
        inner.courier.learn(changed);
    }

    pub(super) async fn deliver(&self) {
        let inner = &self.0;
        self.learn();
        if let Some(post) = inner.post.as_deref() {
            inner
                .courier
                .deliver(&inner.routes, post, || self.now())
                .await;
        }
    }
}

/// What of the state of a pipeline is to be stored, as it was at one moment.
struct MadeState {
    at: Timestamp,
    keyed: Keyed,
    /// How long it took to make it.
    took: Duration,
}

impl MadeState {
    /// `_making` is held until it is made.
    fn of(pipeline: &Pipeline, wanted: Wanted, _making: &Arc<()>) -> Result<Self, Error> {
        let began = pipeline.now();
        let registers = pipeline.registers(wanted)?;
        Ok(Self {
            at: registers.at(),
            keyed: registers.keyed()?,
            took: pipeline.now().since(began),
        })
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("name", &self.0.name)
            .field("store", &self.0.store)
            .field("routes", &self.0.routes)
            .finish_non_exhaustive()
    }
}
