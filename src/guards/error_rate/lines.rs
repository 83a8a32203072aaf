//! All versions of a breaker together: the order of work at each call.

use std::time::Duration;

use crate::event::{BreakerMode, EventKind, ProbeFailure, Severity};
use crate::failure::FailureKind;
use crate::format::Format;
use crate::guard::{Cx, State};
use crate::keyed::Keyed;
use crate::name::VersionId;
use crate::ticket::Ticket;
use crate::time::Timestamp;
use crate::verdict::Route;
use crate::version::{Role, Version};

use serde::{Deserialize, Serialize};

use super::generation::Generation;
use super::incident::Incidents;
use super::line::{BreakerState, Line, Step, VersionCounts};
use super::probing::{Recovery, Trial};
use super::rule::{Breach, Rule};

/// Versions are few; this many are kept apart.
const VERSIONS: usize = 1_000;

#[derive(Debug)]
pub(super) struct Lines {
    by_version: Keyed<VersionId, Line>,
    pub(super) mode: BreakerMode,
    pub(super) commands: Vec<Command>,
    /// Calls from before it count for no version.
    generation: Generation,
    incidents: Incidents,
    latest: Timestamp,
    /// Whether routing has anything to look at: false while every version is in service and no command waits.
    pub(super) needs_attention: bool,
}

/// What a person asked for; done at the pipeline's next call or tick.
#[derive(Debug)]
pub(super) enum Command {
    Rearm(VersionId),
    Reset,
    Switch(BreakerMode),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    format: Format<1>,
    mode: BreakerMode,
    lines: Vec<(VersionId, Line)>,
    incidents: Incidents,
}

impl Lines {
    pub(super) fn new(mode: BreakerMode) -> Self {
        Self {
            by_version: Keyed::new(VERSIONS),
            mode,
            commands: Vec::new(),
            generation: Generation::default(),
            incidents: Incidents::default(),
            latest: Timestamp::EPOCH,
            needs_attention: mode == BreakerMode::ForcedFallback,
        }
    }

    pub(super) fn line(&self, version: &VersionId) -> Option<&Line> {
        self.by_version.get(version)
    }

    pub(super) fn counts(&mut self, version: &VersionId, rule: &Rule) -> VersionCounts {
        let latest = self.latest;
        let line = self.by_version.get_mut(version);
        line.map_or_else(VersionCounts::default, |line| line.counts(rule, latest))
    }

    pub(super) fn retry_at(&self, version: &VersionId) -> Option<Timestamp> {
        self.by_version.get(version)?.retry_at(self.latest)
    }

    /// The API asked to wait.
    pub(super) fn wait(&mut self, version: &VersionId, wait: Duration, rule: &Rule) {
        let at = self.latest + wait;
        let (line, _) = self
            .by_version
            .entry(version, || Line::new(rule.span, self.generation));
        line.wait_until(at);
    }

    /// A call was admitted.
    pub(super) fn opened(&mut self, ticket: &Ticket, rule: &Rule) {
        self.give_back(ticket, Some(ticket.version()));
        if rule.slow.is_some() {
            let (line, _) = self
                .by_version
                .entry(ticket.version(), || Line::new(rule.span, self.generation));
            line.opened(ticket);
        }
    }

    /// A call ended, however it did.
    pub(super) fn ended(&mut self, ticket: &Ticket) {
        if let Some(line) = self.by_version.get_mut(ticket.version()) {
            line.ended(ticket);
        }
    }

    /// Looks for calls that hang: where none ends, nothing else would be seen.
    pub(super) fn look_for_hanging(&mut self, rule: &Rule, cx: &Cx<'_>) {
        if rule.slow.is_none() || self.mode != BreakerMode::Enforce {
            return;
        }
        for part in [Role::Candidate, Role::Stable, Role::Previous] {
            let Some(version) = cx.line_up().get(part).map(Version::id) else {
                continue;
            };
            let line = self.by_version.get_mut(version);
            let line = line.filter(|line| line.is_in_service());
            if let Some(breach) = line.and_then(|line| line.slow_breach(rule, self.latest)) {
                self.trip(version, part, breach, rule, cx);
            }
        }
    }

    pub(super) fn see_time(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Which version may serve a call.
    pub(super) fn route(&mut self, rule: &Rule, cx: &Cx<'_>) -> Route {
        match self.mode {
            BreakerMode::Enforce => {}
            BreakerMode::ForcedFallback => return Route::Previous,
            BreakerMode::Disabled | BreakerMode::ObserveOnly => return Route::Abstain,
        }
        if !self.serves(Role::Stable, rule, cx) {
            return if self.serves(Role::Previous, rule, cx) {
                Route::Previous
            } else {
                Route::HumanReview
            };
        }
        if self.serves(Role::Candidate, rule, cx) {
            Route::Abstain
        } else {
            Route::Stable
        }
    }

    fn serves(&mut self, part: Role, rule: &Rule, cx: &Cx<'_>) -> bool {
        let version = cx.line_up().get(part).map(Version::id);
        let Some(line) = version.and_then(|version| self.by_version.get_mut(version)) else {
            return true;
        };
        match (line.trial_mut(), &rule.recovery) {
            (Some(trial), Recovery::Probe(probing)) => {
                trial.reserve(cx.ticket(), probing, self.latest)
            }
            _ => line.is_in_service(),
        }
    }

    /// Takes up commands and the time, and looks whether routing has anything to do.
    pub(super) fn settle_in(&mut self, rule: &Rule, cx: &Cx<'_>) {
        self.see_time(cx.now());
        for command in std::mem::take(&mut self.commands) {
            self.obey(command, rule, cx);
        }
        if self.mode == BreakerMode::Enforce {
            self.let_time_pass(rule, cx);
        }
        self.incidents
            .let_time_pass(rule.hold_open, self.latest, cx);
        let is_calm = self.by_version.iter().all(|(_, line)| line.is_in_service());
        self.needs_attention = !is_calm || self.mode == BreakerMode::ForcedFallback;
    }

    fn obey(&mut self, command: Command, rule: &Rule, cx: &Cx<'_>) {
        let generation = Generation::beginning(cx, self.latest);
        let fresh = || Line::new(rule.span, generation);
        match command {
            Command::Rearm(version) => {
                if let Some(line) = self.by_version.get_mut(&version) {
                    *line = fresh();
                    self.incidents.resolve(&version, cx);
                    cx.emit(Severity::Info, EventKind::Rearmed { version });
                }
            }
            Command::Reset => {
                self.mode = BreakerMode::Enforce;
                self.generation = generation;
                for (_, line) in self.by_version.iter_mut() {
                    *line = fresh();
                }
                self.incidents.resolve_all(cx);
                cx.emit(Severity::Info, EventKind::BreakerReset);
            }
            Command::Switch(mode) if mode == self.mode => {}
            Command::Switch(mode) => {
                self.mode = mode;
                if mode == BreakerMode::ForcedFallback {
                    self.generation = generation;
                    for (_, line) in self.by_version.iter_mut() {
                        line.cut_off(generation);
                    }
                }
                cx.emit(Severity::Warning, EventKind::BreakerSwitched { mode });
            }
        }
    }

    /// Trials begin, and trials whose calls hang end.
    fn let_time_pass(&mut self, rule: &Rule, cx: &Cx<'_>) {
        let Recovery::Probe(probing) = &rule.recovery else {
            return;
        };
        let generation = Generation::beginning(cx, self.latest);
        for (version, line) in self.by_version.iter_mut() {
            let version = || version.clone();
            if line.half_open(self.latest, generation) {
                let probes = probing.probes;
                let kind = EventKind::ProbesStarted {
                    version: version(),
                    probes,
                };
                cx.emit(Severity::Info, kind);
            }
            let expired = |trial: &mut Trial| trial.has_expired(probing, self.latest);
            if line.trial_mut().is_some_and(expired) {
                let kind = EventKind::ProbesFailed {
                    version: version(),
                    reason: ProbeFailure::LeaseExpired,
                    next_at: line.open(probing, self.latest, generation),
                };
                cx.emit(Severity::Warning, kind);
            }
        }
    }

    pub(super) fn record(&mut self, ticket: &Ticket, step: Step, rule: &Rule, cx: &Cx<'_>) {
        let version = ticket.version();
        let Some(part) = part_of(version, cx) else {
            return;
        };
        let (now, mode) = (self.latest, self.mode);
        let (line, _) = self
            .by_version
            .entry(version, || Line::new(rule.span, self.generation));
        if line.is_late(ticket) || mode == BreakerMode::Enforce && !line.is_in_service() {
            line.count_late();
            return;
        }
        let took = now.since(ticket.admitted_at());
        let is_slow = rule.slow.is_some_and(|slow| took > slow.after);
        line.record(ticket.id(), step, is_slow, now);
        let counts = line.counts(rule, now);
        if mode != BreakerMode::Disabled && line.abandonment_begins(rule, now) {
            let kind = EventKind::AbandonedRateExceeded {
                version: version.clone(),
                abandoned: counts.abandoned,
                calls: counts.calls + counts.abandoned,
                threshold: rule.threshold,
            };
            cx.emit(Severity::Page, kind);
        }
        let breach = line.breach(rule, now);
        match mode {
            BreakerMode::Enforce => {}
            BreakerMode::ObserveOnly => {
                if let (true, Some(breach)) = (line.would_trip_first(breach.is_some()), breach) {
                    let version = version.clone();
                    let kind = EventKind::WouldTrip {
                        version,
                        reason: breach.reason,
                        errors: breach.part,
                        calls: breach.whole,
                        threshold: breach.threshold,
                    };
                    cx.emit(Severity::Warning, kind);
                }
                return;
            }
            BreakerMode::Disabled | BreakerMode::ForcedFallback => return,
        }
        match breach {
            Some(breach) => self.trip(version, part, breach, rule, cx),
            None if line.recover() => self.incidents.is_well(version, now),
            None => {}
        }
    }

    /// A version that serves breaks the rule: it goes out of service if there is one to fall back to, and somebody is told.
    fn trip(&mut self, version: &VersionId, part: Role, breach: Breach, rule: &Rule, cx: &Cx<'_>) {
        let now = self.latest;
        let is_out = |version: &VersionId| {
            let line = self.by_version.get(version);
            line.is_some_and(|line| !line.is_in_service())
        };
        if part == Role::Previous && !is_out(cx.line_up().stable().id()) {
            return;
        }
        let behind = behind(part, cx);
        let fallback = behind.filter(|fallback| !is_out(fallback)).cloned();
        let generation = Generation::beginning(cx, now);
        let Some(line) = self.by_version.get_mut(version) else {
            return;
        };
        if part == Role::Previous || behind.is_some() && fallback.is_none() {
            let stable = Some(cx.line_up().stable().id());
            let (incident, severity) =
                self.incidents
                    .breaks(version, stable, rule.hold_open, now, cx);
            line.take_out(&rule.recovery, now, generation);
            self.needs_attention = true;
            let kind = EventKind::Exhausted {
                version: version.clone(),
                incident,
                errors: breach.part,
                calls: breach.whole,
            };
            cx.emit(severity, kind);
            return;
        }
        if fallback.is_none() && line.state() == BreakerState::Alarmed {
            return;
        }
        let (incident, severity) = self
            .incidents
            .breaks(version, None, rule.hold_open, now, cx);
        let kind = EventKind::ErrorRateExceeded {
            version: version.clone(),
            incident,
            reason: breach.reason,
            errors: breach.part,
            calls: breach.whole,
            threshold: breach.threshold,
            kinds: line.kinds(),
            first_failed: line.failed().map(|(first, _)| first),
            last_failed: line.failed().map(|(_, last)| last),
            fallback: fallback.clone(),
        };
        if fallback.is_some() {
            line.take_out(&rule.recovery, now, generation);
            self.needs_attention = true;
        } else {
            line.alarm();
        }
        cx.emit(severity, kind);
    }

    /// What the end of a call says of a trial; whether the call belonged to one.
    pub(super) fn record_probe(
        &mut self,
        ticket: &Ticket,
        step: Option<Step>,
        rule: &Rule,
        cx: &Cx<'_>,
    ) -> bool {
        let Recovery::Probe(probing) = &rule.recovery else {
            return false;
        };
        let (now, generation) = (self.latest, Generation::beginning(cx, self.latest));
        let Some(line) = self.by_version.get_mut(ticket.version()) else {
            return false;
        };
        let Some(trial) = line
            .trial_mut()
            .filter(|_| self.mode == BreakerMode::Enforce)
        else {
            return false;
        };
        if !trial.leave(ticket.id()) {
            return false;
        }
        let version = ticket.version().clone();
        match step {
            Some(Step::Answered) if trial.pass(probing) => {
                line.close(generation);
                self.incidents.is_well(&version, now);
                cx.emit(Severity::Info, EventKind::Recovered { version });
            }
            Some(Step::Failed(_) | Step::AbandonedAsFailure) => {
                let kind = EventKind::ProbesFailed {
                    version,
                    reason: ProbeFailure::CallFailed,
                    next_at: line.open(probing, now, generation),
                };
                cx.emit(Severity::Warning, kind);
            }
            _ => {}
        }
        true
    }

    /// Takes a call's places in trials away, but for that of the version that serves it.
    pub(super) fn give_back(&mut self, ticket: &Ticket, serving: Option<&VersionId>) {
        for (version, line) in self.by_version.iter_mut() {
            let trial = line.trial_mut().filter(|_| serving != Some(version));
            trial.map(|trial| trial.leave(ticket.id()));
        }
    }

    pub(super) fn report_urgent(
        &mut self,
        ticket: &Ticket,
        failure: FailureKind,
        rule: &Rule,
        cx: &Cx<'_>,
    ) {
        let now = self.latest;
        let (line, _) = self
            .by_version
            .entry(ticket.version(), || Line::new(rule.span, self.generation));
        if line.is_news(failure, now, rule.span.length()) {
            let version = ticket.version().clone();
            cx.emit(
                Severity::Page,
                EventKind::UrgentFailure { version, failure },
            );
        }
    }

    pub(super) fn stored(&self) -> Option<State> {
        let lines = self.by_version.iter();
        State::of(&Stored {
            format: Format,
            mode: self.mode,
            incidents: self.incidents.clone(),
            lines: lines
                .map(|(version, line)| (version.clone(), line.clone()))
                .collect(),
        })
    }

    pub(super) fn restore(&mut self, stored: Stored, rule: &Rule) {
        let lines = stored.lines.into_iter().map(|(version, line)| {
            let line = if line.span() == rule.span {
                line
            } else {
                line.with_empty_window(rule.span)
            };
            (version, line)
        });
        self.by_version.refill(lines, None);
        self.mode = stored.mode;
        self.incidents = stored.incidents;
        self.needs_attention = true;
    }
}

/// The part that a version plays in the line-up of now.
fn part_of(version: &VersionId, cx: &Cx<'_>) -> Option<Role> {
    [Role::Candidate, Role::Stable, Role::Previous]
        .into_iter()
        .find(|role| {
            cx.line_up()
                .get(*role)
                .is_some_and(|live| live.id() == version)
        })
}

/// The version that takes over from the one in this part.
fn behind<'a>(role: Role, cx: &Cx<'a>) -> Option<&'a VersionId> {
    let behind = match role {
        Role::Candidate => Role::Stable,
        Role::Stable => Role::Previous,
        Role::Previous => return None,
    };
    cx.line_up().get(behind).map(Version::id)
}
