//! The pipeline: it owns the clock, the sinks and the order of work.

mod admission;
mod builder;
pub(crate) mod clock;
mod delivery;
mod effects;
mod losses;
mod member;
mod permit;
mod registers;
mod run;
mod shadow;
mod snapshot;
mod step;
mod ticks;
mod timeline;
mod versions;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::call::{Call, Feedback, LineUp, Outcome, Report, Ticket};
use crate::error::Error;
use crate::event::{EventKind, OpenIncident, PipelineEvent, Severity};
use crate::guard::{Acceptance, Cx, Decided, Divert, Fact, SettingsHash, Trouble, Wanted, key_of};
use crate::sink::Sink;
use crate::time::Timestamp;
use member::Member;
use registers::guard_of;
use step::{OWN_NAME, Shared};

pub use admission::{Admission, Diversion};
pub use builder::Builder;
pub use effects::LiveEffects;
pub use permit::{Permit, Settlement};
pub(crate) use registers::{Keyed, Registers};
pub use run::{CallFailure, Reply, Served};
pub use shadow::{Judge, ShadowCall, ShadowRunner, Spawn, Task};
pub use snapshot::Snapshot;

/// Guards around calls to language models. Cheap to clone; clones share one pipeline.
///
/// [`admit`](Self::admit) is the primitive, [`run`](Self::run) the everyday form.
///
/// ```
/// use fusebox::{Admission, Call, ErrorRateBreaker, LineUp, Pipeline, Report, Version};
///
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(ErrorRateBreaker::default())
///     .build()?;
///
/// match pipeline.admit(&Call::new("inv-1", "invoice")?) {
///     Admission::Admitted(permit) => {
///         let prompt = permit.ticket().version();
///         # let _ = prompt;
///         // .. make the call with that prompt version ..
///         let settled = permit.answer(Report::new().confidence("total", 0.97));
///         # let _ = settled;
///     }
///     Admission::Diverted(diversion) => println!("not called: {diversion}"),
/// }
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone)]
pub struct Pipeline(Arc<Shared>);

impl Pipeline {
    /// Asks all guards about a call: which version serves, and may it take the document?
    ///
    /// Admitted: make the call with the version and model of the permit's ticket, and report how it
    /// ended. Diverted: do not make the call; send the document where the diversion says.
    pub fn admit(&self, call: &Call<'_>) -> Admission {
        let (ticket, divert) = self.0.step(|step| step.admit(call));
        match divert {
            None => Admission::Admitted(Permit::new(self.clone(), ticket)),
            Some(divert) => Admission::Diverted(Diversion::new(ticket, divert)),
        }
    }

    /// Gives all guards feedback on an answer, possibly days later: a correction, a review, a
    /// comparison from a shadow run. The ticket is that of the call that gave the answer.
    pub fn observe(&self, ticket: &Ticket, feedback: Feedback) {
        self.0.step(|step| step.learn(ticket, feedback));
    }

    /// Lets guards act on the time that has passed: stages that are due, silent types, calls that
    /// stay open. Then delivers the events that wait, and flushes the sinks, unless a call is
    /// delivering.
    ///
    /// Call it every few seconds; the pipeline has no thread of its own. A call more than a minute
    /// after the last tick, or after the pipeline was built, leaves a warning; if calls still find no
    /// tick four minutes later, that is a page. Lost events and sinks that panicked since the last
    /// tick are pages too.
    pub fn tick(&self) {
        self.0.step(|step| {
            let own = step.own_cx();
            self.0.ticks.came(&own);
            step.each(Member::tick);
            self.0.losses.report(&self.0.delivery, &own);
            own.end_incidents();
        });
        self.0.delivery.catch_up();
    }

    /// What is wrong now: every open incident of every guard and of the pipeline itself, the most
    /// urgent and then the oldest first. Every page belongs to one.
    ///
    /// Up to date as of the last call or [`tick`](Self::tick).
    pub fn incidents(&self) -> Vec<OpenIncident> {
        let mut open = self.0.incidents.open(OWN_NAME);
        for member in &self.0.guards {
            open.extend(member.open_incidents());
        }
        open.sort_by_key(|incident| (Reverse(incident.severity), incident.since));
        open
    }

    /// Closes an incident that only a person can end: `who` has looked at it, and `note` says what
    /// was found. It leaves an event.
    ///
    /// An error when no such incident is open, when it ends by itself (its cause goes on), or when
    /// `who` or `note` is blank or not one line of at most 1,000 bytes.
    pub fn acknowledge(
        &self,
        incident: impl AsRef<str>,
        who: impl AsRef<str>,
        note: impl AsRef<str>,
    ) -> Result<(), Error> {
        let (incident, who, note) = (incident.as_ref(), who.as_ref(), note.as_ref());
        Error::unless_a_line("who", who)?;
        Error::unless_a_line("note", note)?;
        self.0.step(|step| {
            let members = self.0.guards.iter().map(|member| step.cx(member));
            let mut all = members.chain([step.own_cx()]);
            all.find_map(|cx| cx.acknowledge(incident, who, note))
                .unwrap_or_else(|| {
                    let allowed = "the key of an open incident; see `Pipeline::incidents`";
                    Err(Error::invalid("incident", incident, allowed))
                })
        })
    }

    /// The pipeline's time: the clock's, but it never goes back.
    pub fn now(&self) -> Timestamp {
        self.0.time.now()
    }

    /// The live versions.
    pub fn line_up(&self) -> Arc<LineUp> {
        Arc::clone(&self.0.line_up.read())
    }

    /// Makes other versions live. Open calls keep theirs.
    ///
    /// An error when a version has two roles, when its id was deployed before with another prompt,
    /// other tools or another model, or when a guard refuses the line-up (an unknown model, an
    /// uncounted prompt). The live versions then stay live.
    pub fn deploy(&self, line_up: LineUp) -> Result<(), Error> {
        self.deploy_if(line_up, |_| Ok(()))
    }

    /// The same, if what is live allows it: nothing else is deployed between its look and this.
    pub(crate) fn deploy_if(
        &self,
        line_up: LineUp,
        allows: impl FnOnce(&LineUp) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.0.step(|step| {
            step.check(&line_up)?;
            let line_up = Arc::new(line_up);
            let mut live = self.0.line_up.write();
            allows(&live)?;
            self.0.versions.lock().learn(&line_up)?;
            *live = Arc::clone(&line_up);
            // Still under the lock: the last event of all deployments names what is live.
            step.announce(&line_up);
            Ok(())
        })
    }

    /// A hash of its guards and their settings, as they are now.
    pub fn settings_hash(&self) -> SettingsHash {
        SettingsHash::of(self.0.guards.iter().map(Member::held))
    }

    /// Whether a page reaches the operator by one of its sinks.
    pub(crate) fn has_pager(&self) -> bool {
        self.0.delivery.has_pager()
    }

    /// Gives every event to one more sink.
    pub(crate) fn also_to(&self, sink: impl Sink + 'static) {
        self.0.delivery.add(Box::new(sink));
    }

    /// Says that something is wrong around the pipeline, to be said again before each tick while it
    /// goes on.
    pub(crate) fn still(&self, trouble: &Trouble<'_>, event: PipelineEvent) {
        self.0
            .step(|step| step.own_cx().still(trouble, || EventKind::Pipeline(event)));
    }

    /// Says that something wrong has happened around the pipeline.
    pub(crate) fn page(&self, trouble: &Trouble<'_>, event: PipelineEvent) {
        self.0
            .step(|step| step.own_cx().page(trouble, EventKind::Pipeline(event)));
    }

    /// Has `keep` take what guards give away to be kept beside their state. A guard gives its facts
    /// away when `keep` asks for them, and no sink runs meanwhile.
    pub(crate) fn share(&self, keep: impl FnOnce(&mut dyn Iterator<Item = Fact>)) {
        self.0.step(|step| {
            let guards = self.0.guards.iter();
            let shares = guards.map(|member| member.share_facts(&step.cx(member)));
            keep(&mut shares.flatten());
        });
    }

    /// What a restart would lose, in registers: all of it, or what has changed since it was last
    /// asked. After an error, what other guards have given away is gone: ask for all. The moments of
    /// two guards may differ as those of a [`snapshot`](Self::snapshot).
    pub(crate) fn registers(&self, wanted: Wanted) -> Result<Registers, Error> {
        self.0.step(|step| {
            let (mut own, mut guards) = (
                Snapshot::new(step.now, self.0.versions.lock().clone()),
                BTreeMap::new(),
            );
            for member in &self.0.guards {
                let share = member.share(wanted, &step.cx(member))?;
                guards.insert(key_of(&[&member.name]), share);
                own.insert_incidents(&member.name, member.incidents.stored());
            }
            own.insert_incidents(OWN_NAME, self.0.incidents.stored());
            Ok(Registers { own, guards })
        })
    }

    /// Takes back what [`registers`](Self::registers) gave away, as [`restore`](Self::restore) does.
    pub(crate) fn take(&self, registers: &Registers) -> Result<(), Error> {
        self.go_on_from(&registers.own, |member, cx| {
            let share = registers.of_guard(&member.name);
            share.map_or(Ok(()), |share| member.take(share, cx))
        })
    }

    /// Hands on what was decided in this slot for all processes of the pipeline. A slot without a
    /// guard of that name is ignored.
    pub(crate) fn decided(&self, decided: Decided) {
        let Some((guard, slot)) = guard_of(&decided.slot) else {
            return;
        };
        let mut guards = self.0.guards.iter();
        if let Some(member) = guards.find(|member| key_of(&[&member.name]) == guard) {
            let slot = slot.to_owned();
            let decided = Decided { slot, ..decided };
            self.0
                .step(|step| member.decided(&decided, &step.cx(member)));
        }
    }

    /// The number of its process.
    pub(crate) fn instance(&self) -> u64 {
        self.0.instance
    }

    /// Leaves an event about what a person has done.
    pub(crate) fn record(&self, event: PipelineEvent) {
        self.0
            .step(|step| step.emit(Severity::Warning, EventKind::Pipeline(event)));
    }

    /// What a restart would lose: the state of every guard, and the fingerprint of each version
    /// deployed so far. An error names a guard that could not write its state.
    ///
    /// Calls go on meanwhile. The state of each guard is that of one moment; the moments of two
    /// guards may differ by the time that writing takes.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        self.0.step(|step| {
            let mut snapshot = Snapshot::new(step.now, self.0.versions.lock().clone());
            for member in &self.0.guards {
                if let Some(state) = member.snapshot(&step.cx(member))? {
                    snapshot.insert(&member.name, state);
                }
                snapshot.insert_incidents(&member.name, member.incidents.stored());
            }
            snapshot.insert_incidents(OWN_NAME, self.0.incidents.stored());
            Ok(snapshot)
        })
    }

    /// Restores a [`snapshot`](Self::snapshot). Call it before the first call.
    ///
    /// If the clock is behind the snapshot, time continues from the snapshot's and runs on from
    /// there. A state without a guard of that name is ignored. An error names the guard that could
    /// not restore its state, or a live version whose id had another prompt, other tools or another
    /// model then; all other guards are restored. A snapshot from after the year 9999 is an error,
    /// and nothing is restored.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.go_on_from(snapshot, |member, cx| {
            let state = snapshot.state(&member.name);
            state.map_or(Ok(()), |state| member.restore(state, cx))
        })
    }

    /// Goes on from the time, the incidents and the versions of a snapshot, and with what `restore`
    /// gives each guard back.
    fn go_on_from(
        &self,
        snapshot: &Snapshot,
        restore: impl Fn(&Member, &Cx<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        snapshot.check_time()?;
        self.0.time.go_on_from(snapshot.at());
        self.0.step(|step| {
            let mut result = Ok(());
            self.0.ticks.came(&step.own_cx());
            if let Some(incidents) = snapshot.incidents(OWN_NAME) {
                self.0.incidents.restore(incidents.clone());
            }
            for member in &self.0.guards {
                if let Some(incidents) = snapshot.incidents(&member.name) {
                    member.incidents.restore(incidents.clone());
                }
                result = result.and(restore(member, &step.cx(member)));
            }
            self.0.versions.lock().learn_earlier(snapshot.versions());
            result.and(snapshot.versions().check(step.line_up))
        })
    }

    /// Admits no more calls, as the process is about to end: each is diverted to human review, with
    /// the reason [`ShuttingDown`](crate::Reason::ShuttingDown). Open calls go on.
    pub fn stop_admitting(&self) {
        self.0.is_closing.store(true, Ordering::Relaxed);
    }

    /// How many admitted calls have not ended.
    pub fn open_calls(&self) -> u64 {
        self.0.open_calls.load(Ordering::Relaxed)
    }

    /// How often a sink has panicked.
    pub fn sink_panics(&self) -> u64 {
        self.0.delivery.sink_panics()
    }

    /// How many events were lost, because 65,536 were waiting for a slow sink, or because their call
    /// had left 1,000 already. A page is left even then, and pages are lost last.
    pub fn events_lost(&self) -> u64 {
        self.0.delivery.outbox.lost()
    }

    fn divert(&self, ticket: &Ticket, divert: &Divert) {
        self.0.step(|step| step.divert(ticket, divert));
    }

    fn settle(
        &self,
        ticket: &mut Ticket,
        outcome: Outcome,
        report: Report,
    ) -> (Outcome, Acceptance) {
        self.0.step(|step| step.settle(ticket, outcome, report))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("line_up", &self.line_up())
            .field("guards", &self.0.guards)
            .field("delivery", &self.0.delivery)
            .field("time", &self.0.time)
            .finish_non_exhaustive()
    }
}
