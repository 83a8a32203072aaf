//! A document that takes several calls keeps its version where the guards allow it, and its tickets
//! tell where they do not.

use std::sync::Arc;

use fusebox::call::Pin;
use fusebox::event::PipelineEvent;
use fusebox::guard::{Cx, Route};
use fusebox::{
    Admission, Call, CanaryPolicy, Destination, DocumentId, EventKind, FailureKind, Guard, LineUp,
    Reason, Report, Role, RouteLedger, Severity, Ticket, Version, VersionId,
};

use crate::operator::{abort, promote, rearm};
use crate::support::{Bench, answered, call, line_up, rate_only, version};

fn with_candidate() -> LineUp {
    line_up().with_candidate(version("v8"))
}

/// A pipeline that exposes `v8`, in the first stage.
fn exposing() -> (Bench, Arc<CanaryPolicy>) {
    let canary = Arc::new(CanaryPolicy::default());
    let bench = Bench::with(with_candidate(), |builder| {
        builder.guard(Arc::clone(&canary))
    });
    bench.pipeline.tick();
    (bench, canary)
}

/// A ticket of an earlier call that this version served.
fn served_by(id: &str) -> Ticket {
    Ticket::new(&call("inv-1", "invoice"), &version(id))
}

fn document(ticket: &Ticket) -> Call<'static> {
    call(ticket.document().as_str(), "invoice")
}

/// The ticket of a call that ends unmade.
fn admitted(bench: &Bench, call: &Call<'_>) -> Ticket {
    match bench.pipeline.admit(call) {
        Admission::Admitted(permit) => permit.release(),
        Admission::Diverted(diversion) => panic!("{diversion}"),
    }
}

fn pinned(bench: &Bench, first: &Ticket) -> Ticket {
    admitted(bench, &document(first).pinned_to(first))
}

/// The first calls of documents, by the version that serves them.
fn first_calls(bench: &Bench, documents: usize) -> (Vec<Ticket>, Vec<Ticket>) {
    let first = |n| admitted(bench, &call(&format!("doc-{n}"), "invoice"));
    let tickets = (0..documents).map(first);
    tickets.partition(|ticket| ticket.role() == Role::Candidate)
}

fn kinds(bench: &Bench) -> Vec<EventKind> {
    let events = bench.events().into_iter();
    events.map(|event| event.kind).collect()
}

fn pin_lost(ticket: &Ticket, pinned_to: &str) -> EventKind {
    EventKind::Pipeline(PipelineEvent::PinLost {
        document: ticket.document().clone(),
        document_type: ticket.document_type().clone(),
        pinned_to: VersionId::new(pinned_to).unwrap(),
        version: ticket.version().clone(),
    })
}

#[derive(Debug)]
struct Votes(Route);

impl Guard for Votes {
    fn name(&self) -> &'static str {
        "votes"
    }

    fn route(&self, _: &Call<'_>, _: &Cx<'_>) -> Route {
        self.0
    }
}

/// Every vote with every pin: which version serves, and whether the pin is lost. A pin keeps a
/// document with production, and changes nothing else.
#[test]
fn a_pin_is_a_vote_for_production_and_no_other() {
    for (vote, unpinned, by_pin) in [
        (
            Route::Abstain,
            "v7",
            [("v8", "v7"), ("v7", "v7"), ("v6", "v7")],
        ),
        (
            Route::Candidate,
            "v8",
            [("v8", "v8"), ("v7", "v7"), ("v6", "v8")],
        ),
        (
            Route::Stable,
            "v7",
            [("v8", "v7"), ("v7", "v7"), ("v6", "v7")],
        ),
        (
            Route::Previous,
            "v6",
            [("v8", "v6"), ("v7", "v6"), ("v6", "v6")],
        ),
    ] {
        let bench = Bench::with(with_candidate(), |builder| builder.guard(Votes(vote)));
        let ticket = admitted(&bench, &call("inv-1", "invoice"));
        assert_eq!(*ticket.version(), unpinned, "{vote}");
        assert!(!ticket.has_lost_pin());
        assert_eq!(kinds(&bench), []);
        for (pin, serving) in by_pin {
            let is_lost = pin != serving;
            let ticket = pinned(&bench, &served_by(pin));
            assert_eq!(*ticket.version(), serving, "{vote}, pinned to {pin}");
            assert_eq!(ticket.has_lost_pin(), is_lost, "{vote}, pinned to {pin}");
            let expected: Vec<_> = is_lost
                .then(|| pin_lost(&ticket, pin))
                .into_iter()
                .collect();
            assert_eq!(kinds(&bench), expected);

            let strict = Pin::from(&served_by(pin)).or_review();
            let admission = bench
                .pipeline
                .admit(&call("inv-1", "invoice").pinned_to(strict));
            match admission {
                Admission::Admitted(permit) => {
                    assert!(!is_lost);
                    permit.release();
                }
                Admission::Diverted(diversion) => {
                    assert!(is_lost);
                    let version = VersionId::new(pin).unwrap();
                    assert_eq!(*diversion.destination(), Destination::HumanReview);
                    assert_eq!(*diversion.reasons(), [Reason::PinLost { version }].into());
                    assert!(diversion.ticket().has_lost_pin());
                }
            }
            bench.events();
        }
    }
}

#[test]
fn a_pin_never_makes_a_call_that_no_version_serves() {
    let review = Votes(Route::HumanReview);
    let bench = Bench::with(with_candidate(), |builder| builder.guard(review));
    for pin in ["v6", "v7", "v8"] {
        let call = call("inv-1", "invoice").pinned_to(&served_by(pin));
        let Admission::Diverted(diversion) = bench.pipeline.admit(&call) else {
            panic!("no version serves");
        };
        assert_eq!(*diversion.reasons(), [Reason::NoVersionLeft].into());
    }
}

/// 5 %, then 25 %, then all documents: those that began with production would go to the candidate.
#[test]
fn documents_keep_their_version_when_a_stage_begins_and_when_the_rollout_promotes() {
    let (bench, canary) = exposing();
    let (candidates, stables) = first_calls(&bench, 400);
    assert!(candidates.len() > 5 && stables.len() > 300);
    for stage in [Some(2), None] {
        promote(&canary).unwrap();
        let mut moved = 0;
        for first in &stables {
            let unpinned = admitted(&bench, &document(first));
            let ticket = pinned(&bench, first);
            assert_eq!(
                (ticket.version(), ticket.role()),
                (first.version(), Role::Stable)
            );
            assert!(!ticket.has_lost_pin());
            let is_moved = unpinned.role() == Role::Candidate;
            moved += usize::from(is_moved);
            let counted_in = stage.filter(|_| !is_moved);
            assert_eq!(
                ticket.stage(),
                counted_in,
                "no rollout counts what a pin moved"
            );
        }
        assert!(moved > 40, "the pin keeps {moved} documents");
        for first in &candidates {
            let ticket = pinned(&bench, first);
            assert_eq!(
                (ticket.version(), ticket.role()),
                (first.version(), Role::Candidate)
            );
            assert_eq!(ticket.stage(), stage);
        }
    }
}

#[test]
fn a_document_goes_on_with_the_candidate_when_that_becomes_production() {
    let (bench, _) = exposing();
    let (candidates, stables) = first_calls(&bench, 100);
    let promoted = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(promoted).unwrap();
    let ticket = pinned(&bench, &candidates[0]);
    assert_eq!(
        (ticket.version().as_str(), ticket.role()),
        ("v8", Role::Stable)
    );
    assert!(!ticket.has_lost_pin());
    bench.events();
    let ticket = pinned(&bench, &stables[0]);
    assert_eq!(*ticket.version(), "v8", "v7 is only the fallback now");
    assert!(ticket.has_lost_pin());
    let events = bench.events();
    assert_eq!(events[0].kind, pin_lost(&ticket, "v7"));
    assert_eq!(events[0].severity, Severity::Info);
}

#[test]
fn a_rollout_counts_no_call_that_a_pin_moved_and_all_others() {
    let (bench, canary) = exposing();
    let (candidates, stables) = first_calls(&bench, 400);
    promote(&canary).unwrap();
    bench.pipeline.tick();
    let answers = |first: &Ticket| {
        let call = document(first).pinned_to(first);
        let permit = bench.pipeline.admit(&call).permit().unwrap();
        answered(permit, Report::new())
    };
    let (mut moved, mut stayed) = (0, 0);
    for first in stables.iter().take(100) {
        let before = canary.status().evidence;
        let counted = answers(first).stage().is_some();
        (moved, stayed) = (moved + u64::from(!counted), stayed + u64::from(counted));
        assert_eq!(canary.status().evidence != before, counted);
    }
    answers(&candidates[0]);
    let evidence = canary.status().evidence;
    assert!(moved > 5);
    assert_eq!(
        (evidence.stable.documents, evidence.candidate.documents),
        (stayed, 1)
    );
}

#[test]
fn a_pin_does_not_hold_a_candidate_that_was_rolled_back() {
    let (bench, canary) = exposing();
    let (candidates, _) = first_calls(&bench, 100);
    abort(&canary).unwrap();
    let ticket = pinned(&bench, &candidates[0]);
    assert_eq!(*ticket.version(), "v7");
    assert!(ticket.has_lost_pin());
}

/// Production would have served it, and did not divert it.
#[test]
fn a_rollout_counts_no_call_that_its_pin_sends_to_review() {
    let canary = CanaryPolicy::default();
    let bench = Bench::with(with_candidate(), |builder| {
        builder.guard(canary).guard(Votes(Route::Stable))
    });
    assert_eq!(admitted(&bench, &call("inv-1", "invoice")).stage(), Some(1));
    let strict = Pin::from(&served_by("v8")).or_review();
    let admission = bench
        .pipeline
        .admit(&call("inv-1", "invoice").pinned_to(strict));
    assert!(matches!(admission, Admission::Diverted(_)));
    assert_eq!(admission.ticket().stage(), None);
}

#[test]
fn a_pin_does_not_hold_a_version_that_is_out_of_service() {
    let breaker = rate_only();
    let bench = Bench::with_guard(Arc::clone(&breaker));
    let first = admitted(&bench, &call("inv-1", "invoice"));
    assert_eq!(*first.version(), "v7");
    bench.fail(100);
    let second = pinned(&bench, &first);
    assert_eq!(
        (second.version().as_str(), second.has_lost_pin()),
        ("v6", true)
    );
    let third = pinned(&bench, &second);
    assert_eq!(
        (third.version().as_str(), third.has_lost_pin()),
        ("v6", false)
    );
    rearm(&breaker, "v7");
    let fourth = pinned(&bench, &third);
    assert_eq!(
        (fourth.version().as_str(), fourth.has_lost_pin()),
        ("v7", true)
    );
}

/// Production failed and was replaced; as the previous version it is still out of service.
#[test]
fn a_pin_does_not_lead_back_to_a_version_that_was_replaced_because_it_failed() {
    let bench = Bench::with_guard(rate_only());
    let first = admitted(&bench, &call("inv-1", "invoice"));
    bench.fail(100);
    let repaired = LineUp::new(version("v8")).with_previous(version("v7"));
    bench.pipeline.deploy(repaired).unwrap();
    let second = pinned(&bench, &first);
    assert_eq!(
        (second.version().as_str(), second.has_lost_pin()),
        ("v8", true)
    );
}

#[test]
fn a_pin_does_not_hold_a_candidate_that_fails() {
    let (canary, breaker) = (Arc::new(CanaryPolicy::default()), rate_only());
    let bench = Bench::with(with_candidate(), |builder| {
        builder.guard(canary).guard(Arc::clone(&breaker))
    });
    bench.pipeline.tick();
    let (candidates, _) = first_calls(&bench, 100);
    for _ in 0..100 {
        let call = document(&candidates[0]).pinned_to(&candidates[0]);
        let permit = bench.pipeline.admit(&call).permit().unwrap();
        permit.fail(FailureKind::ServerError);
    }
    assert!(breaker.state("v8") != fusebox::breaker::BreakerState::Closed);
    let ticket = pinned(&bench, &candidates[0]);
    assert_eq!(
        (ticket.version().as_str(), ticket.has_lost_pin()),
        ("v7", true)
    );
}

/// A ticket of another service, of long ago, or of another prompt under the same id.
#[test]
fn a_pin_to_a_version_that_is_not_live_is_lost() {
    let bench = Bench::with_guard(RouteLedger::default());
    let other_prompt = Version::new("v7", "gpt-4o").unwrap();
    let other_prompt = other_prompt.with_system_prompt_tokens(1_001);
    let other_prompt = Ticket::new(&call("inv-1", "invoice"), &other_prompt);
    for (first, pinned_to) in [(served_by("v1"), "v1"), (other_prompt, "v7")] {
        let ticket = pinned(&bench, &first);
        assert_eq!(*ticket.version(), "v7");
        assert!(ticket.has_lost_pin());
        assert_eq!(kinds(&bench), [pin_lost(&ticket, pinned_to)]);
    }
}

#[test]
fn a_pin_moves_into_a_task_and_a_lost_one_is_stored_with_its_ticket() {
    let first = served_by("v1");
    let owned = call("inv-1", "invoice").pinned_to(&first).into_owned();
    assert_eq!(owned.pin(), Some(&Pin::from(&first)));
    let bench = Bench::with_guard(RouteLedger::default());
    for (ticket, written) in [(pinned(&bench, &first), true), (first, false)] {
        let text = serde_json::to_string(&ticket).unwrap();
        assert_eq!(text.contains(r#""lost_pin":true"#), written, "{text}");
        assert!(written || !text.contains("lost_pin"), "{text}");
        let read: Ticket = serde_json::from_str(&text).unwrap();
        assert_eq!(read, ticket);
    }
}

/// The pin is to a version, whichever document had it: pages of one have ids of their own.
#[test]
fn a_call_can_be_pinned_to_the_version_of_another_document() {
    let (bench, canary) = exposing();
    let (_, stables) = first_calls(&bench, 10);
    for _ in 0..2 {
        promote(&canary).unwrap();
    }
    let page = DocumentId::new("inv-1/page-2").unwrap();
    let page = call(page.as_str(), "invoice").pinned_to(&stables[0]);
    assert_eq!(*admitted(&bench, &page).version(), "v7");
}

/// Versions that left the line-up long ago; each call is refused by its own pin.
#[test]
fn calls_that_their_pins_refuse_are_no_absence_of_production() {
    let (bench, canary) = exposing();
    let old = Pin::from(&served_by("v5")).or_review();
    for n in 0..200 {
        let document = format!("inv-{n}");
        if n % 10 == 0 {
            let _ = admitted(&bench, &call(&document, "invoice"));
        }
        let pinned = call(&document, "invoice").pinned_to(old.clone());
        let _ = bench.pipeline.admit(&pinned);
        bench.pipeline.tick();
    }
    assert_eq!(canary.status().findings.not_serving, []);
}
