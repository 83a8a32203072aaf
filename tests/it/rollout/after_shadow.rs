//! A rollout that starts only when a shadow run has cleared its candidate.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use fusebox::call::{Comparison, Difference, ShadowEnd};
use fusebox::guard::{Clearance, Cx, Route};
use fusebox::rollout::{
    BlueGreenPolicyBuilder, CanaryPolicyBuilder, Decision, HoldReason, RolloutPolicy, RolloutState,
    RolloutStatus,
};
use fusebox::shadow::ShadowComparatorBuilder;
use fusebox::shadow::compare::{Compare, JsonFields};
use fusebox::{
    BlueGreenPolicy, Call, CanaryPolicy, Correction, Error, Event, Feedback, Field, Guard, LineUp,
    Ratio, Report, Severity, ShadowComparator, Ticket, VersionId,
};
use serde_json::json;

use super::{answers, correct, hours, with_candidate};
use crate::operator::{abort, approve, hold, pause, promote, resume};
use crate::support::{Bench, answered, line_up, minutes, stored, version};

fn v8() -> VersionId {
    VersionId::new("v8").unwrap()
}

fn canary() -> CanaryPolicyBuilder {
    CanaryPolicy::builder()
        .stage(Ratio::percent(5), hours(2))
        .stage(Ratio::percent(25), hours(4))
}

fn blue_green() -> BlueGreenPolicyBuilder {
    BlueGreenPolicy::builder()
        .window(hours(10))
        .min_documents(1)
}

fn shadow() -> ShadowComparatorBuilder {
    ShadowComparator::builder(v8()).share(Ratio::ONE)
}

/// A pipeline with a shadow run of `v8`, and a rollout that waits for it.
struct Service {
    bench: Bench,
    status: Box<dyn Fn() -> RolloutStatus>,
    shadow: Arc<ShadowComparator>,
}

fn after_shadow(builder: ShadowComparatorBuilder) -> Service {
    Service::new(builder, |shadow| {
        canary().after_shadow(shadow).build().unwrap()
    })
}

impl Service {
    fn new<K: 'static>(
        builder: ShadowComparatorBuilder,
        policy: impl FnOnce(Arc<ShadowComparator>) -> RolloutPolicy<K>,
    ) -> Self {
        let shadow = Arc::new(builder.build().unwrap());
        let policy = Arc::new(policy(Arc::clone(&shadow)));
        let bench = Bench::with(with_candidate(), |builder| {
            builder
                .guard(Arc::clone(&shadow))
                .guard(Arc::clone(&policy))
        });
        bench.pipeline.tick();
        Self {
            bench,
            status: Box::new(move || policy.status()),
            shadow,
        }
    }

    fn status(&self) -> RolloutStatus {
        (self.status)()
    }

    /// A document that production serves, and on which the candidate's answer is compared.
    fn compare(&self, end: impl Into<ShadowEnd>) -> Ticket {
        let permit = self.bench.permit("invoice");
        assert_eq!(*permit.ticket().version(), "v7", "the candidate waits");
        assert_eq!(permit.ticket().stage(), None, "and is not compared");
        let ticket = answered(permit, Report::new());
        let compared = Feedback::compared(v8(), end);
        self.bench.pipeline.observe(&ticket, compared);
        ticket
    }

    /// So many documents of which so many diverge.
    fn run(&self, diverging: u64, documents: u64) {
        for n in 0..documents {
            if n < diverging {
                let total = Field::new("total").unwrap();
                self.compare(Comparison::Diverged(vec![Difference::changed(total)]));
            } else {
                self.compare(Comparison::Match);
            }
        }
    }

    fn waits_for(&self) -> Option<String> {
        self.bench.pipeline.tick();
        let status = self.status();
        assert_eq!(
            status.not_cleared.is_some(),
            status.state == RolloutState::Waiting
        );
        status.not_cleared
    }
}

/// A clearance that a test gives and takes, and that counts how often it was asked.
#[derive(Debug, Default)]
struct Switch {
    clears: AtomicBool,
    panics: AtomicBool,
    asked: AtomicU64,
}

impl Switch {
    fn set(&self, clears: bool) {
        self.clears.store(clears, Ordering::Relaxed);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Clearance for Switch {
    fn clears(&self, candidate: &VersionId) -> Result<(), String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics.load(Ordering::Relaxed), "no idea");
        if self.clears.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(format!("nobody has looked\n at {candidate}"))
    }
}

fn waiting() -> (Bench, Arc<CanaryPolicy>, Arc<Switch>) {
    let switch = Arc::new(Switch::default());
    let (bench, canary) = in_service(&switch);
    bench.pipeline.tick();
    (bench, canary, switch)
}

fn in_service(switch: &Arc<Switch>) -> (Bench, Arc<CanaryPolicy>) {
    let canary = canary().after_shadow(Arc::clone(switch)).build().unwrap();
    let canary = Arc::new(canary);
    let guard = Arc::clone(&canary);
    (
        Bench::with(with_candidate(), |builder| builder.guard(guard)),
        canary,
    )
}

/// A new process that reads what the old one has stored.
fn restarted(before: &Bench, switch: &Arc<Switch>) -> (Bench, Arc<CanaryPolicy>) {
    let (after, canary) = in_service(switch);
    after.clock.set(fusebox::clock::Clock::now(&before.clock));
    after.pipeline.restore(&stored(&before.pipeline)).unwrap();
    after.events();
    (after, canary)
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.name()).collect()
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.kind.to_string()).collect()
}

#[test]
fn the_candidate_gets_no_document_before_the_run_certifies_it() {
    let service = after_shadow(shadow());
    let bench = &service.bench;
    for n in 0..199 {
        service.compare(Comparison::Match);
        if n % 10 == 0 {
            bench.tick_after(hours(1));
        }
    }
    bench.pipeline.tick();
    let status = service.status();
    assert_eq!(status.state, RolloutState::Waiting);
    assert_eq!((status.stage, status.share), (1, Ratio::ZERO));
    assert_eq!(
        status.decision,
        Some(Decision::Hold(HoldReason::NotCleared))
    );
    assert_eq!(status.findings.next_evaluation, None);
    assert_eq!(status.evidence.stable.documents, 0, "nothing is counted");
    assert_eq!(
        status.to_string(),
        "v8 waits for its shadow run: collecting: 199 of 200 documents compared"
    );

    service.compare(Comparison::Match);
    assert_eq!(service.status().state, RolloutState::Waiting, "no tick yet");
    bench.pipeline.tick();
    let status = service.status();
    assert_eq!(status.state, RolloutState::Running);
    assert_eq!(status.share, Ratio::percent(5));
    assert_eq!(status.not_cleared, None);
    assert_eq!(
        status.findings.next_evaluation,
        Some(bench.pipeline.now() + hours(2)),
        "the stage has its full time"
    );
    let (candidates, _) = answers(bench, "invoice", 1, 1);
    assert_eq!(candidates[0].stage(), Some(1));
}

#[test]
fn eight_of_two_hundred_diverging_clear_and_nine_do_not() {
    let service = after_shadow(shadow());
    service.run(8, 200);
    assert_eq!(service.waits_for(), None);

    let service = after_shadow(shadow());
    service.run(9, 200);
    assert_eq!(
        service.waits_for().as_deref(),
        Some("not shown to be below the threshold")
    );
}

#[test]
fn a_review_that_was_requested_clears_once_it_is_acknowledged() {
    let service = after_shadow(shadow());
    service.run(17, 200);
    assert_eq!(service.waits_for().as_deref(), Some("review required"));
    service
        .shadow
        .acknowledge("ada", "all of one supplier")
        .unwrap();
    assert_eq!(service.waits_for(), None);
}

#[test]
fn one_acknowledgement_is_not_enough_for_two_production_versions() {
    let service = after_shadow(shadow());
    service.run(17, 200);
    service
        .shadow
        .acknowledge("ada", "all of one supplier")
        .unwrap();
    let v8 = v8();
    assert_eq!(service.shadow.clears(&v8), Ok(()));

    let next = LineUp::new(version("v7b")).with_candidate(version("v8"));
    service.bench.pipeline.deploy(next).unwrap();
    for _ in 0..100 {
        let ticket = answered(service.bench.permit("invoice"), Report::new());
        assert_eq!(*ticket.version(), "v7b");
        let total = Field::new("total").unwrap();
        let end = Comparison::Diverged(vec![Difference::changed(total)]);
        let compared = Feedback::compared(v8.clone(), end);
        service.bench.pipeline.observe(&ticket, compared);
    }
    assert_eq!(service.waits_for().as_deref(), Some("review required"));
    service
        .shadow
        .acknowledge("ada", "the same supplier")
        .unwrap();
    assert_eq!(service.waits_for(), None);
}

#[test]
fn where_corrections_judge_the_candidate_only_no_worse_clears() {
    let fields = || JsonFields::builder().critical(["/total"]).build().unwrap();
    let judged = || {
        let builder = shadow().fields(fields()).documents(10, 20);
        builder.judged_by_corrections([7; 16])
    };
    let settle = |service: &Service, wrong: &str| {
        let differs = fields().compare(&json!({ "total": "12.50" }), &json!({ "total": "1250" }));
        for _ in 0..40 {
            let ticket = service.compare(differs.clone());
            if wrong == "production" {
                let correction = Correction::new(Field::new("/total").unwrap()).settled_on("1250");
                service
                    .bench
                    .pipeline
                    .observe(&ticket, Feedback::corrected(correction));
            }
            service.bench.pipeline.observe(&ticket, Feedback::Reviewed);
            for _ in 0..5 {
                let ticket = service.compare(Comparison::Match);
                service.bench.pipeline.observe(&ticket, Feedback::Reviewed);
            }
        }
        service.bench.clock.advance(minutes(11));
        service.bench.pipeline.tick();
    };
    let better = after_shadow(judged());
    assert_eq!(
        better.waits_for().as_deref(),
        Some("not enough evidence: nobody looked at the compared documents")
    );
    settle(&better, "production");
    assert_eq!(better.waits_for(), None);
    let diverging = better.shadow.report().total.diverging();
    assert_eq!(diverging, 40, "of 240: it diverges, and is right");

    let worse = after_shadow(judged());
    settle(&worse, "candidate");
    assert_eq!(worse.waits_for().as_deref(), Some("worse than production"));
}

#[test]
fn the_run_of_another_candidate_clears_nobody() {
    let other = ShadowComparator::builder(VersionId::new("v9").unwrap()).share(Ratio::ONE);
    let service = after_shadow(other);
    assert_eq!(
        service.waits_for().as_deref(),
        Some("the shadow run is of v9")
    );
}

#[test]
fn a_new_candidate_waits_anew() {
    let service = after_shadow(shadow());
    service.run(0, 200);
    assert_eq!(service.waits_for(), None);
    let third = line_up().with_candidate(version("v9"));
    service.bench.pipeline.deploy(third).unwrap();
    assert_eq!(
        service.waits_for().as_deref(),
        Some("the shadow run is of v8")
    );
    for _ in 0..200 {
        assert_eq!(service.bench.serving(), "v7");
    }
}

#[test]
fn it_waits_from_the_first_call_whether_or_not_a_tick_came_before() {
    let switch = Arc::new(Switch::default());
    let (bench, canary) = in_service(&switch);
    for _ in 0..200 {
        assert_eq!(bench.serving(), "v7");
    }
    assert_eq!(switch.asked(), 0, "no call asks");
    assert_eq!(
        canary.status().not_cleared.as_deref(),
        Some("no tick has asked it yet")
    );
    bench.pipeline.tick();
    assert_eq!(switch.asked(), 1);
}

#[test]
fn no_other_vote_exposes_a_document_while_the_candidate_waits() {
    #[derive(Debug)]
    struct Eager;
    impl Guard for Eager {
        fn name(&self) -> &'static str {
            "eager"
        }

        fn route(&self, _: &Call<'_>, _: &Cx<'_>) -> Route {
            Route::Candidate
        }
    }
    let switch = Arc::new(Switch::default());
    let canary = canary().after_shadow(Arc::clone(&switch)).build().unwrap();
    let bench = Bench::with(with_candidate(), |builder| {
        builder.guard(canary).guard(Eager)
    });
    bench.pipeline.tick();
    for _ in 0..200 {
        assert_eq!(bench.serving(), "v7");
    }
    switch.set(true);
    bench.pipeline.tick();
    assert_eq!(answers(&bench, "invoice", 1, 1).0.len(), 1);
}

#[test]
fn it_is_told_once_that_it_waits_and_once_that_it_starts() {
    let (bench, _, switch) = waiting();
    for n in 0..240 {
        let ticket = answered(bench.permit("invoice"), Report::new());
        let feedback = [
            Feedback::corrected(Field::new("total").unwrap()),
            Feedback::Reviewed,
        ];
        bench.pipeline.observe(&ticket, feedback[n % 2].clone());
        bench.tick_after(hours(1));
    }
    let waits = bench.events();
    switch.set(true);
    bench.tick_after(hours(1));
    bench.tick_after(hours(1));
    let starts = bench.events();
    assert_eq!(names(&waits), ["rollout_waits"]);
    assert_eq!(
        names(&starts),
        ["stage_started", "plan_too_short"],
        "what it learnt of corrections while it waited is known at its start"
    );
    for event in [&waits[0], &starts[0]] {
        assert_eq!(event.severity, Severity::Info);
    }
    assert_eq!(
        lines(&waits)[0],
        "v8 gets no documents and waits for its shadow run: nobody has looked  at v8",
        "in one line"
    );
    assert!(bench.pipeline.incidents().is_empty());
}

#[test]
fn a_clearance_that_is_taken_back_later_stops_nothing() {
    let (bench, canary, switch) = waiting();
    switch.set(true);
    bench.pipeline.tick();
    let asked = switch.asked();
    switch.set(false);
    bench.tick_after(hours(1));
    assert_eq!(canary.status().state, RolloutState::Running);
    assert_eq!(switch.asked(), asked, "nobody asks again");

    let (after, canary) = restarted(&bench, &switch);
    after.tick_after(minutes(1));
    assert_eq!(canary.status().state, RolloutState::Running);
    assert_eq!(canary.status().share, Ratio::percent(5));
    assert_eq!(switch.asked(), asked);
    assert_eq!(lines(&after.events()), [""; 0]);
}

#[test]
fn a_restart_goes_on_waiting_and_does_not_tell_it_again() {
    let (bench, canary, switch) = waiting();
    let (after, again) = restarted(&bench, &switch);
    assert_eq!(again.status(), canary.status());
    assert_eq!(after.serving(), "v7");
    after.tick_after(minutes(1));
    assert_eq!(lines(&after.events()), [""; 0]);
    switch.set(true);
    after.pipeline.tick();
    assert_eq!(names(&after.events()), ["stage_started"]);
    assert_eq!(again.status().state, RolloutState::Running);
}

#[test]
fn a_state_in_which_it_waits_goes_on_with_a_plan_that_demands_nothing() {
    let (bench, ..) = waiting();
    let canary = Arc::new(canary().build().unwrap());
    let guard = Arc::clone(&canary);
    let after = Bench::with(with_candidate(), |builder| builder.guard(guard));
    after.pipeline.restore(&stored(&bench.pipeline)).unwrap();
    after.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Running);
}

#[test]
fn a_check_that_panics_clears_nobody_and_may_clear_later() {
    let (bench, canary, switch) = waiting();
    switch.set(true);
    switch.panics.store(true, Ordering::Relaxed);
    bench.pipeline.tick();
    let status = canary.status();
    assert_eq!(status.not_cleared.as_deref(), Some("the check panicked"));
    assert_eq!(bench.serving(), "v7");
    assert_eq!(
        names(&bench.events()),
        ["rollout_waits"],
        "no guard panicked"
    );
    switch.panics.store(false, Ordering::Relaxed);
    bench.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Running);
}

/// Takes the candidate out of service while it is asked, and then says yes.
#[test]
fn an_answer_that_comes_after_an_abort_starts_nothing() {
    #[derive(Debug, Default)]
    struct Aborts(OnceLock<Arc<CanaryPolicy>>);
    impl Clearance for Aborts {
        fn clears(&self, _: &VersionId) -> Result<(), String> {
            let canary = self.0.get().ok_or("no rollout")?;
            abort(canary).map_err(|error| error.to_string())
        }
    }
    let aborts = Arc::new(Aborts::default());
    let canary = Arc::new(canary().after_shadow(Arc::clone(&aborts)).build().unwrap());
    aborts.0.set(Arc::clone(&canary)).unwrap();
    let guard = Arc::clone(&canary);
    let bench = Bench::with(with_candidate(), |builder| builder.guard(guard));
    bench.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Aborted);
    assert_eq!(bench.serving(), "v7");
    assert_eq!(names(&bench.events()), ["rollout_commanded", "rolled_back"]);
}

#[test]
fn a_reason_is_at_most_400_characters_and_never_blank() {
    #[derive(Debug)]
    struct Because(String);
    impl Clearance for Because {
        fn clears(&self, _: &VersionId) -> Result<(), String> {
            Err(self.0.clone())
        }
    }
    for (given, shown) in [
        ("ü".repeat(400), "ü".repeat(400)),
        ("ü".repeat(401), "ü".repeat(400)),
        (" \n".to_owned(), "no reason given".to_owned()),
    ] {
        let canary = canary().after_shadow(Because(given)).build().unwrap();
        let canary = Arc::new(canary);
        let guard = Arc::clone(&canary);
        let bench = Bench::with(with_candidate(), |builder| builder.guard(guard));
        bench.pipeline.tick();
        assert_eq!(canary.status().not_cleared, Some(shown));
    }
}

/// The lock of a rollout is not held while it asks: this would wait for ever.
#[test]
fn the_check_may_look_at_the_rollout_itself() {
    #[derive(Debug, Default)]
    struct Looks(OnceLock<Arc<CanaryPolicy>>);
    impl Clearance for Looks {
        fn clears(&self, _: &VersionId) -> Result<(), String> {
            let canary = self.0.get().ok_or("no rollout")?;
            Err(format!(
                "{} with {}",
                canary.status().state,
                canary.status().share
            ))
        }
    }
    let looks = Arc::new(Looks::default());
    let canary = Arc::new(canary().after_shadow(Arc::clone(&looks)).build().unwrap());
    looks.0.set(Arc::clone(&canary)).unwrap();
    let guard = Arc::clone(&canary);
    let bench = Bench::with(with_candidate(), |builder| builder.guard(guard));
    bench.pipeline.tick();
    let status = canary.status();
    assert_eq!(status.not_cleared.as_deref(), Some("waiting with 0 %"));
}

#[test]
fn the_operator_starts_it_without_a_clearance() {
    let (bench, canary, switch) = waiting();
    bench.tick_after(hours(30));
    bench.events();
    promote(&canary).unwrap();
    let status = canary.status();
    assert_eq!(status.state, RolloutState::Running);
    assert_eq!((status.stage, status.share), (1, Ratio::percent(5)));
    bench.pipeline.tick();
    bench.tick_after(hours(1));
    assert_eq!(canary.status().stage, 1);
    let asked = switch.asked();
    let events = bench.events();
    assert_eq!(names(&events), ["rollout_commanded", "stage_started"]);
    assert_eq!(
        lines(&events)[0],
        "ada promoted v8 at stage 1 (looked at it)"
    );
    assert!(
        lines(&events)[1].contains(": by operator; "),
        "{}",
        events[1]
    );

    let (after, canary) = restarted(&bench, &switch);
    after.tick_after(minutes(1));
    assert_eq!(canary.status().state, RolloutState::Running);
    assert_eq!(switch.asked(), asked, "automation does not undo a command");
}

#[test]
fn a_rollout_that_waits_can_be_promoted_or_aborted_and_nothing_else() {
    type Command = fn(&CanaryPolicy) -> Result<(), Error>;
    let refused: [(&str, Command, &str); 5] = [
        (
            "pause",
            pause,
            "a rollout that is running or escalated, and not paused",
        ),
        ("resume", resume, "a paused rollout"),
        ("hold", hold, "a rollout that is running or escalated"),
        ("approve", approve, "a stage that still needs an approval"),
        (
            "readmit",
            readmit,
            "a candidate that was taken out of service",
        ),
    ];
    let (bench, canary, switch) = waiting();
    let before = canary.status();
    for (command, act, expected) in refused {
        assert_eq!(
            act(&canary).unwrap_err().to_string(),
            format!("canary {command}: got `waiting`, expected {expected}")
        );
        assert_eq!(canary.status(), before, "nothing is changed");
    }
    abort(&canary).unwrap();
    switch.set(true);
    bench.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Aborted);
    assert_eq!(canary.status().not_cleared, None);
    assert_eq!(bench.serving(), "v7");
}

fn readmit(canary: &CanaryPolicy) -> Result<(), Error> {
    canary.readmit(canary.status().revision, "ada", "looked at it")
}

#[test]
fn a_candidate_that_was_aborted_waits_again_unless_it_had_started() {
    let (bench, canary, switch) = waiting();
    abort(&canary).unwrap();
    readmit(&canary).unwrap();
    assert_eq!(canary.status().state, RolloutState::Waiting);
    bench.pipeline.tick();
    assert_eq!(canary.status().state, RolloutState::Waiting);
    let told = names(&bench.events());
    assert_eq!(told.last(), Some(&"rollout_waits"), "{told:?}");

    promote(&canary).unwrap();
    abort(&canary).unwrap();
    readmit(&canary).unwrap();
    assert_eq!(canary.status().state, RolloutState::Running);
    let asked = switch.asked();
    bench.pipeline.tick();
    assert_eq!(switch.asked(), asked);
}

#[test]
fn a_command_from_before_the_start_is_refused() {
    let (bench, canary, switch) = waiting();
    let seen = canary.status().revision;
    switch.set(true);
    bench.pipeline.tick();
    let refused = canary.promote(seen, "ada", "start it").unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("now: v8 running at stage 1 with 5 %"),
        "{refused}"
    );
}

#[test]
fn what_came_while_it_waited_is_no_evidence() {
    let (bench, canary, switch) = waiting();
    let tickets: Vec<_> = (0..1_000)
        .map(|_| answered(bench.permit("invoice"), Report::new()))
        .collect();
    correct(&bench, &tickets, 10);
    switch.set(true);
    bench.tick_after(hours(1));
    let late = &tickets[10..600];
    correct(&bench, late, late.len());
    let evidence = canary.status().evidence;
    assert_eq!((evidence.stable.documents, evidence.stable.events), (0, 0));
    assert_eq!(canary.status().state, RolloutState::Running);
}

#[test]
fn blue_green_waits_as_well() {
    let service = Service::new(shadow(), |shadow| {
        blue_green().after_shadow(shadow).build().unwrap()
    });
    service.run(0, 199);
    service.bench.tick_after(hours(24 * 40));
    assert_eq!(
        service.waits_for().as_deref(),
        Some("collecting: 199 of 200 documents compared"),
        "no window runs"
    );
    assert_eq!(service.bench.pages(), []);
    service.run(0, 1);
    assert_eq!(service.waits_for(), None);
    assert_eq!(service.status().share, Ratio::percent(10));
    let (candidates, _) = answers(&service.bench, "invoice", 1, 1);
    assert_eq!(candidates.len(), 1);
}

#[test]
fn in_a_dry_run_it_says_what_it_would_wait_for() {
    let switch = Arc::new(Switch::default());
    let canary = canary().after_shadow(Arc::clone(&switch)).build().unwrap();
    let bench = Bench::with(with_candidate(), |builder| builder.guard(canary.dry_run()));
    bench.pipeline.tick();
    let events = bench.events();
    assert_eq!(names(&events), ["rollout_waits"]);
    assert!(events[0].dry_run);
}
